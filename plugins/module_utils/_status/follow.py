# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows a release to its end: what changed between two looks, one line each."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

from .._cluster import Clock
from .._errors import UnreachableError
from .._formats import lasting, listed
from .._release.models import SETTLED, TAKEN_BACK
from .._release.record import between
from .._story.next_step import IN_PROGRESS
from .build import HELD, NOT_STARTED, Observed
from .lines import MOST_NAMES

Status = t.Mapping[str, t.Any]

CHANGED, FAR = "StatusChanged", "StatusProgress"
"""Of a thing that happened, and of a count that goes up, of which the newest is enough."""
EVERY = 60.0
"""Seconds after which a phase in which nothing changes is told of again."""
BLIND = 300.0
"""Seconds without sight of the cluster after which following ends."""


class ToldStatus(t.NamedTuple):
    """`status` is that of the phase or service it is about."""

    event: str
    text: str
    status: str = ""


def changes(before: Status | None, after: Status) -> list[ToldStatus]:
    """What is new in `after` since `before`; None: everything is."""
    known = {phase["name"]: phase["status"] for phase in before["phases"]} if before else {}
    sentences = [
        ToldStatus(CHANGED, _phase(phase, after), phase["status"])
        for phase in after["phases"]
        if known.get(phase["name"], NOT_STARTED) != phase["status"]
        and (before or phase["status"] not in SETTLED)
    ]
    if after["watching"] and not (before and before["watching"]):
        sentences.append(ToldStatus(CHANGED, f"{after['verdict'].lower()}: {after['why']}", HELD))
    services = after["services"]
    # With the first look, what is complete is no news.
    finished = [
        ToldStatus(
            CHANGED,
            f"{name} {service['version']} {service['available']}/{service['desired']}",
            "done",
        )
        for name, service in services.items()
        if before and _complete(service) and not _complete(before["services"].get(name))
    ]
    rolling = [
        f"{name} {service['version']} {service['available']}/{service['desired']}"
        for name, service in services.items()
        if service["exists"] and not _complete(service)
    ]
    if rolling and (before is None or _counts(before) != _counts(after)):
        whole = sum(map(_complete, services.values()))
        far = (
            f"{whole} of {len(services)} services complete · rolling: {listed(rolling, MOST_NAMES)}"
        )
        finished.append(ToldStatus(FAR, far))
    return [*sentences, *finished]


def _phase(phase: Status, status: Status) -> str:
    whole = sum(1 for entry in status["phases"] if entry["number"])
    place = f" ({phase['number']} of {whole})" if phase["number"] else ""
    took = between(phase["started"], phase["finished"])
    # What took a phase back is another run than the one that began it.
    text = took is not None and phase["status"] not in TAKEN_BACK
    after = f" after {lasting(took)}" if text else ""
    return f"{phase['title']}{place} {phase['status'].replace('_', ' ')}{after}"


def _complete(service: Status | None) -> bool:
    return bool(service and service["complete"] and service["available"] >= service["desired"])


def _counts(status: Status) -> list[tuple[t.Any, ...]]:
    return [(service["version"], service["available"]) for service in status["services"].values()]


class Lapse:
    """Whether the lock's run gives no sign of life, by our own clock alone: those of two machines differ."""

    def __init__(self) -> None:
        self._last = ""
        self._since = 0.0

    def over(self, lock: Status, now: float) -> bool:
        if lock.get("manual") or not lock.get("held"):
            return False
        if lock["renewed"] != self._last:
            self._last, self._since = lock["renewed"], now
        lasts = between(lock["renewed"], lock["until"])
        return lasts is not None and now - self._since > lasts


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
    lapse, text, blind = Lapse(), clock.now(), 0.0
    while True:
        now = clock.now()
        try:
            evidence = look()
        except UnreachableError as exc:
            if not blind:
                blind = now
                show(
                    CHANGED,
                    f"cannot see the cluster, and goes on trying: {exc}",
                    {"status": "unseen"},
                )
            if now - blind > BLIND:
                raise
            clock.sleep(interval)
            continue
        if blind:
            blind = 0.0
            show(CHANGED, "sees the cluster again", {})
        story = evidence.story
        if lapse.over(story.lock, now):
            evidence = replace(evidence, story=replace(story, lock={**story.lock, "held": False}))
        status = build(evidence, today())
        if status["verdict"] != IN_PROGRESS and not status["watching"]:
            return status
        sentences = changes(before, status)
        if not sentences and now - text >= EVERY:
            sentences = [ToldStatus(FAR, status["why"])]
        for sentence in sentences:
            text = now
            show(
                sentence.event, sentence.text, {"phase": status["phase"], "status": sentence.status}
            )
        before = status
        clock.sleep(interval)
