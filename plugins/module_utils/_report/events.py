# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened while a release went on, with its time: failures and holds, what people did, the rollback."""

from __future__ import annotations

import typing as t

from .._release.models import ROLLED_BACK
from .._story.record import ON_HOLD, Act, Record
from .._time import parse_time
from .models import Event, PhaseRow, Tone
from .phases import FAILED

Found = t.Iterator[Event]

SWITCHED = {
    "set": "set the kill switch",
    "reset": "reset the kill switch",
    "lowered": "lowered the percentage by the kill switch",
}
DECIDED = {"approve": "approved", "reject": "rejected"}


def events_of(record: Record, phases: t.Sequence[PhaseRow]) -> tuple[Event, ...]:
    """All of them in the order of time."""
    return tuple(sorted([*stops(phases), *acts(record)], key=lambda one: one.at))


def acts(record: Record) -> Found:
    """What happened besides the phases."""
    facts = record.facts
    for one in facts.overrides:
        said = f"{one.by or 'Somebody'} overrode the {one.name.replace('_', ' ')}"
        yield from timed(one.at, said, one.reason, "warn")
    for one in facts.kill_switches:
        did = SWITCHED.get(one.what, "used the kill switch")
        yield from timed(
            one.name, f"{one.by} {did}", one.reason, "" if one.what == "reset" else "bad"
        )
    for one in facts.decisions:
        did = DECIDED.get(one.decision, "decided")
        yield from timed(one.at, f"{one.by} {did} at {one.gate or one.name}", one.reason)
    for one in facts.ramp:
        who = f" by {one.by}" if one.by else ""
        said = f"Ramp {one.what}{who}, {one.before} % to {one.to} %"
        yield from timed(one.at, said, one.reason, "bad" if one.what == "breached" else "")
    for name, phase in record.phases.items():
        for one in phase.interruptions:
            said = f"{one.by} resumed phase {name}, in which the previous run ended"
            yield from timed(one.at, said, tone="warn")
    asked = facts.rollback_asked
    if asked != Act():
        yield from timed(asked.at, f"{asked.by or 'Somebody'} rolled back", asked.reason, "warn")
    if record.status == ROLLED_BACK:
        yield from timed(record.finished, "The rollback was done", "", "warn")


def stops(phases: t.Sequence[PhaseRow]) -> Found:
    for row in phases:
        for one in row.tries:
            if one.finished and one.status in (FAILED, ON_HOLD):
                tone: Tone = "bad" if one.status == FAILED else "warn"
                cause = f": {one.causes[0]}" if one.causes else ""
                went = "failed" if one.status == FAILED else "went on hold"
                yield Event(one.finished, f"{row.title} {went}{cause}", tone)


def timed(at: t.Any, said: str, why: str = "", tone: Tone = "") -> Found:
    """None without a time."""
    moment = parse_time(at)
    if moment is not None:
        yield Event(moment, f"{said}: {why.rstrip('.')}." if why else f"{said}.", tone)
