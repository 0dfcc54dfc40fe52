# SPDX-License-Identifier: GPL-3.0-or-later
"""A status in lines for people, what changed between two looks at it, and the state of each part after a failure.

The verdict comes first, the next command last, and all is no more than one screen. What could not be read is not known.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

from .._availability.claims import in_short
from .._cluster import Clock
from .._errors import UnreachableError
from .._flags.values import only_flags
from .._formats import MISSING, MOST_NAMES, counted, lasting, listed, shortened, size, versions_told
from .._release.models import ROLLED_BACK, SETTLED, TAKEN_BACK
from .._release.record import Record, between
from .._story.next_step import IN_PROGRESS, Stop, Story, command_of, steps, worded
from .._story.plan import Plan
from .build import HELD, NOT_STARTED, Observed, service_version, shown

Status = t.Mapping[str, t.Any]

LIMIT = 25
WHY = 200
"""Characters; whatever is said after them is advice, and the next commands stand below."""


def lines_of(status: Status, now: datetime) -> list[str]:
    rows = [
        *_release(status, now),
        *_phases(status),
        *_flags(status),
        *_ramp(status),
        *_services(status["services"]),
        *_measured(status, now),
        *_next(status),
    ]
    sentences = [f"  {label:<9} {text}" for label, text in rows]
    return [f"{status['verdict']}: {shortened(status['why'], WHY)}", *sentences][:LIMIT]


Rows = t.Iterator[tuple[str, str]]


def _release(status: Status, now: datetime) -> Rows:
    if status["release"] and status["since"]:
        ended = f", ended {shown(status['finished'], now)}" if status["finished"] else ""
        begun = f"begun {shown(status['since'], now)}{ended}"
        yield (
            "release",
            f"{status['release']}, attempt {status['attempt']} by {status['by']}, {begun}",
        )
    if status["lock"]["held"] or status["freeze"]:
        yield "lock", status["lock"]["sentence"]


def _phases(status: Status) -> Rows:
    """How many are done, and each that is something else."""
    planned = [phase for phase in status["phases"] if phase["number"]]
    done = [entry for entry in planned if entry["status"] in SETTLED]
    odd = [
        f"{phase['title']} {phase['status'].replace('_', ' ')}"
        for phase in status["phases"]
        if phase["status"] not in ("done", NOT_STARTED)
    ]
    if done or odd:
        yield "phases", " · ".join([f"{len(done)} of {len(planned)} done", *odd])


def _flags(status: Status) -> Rows:
    """Switches are counted, those that are off named; whatever is no switch is told with its value."""
    flags: t.Mapping[str, str] = status["flags"]
    if not flags:
        return
    on = [name for name, value in flags.items() if value.lower() == "true"]
    off = [name for name, value in flags.items() if value.lower() == "false"]
    values = [f"{name}={flags[name]}" for name in flags if name not in (*on, *off)]
    sentences = [f"{len(on)} on" if on else "all off"]
    sentences += [f"off: {' '.join(off)}"] if off and on else []
    yield "flags", " · ".join([*values, *sentences])
    if status["kill_switch"] and status["kill_switch"] not in status["why"]:
        yield "", shortened(status["kill_switch"], WHY)


def _ramp(status: Status) -> Rows:
    ramp, guard = status["ramp"], status["guard"]
    if ramp:
        at = "no percentage" if ramp["percentage"] is None else f"{ramp['percentage']} %"
        step = f", step {ramp['step']} of {ramp['steps']}" if ramp["step"] else ""
        yield "ramp", f"{at}{step}"
    if guard:
        sentence = f"SILENT: {guard['silent']}" if guard["silent"] else guard["sentence"]
        yield "guard", shortened(sentence, WHY)


def _services(services: Status) -> Rows:
    there = {name: service for name, service in services.items() if service["exists"]}
    versions = dict.fromkeys(services, MISSING) | {n: s["version"] for n, s in there.items()}
    yield from (("versions", text) for text in versions_told(versions))
    desired = sum(entry["desired"] for entry in there.values())
    available = sum(min(entry["available"], entry["desired"]) for entry in there.values())
    odd = [
        f"{name} {entry['available']}/{entry['desired']}{' paused' if entry['paused'] else ''}"
        for name, entry in there.items()
        if entry["available"] < entry["desired"] or entry["paused"] or not entry["complete"]
    ]
    if there:
        named = f" · {listed(odd, MOST_NAMES)}" if odd else ""
        yield "pods", f"{available}/{desired} available{named}"


def is_whole(service: Status | None) -> bool:
    return bool(service and service["complete"] and service["available"] >= service["desired"])


def pods_of(name: str, service: Status) -> str:
    return f"{name} {service['version']} {service['available']}/{service['desired']}"


def rolling(services: Status) -> str:
    """How many services are complete and which are not, "" where all are."""
    named = [
        pods_of(name, service)
        for name, service in services.items()
        if service["exists"] and not is_whole(service)
    ]
    whole = sum(map(is_whole, services.values()))
    complete = f"{whole} of {counted(len(services), 'service')} complete"
    return f"{complete} · rolling: {listed(named, MOST_NAMES)}" if named else ""


def _measured(status: Status, now: datetime) -> Rows:
    backups, probes = status["backups"], status["availability"]
    if backups:
        text = ", ".join(f"{backup['name']} {size(backup['size'])}" for backup in backups)
        yield "backups", f"{text}, {shown(backups[-1]['finished'], now)}"
    if text := in_short(probes):
        yield "probes", text
    elif probes["reason"]:
        yield "probes", f"not measured: {probes['reason']}"
    if status["page"]:
        yield "page", status["page"]


def _next(status: Status) -> Rows:
    for number, command in enumerate(status["next"]):
        text = ":  ".join(filter(None, (command["why"], command["command"])))
        yield "or" if number else "next", text


Fields = t.Mapping[str, t.Any]


def standing(
    sight: Fields, config_map: str, parts: t.Mapping[str, str], settlement: Fields
) -> dict[str, t.Any]:
    """`sight`: what release_info, and of the deployments rollout return. `parts`: by phase, what it brings.

    Returns `undone`, a sentence, "" without a decision about that, and `now`, a list of lines.
    """
    record = Record.read(sight.get("record"))
    return {
        "undone": _undone(settlement),
        "now": [
            *_rollouts(sight.get("deployments")),
            *(f"{part} {_part(record, phase)}" for phase, part in parts.items()),
            *([f"flags {_flags_now(sight, config_map)}"] if config_map else []),
        ],
    }


def next_words(record: Record, plan: Plan, stop: Stop, switched_off: t.Iterable[str]) -> str:
    """What helps after a phase has failed, "" where there is no record. `switched_off`: phases to begin with."""
    if not record.exists:
        return ""
    story = Story(record=record, plan=plan, switched_off=frozenset(switched_off), stop=stop)
    texts: dict[str, str] = {}
    for step in steps(story):
        texts.setdefault(command_of(step), worded(step))
    return "; or ".join(texts.values())


def _undone(settlement: Fields) -> str:
    if not settlement:
        return ""
    undone: Fields = settlement.get("undone") or {}
    back = [name for name, how in undone.items() if how != "rollback_failed"]
    stuck = [name for name in undone if name not in back]
    stuck += [name for name in settlement.get("not_undone") or () if name not in stuck]
    parts = (
        (back, "went back"),
        (stuck, "did not come back: check it now"),
        (settlement.get("paused"), "is paused"),
    )
    return "; ".join(f"{', '.join(names)} {what}" for names, what in parts if names) or "nothing"


def _rollouts(deployments: t.Sequence[Fields] | None) -> list[str]:
    if deployments is None:
        return ["services not known"]
    known = {str(deployment["name"]): deployment for deployment in deployments}
    versions = {n: service_version(n, entry.get("images") or {}) for n, entry in known.items()}
    sentences = versions_told(versions)
    unsettled = [name for name, entry in known.items() if not entry.get("complete")]
    paused = [name for name, entry in known.items() if entry.get("paused")]
    sentences += [f"not complete: {', '.join(unsettled)}"] if unsettled else []
    sentences += [f"paused: {', '.join(paused)}"] if paused else []
    return [" · ".join(sentences)] if known else []


def _part(record: Record, name: str) -> str:
    """The record is written before the platform is: a phase that it has not got has not begun."""
    phase = record.phase(name)
    if not record.exists:
        return "not known"
    if not phase.status:
        return "not touched"
    if phase.status == ROLLED_BACK:
        return "rolled back"
    if phase.only_rehearsed:
        return "not touched, the rehearsal failed"
    if not phase.done:
        return f"not known for sure, phase {name} is {phase.status.replace('_', ' ')}"
    migrations, functions = phase.evidence.migrations, phase.evidence.functions
    if migrations:
        applied = sum(len(migration.applied) for migration in migrations)
        return f"migrated, {applied} applied" if applied else "migrated, nothing was pending"
    changed = functions and functions.activated
    return "of the release" if changed else "of the release, nothing was to change"


def _flags_now(info: Fields, config_map: str) -> str:
    flags: Fields = info.get("flags") or {}
    if switch := flags.get("kill_switch"):
        return f"held off by the kill switch, set by {switch.get('by')}"
    if not isinstance(info.get("record"), dict):
        return "not known"
    # They are pinned before a release may change them.
    pinned = ((info.get("pins") or {}).get("config_maps") or {}).get(config_map) or {}
    before, now = only_flags(pinned.get("data") or {}), flags.get("values") or {}
    if not pinned:
        return "not touched by the release"
    moved = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
    return f"{len(moved)} set by the release" if moved else "as before the release"


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
