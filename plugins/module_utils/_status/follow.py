# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows a release to its end: what changed between two looks, one line each."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

from .._cluster import Clock
from .._errors import UnreachableError
from .._formats import lasting
from .._release.models import SETTLED, TAKEN_BACK
from .._release.record import between
from .._story.next_step import IN_PROGRESS
from .build import HELD, NOT_STARTED, Observed
from .lines import is_whole, pods_of, rolling

Status = t.Mapping[str, t.Any]
News = tuple[str, str, str]
"""An event, its sentence, and the status of the phase or service it is about."""

CHANGED, FAR = "StatusChanged", "StatusProgress"
"""Of a thing that happened, and of a count that goes up, of which the newest is enough."""
EVERY = 60.0
"""Seconds after which a phase in which nothing changes is told of again."""
BLIND = 300.0
"""Seconds without sight of the cluster after which following ends."""


def changes(before: Status | None, after: Status) -> t.Iterator[News]:
    """What is new in `after` since `before`; None: everything is."""
    known = {phase["name"]: phase["status"] for phase in before["phases"]} if before else {}
    for phase in after["phases"]:
        changed = known.get(phase["name"], NOT_STARTED) != phase["status"]
        # With the first look, what is complete is no news.
        if changed and (before or phase["status"] not in SETTLED):
            yield CHANGED, _phase(phase, after), phase["status"]
    if after["watching"] and not (before and before["watching"]):
        yield CHANGED, f"{after['verdict'].lower()}: {after['why']}", HELD
    for name, service in after["services"].items():
        if before and is_whole(service) and not is_whole(before["services"].get(name)):
            yield CHANGED, pods_of(name, service), "done"
    waiting = rolling(after["services"])
    if waiting and (before is None or rolling(before["services"]) != waiting):
        yield FAR, waiting, ""


def _phase(phase: Status, status: Status) -> str:
    whole = sum(1 for entry in status["phases"] if entry["number"])
    place = f" ({phase['number']} of {whole})" if phase["number"] else ""
    took = between(phase["started"], phase["finished"])
    # What took a phase back is another run than the one that began it.
    text = took is not None and phase["status"] not in TAKEN_BACK
    after = f" after {lasting(took)}" if text else ""
    return f"{phase['title']}{place} {phase['status'].replace('_', ' ')}{after}"


def follow(
    look: t.Callable[[], Observed],
    build: t.Callable[[Observed, datetime], dict[str, t.Any]],
    show: t.Callable[[str, str, dict[str, t.Any]], None],
    clock: Clock,
    *,
    interval: float,
    today: t.Callable[[], datetime],
) -> dict[str, t.Any]:
    """The status in which no run works on the release any more. Raises UnreachableError when it lost sight of it."""
    before: dict[str, t.Any] | None = None
    renewed, alive = "", clock.now()
    spoke, blind = clock.now(), 0.0
    while True:
        now = clock.now()
        try:
            observed = look()
        except UnreachableError as exc:
            if not blind:
                blind = now
                text = f"cannot see the cluster, and goes on trying: {exc}"
                show(CHANGED, text, {"status": "unseen"})
            if now - blind > BLIND:
                raise
            clock.sleep(interval)
            continue
        if blind:
            blind = 0.0
            show(CHANGED, "sees the cluster again", {})
        lock = observed.story.lock
        if lock.get("renewed", "") != renewed:
            renewed, alive = lock.get("renewed", ""), now
        # Whether its run gives no sign of life goes by our own clock alone: those of two machines differ.
        lasts = between(renewed, lock.get("until"))
        if lasts is not None and now - alive > lasts and not lock.get("manual"):
            lock = {**lock, "held": False}
        status = build(replace(observed, story=replace(observed.story, lock=lock)), today())
        if status["verdict"] != IN_PROGRESS and not status["watching"]:
            return status
        news = [*changes(before, status)]
        if not news and now - spoke >= EVERY:
            news = [(FAR, status["why"], "")]
        for event, text, state in news:
            spoke = now
            show(event, text, {"phase": status["phase"], "status": state})
        before = status
        clock.sleep(interval)
