# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on now, in sentences, and a record with what its running watch has seen so far. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter
from datetime import datetime, tzinfo

from .._gate.models import SampleStatus, Series
from .._gate.report import numbers
from .._report.times import lasting
from .._status.verdict import names_in, place_of, watch_of
from .._story.record import Phase, Record
from .._time import UTC, parse_time
from .._words import counted, listed
from .models import Body, Service, Sight

NAMED = 6
"""As many services are named."""
GOOD = SampleStatus.GOOD.shown


def doing(
    sight: Sight, plan: t.Sequence[Body], zone: tzinfo, *, undo: bool = False
) -> tuple[str, ...]:
    record = sight.record
    if undo:
        return (going_back(record, zone), *rolling(sight.services))
    if not record.exists:
        return ("The release is starting: no phase is open yet.",)
    known = record.ordered(names_in(plan))
    running = [(name, one) for name, one in known.items() if one.running]
    lines = [_phase(name, phase, plan, record, zone) for name, phase in running[-1:]]
    if not running:
        lines.append(f"Between two phases, by {record.actor or 'somebody'}.")
    lines += rolling(sight.services)
    lines += [
        line
        for name, phase in running[-1:]
        if (state := watch_of(sight.watches, phase, name)) is not None
        for line in watching(state, zone)
    ]
    return tuple(lines)


def going_back(record: Record, zone: tzinfo) -> str:
    asked = record.facts.rollback_asked
    began = parse_time(asked.at)
    since = f" since {moment(began, zone)}" if began else ""
    who = f", by {asked.by}" if asked.by else ""
    why = f": {asked.reason.rstrip('.')}" if asked.reason else ""
    return f"The release is being rolled back{since}{who}{why}."


def _phase(name: str, phase: Phase, plan: t.Sequence[Body], record: Record, zone: tzinfo) -> str:
    minutes = next((one.get("minutes") for one in plan if one["name"] == name), None)
    planned = f", planned {lasting(60 * minutes)}" if minutes else ""
    place = "The rollback" if name == "rollback" else place_of(name, plan)
    began = phase.begun
    since = f" since {moment(began, zone)}" if began else ""
    return f"{place}{since}{planned}, by {record.actor or 'somebody'}."


def rolling(services: t.Mapping[str, Service]) -> t.Iterator[str]:
    """Which versions there are, when several, and which service is not complete."""
    versions = Counter(one.version for one in services.values())
    if len(versions) > 1:
        told = [f"{version} on {count}" for version, count in versions.most_common()]
        yield f"Of {counted(len(services), 'service')}: {', '.join(told)}."
    waiting = {name: one for name, one in services.items() if not one.complete}
    if not waiting:
        return
    named = [f"{name} {one.version} {one.ready}/{one.desired}" for name, one in waiting.items()]
    whole = len(services) - len(waiting)
    yield f"{whole} of {counted(len(services), 'service')} complete. Rolling: {listed(named, NAMED)}."


def watching(state: Body, zone: tzinfo) -> t.Iterator[str]:
    series = _series(state)
    good = [name for name, one in series.items() if one.status.shown == GOOD]
    bad = [name.replace("_", " ") for name in series if name not in good]
    rest = f": not {', '.join(bad)}" if bad else ""
    looked = lasting(state.get("elapsed")) or "0 s"
    yield f"Watched for {looked}: {len(good)} of {counted(len(series), 'metric')} good{rest}."
    if state.get("held") is not None:
        since = datetime.fromtimestamp(state["started"] + state["held"], UTC)
        why = "; ".join(map(str, state.get("held_why") or ()))
        yield f"On hold since {moment(since, zone)}, waiting for a decision. {why}".strip()


def with_watch(sight: Sight) -> dict[str, t.Any]:
    """The record as if its running watch had ended now."""
    phases = dict(sight.body.get("phases") or {})
    for name, phase in sight.record.phases.items():
        state = watch_of(sight.watches, phase, name) if phase.running else None
        if state is not None:
            evidence = {**(phases[name].get("evidence") or {}), "metrics": [*_entries(state)]}
            phases[name] = {**phases[name], "evidence": evidence}
    return {**sight.body, "phases": phases}


def _entries(state: Body) -> t.Iterator[dict[str, t.Any]]:
    asked = state.get("asked") or {}
    for name, series in _series(state).items():
        yield {
            "name": name,
            **asked.get(name, {}),
            **numbers(series),
            "status": series.status.shown,
            "points": [list(point) for point in series.points],
        }


def _series(state: Body) -> dict[str, Series]:
    try:
        return {name: Series.from_json(one) for name, one in state["series"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def moment(value: datetime, zone: tzinfo) -> str:
    return f"{value.astimezone(zone):%H:%M:%S %Z}"
