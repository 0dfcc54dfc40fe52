# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What happened while a release went on, with its time: failures and holds, what people did, the rollback."""

from __future__ import annotations

import typing as t

from .._time import parse_time
from .models import Event, PhaseRow, Tone
from .phases import FAILED, ON_HOLD
from .reader import Reader, dictionaries, inner, text

Found = t.Iterator[Event]

SWITCHED = {
    "set": "set the kill switch",
    "reset": "reset the kill switch",
    "lowered": "lowered the percentage by the kill switch",
}
DECIDED = {"approve": "approved", "reject": "rejected"}


def events_of(reader: Reader, phases: t.Sequence[PhaseRow]) -> tuple[Event, ...]:
    """All of them in the order of time."""
    return tuple(sorted([*stops(phases), *acts(reader)], key=lambda one: one.at))


def acts(reader: Reader) -> Found:
    """What happened besides the phases."""
    facts = reader.mapping("facts")
    yield from overrides(reader, facts)
    yield from kill_switches(reader, facts)
    yield from decisions(reader, facts)
    yield from ramp(facts)
    yield from interruptions(reader)
    yield from returns(reader, facts)


def stops(phases: t.Sequence[PhaseRow]) -> Found:
    for row in phases:
        for one in row.tries:
            if one.finished and one.status in (FAILED, ON_HOLD):
                tone: Tone = "bad" if one.status == FAILED else "warn"
                cause = f": {one.causes[0]}" if one.causes else ""
                went = "failed" if one.status == FAILED else "went on hold"
                yield Event(one.finished, f"{row.title} {went}{cause}", tone)


def overrides(reader: Reader, facts: t.Mapping[str, t.Any]) -> Found:
    for name, one in reader.named("overrides", facts.get("overrides")):
        said = f"{text(one.get('by')) or 'Somebody'} overrode the {name.replace('_', ' ')}"
        yield from timed(one.get("at"), said, text(one.get("reason")), "warn")


def kill_switches(reader: Reader, facts: t.Mapping[str, t.Any]) -> Found:
    for at, one in reader.named("kill_switches", facts.get("kill_switches")):
        did = SWITCHED.get(text(one.get("what")), "used the kill switch")
        tone: Tone = "" if one.get("what") == "reset" else "bad"
        yield from timed(at, f"{text(one.get('by'))} {did}", text(one.get("reason")), tone)


def decisions(reader: Reader, facts: t.Mapping[str, t.Any]) -> Found:
    for name, one in reader.named("decisions", facts.get("decisions")):
        did = DECIDED.get(text(one.get("decision")), "decided")
        said = f"{text(one.get('by'))} {did} at {text(one.get('gate')) or name}"
        yield from timed(one.get("at"), said, text(one.get("reason")))


def ramp(facts: t.Mapping[str, t.Any]) -> Found:
    for one in dictionaries(inner(facts, "ramp").get("history")):
        tone: Tone = "bad" if one.get("what") == "breached" else ""
        who = f" by {text(one.get('by'))}" if one.get("by") else ""
        said = f"Ramp {text(one.get('what'))}{who}, {text(one.get('from'))} % to {text(one.get('to'))} %"
        yield from timed(one.get("at"), said, text(one.get("reason")), tone)


def interruptions(reader: Reader) -> Found:
    for name, phase in reader.named("phases", reader.mapping("phases")):
        for one in dictionaries(phase.get("interruptions")):
            said = f"{text(one.get('by'))} resumed phase {name}, in which the previous run ended"
            yield from timed(one.get("at"), said, tone="warn")


def returns(reader: Reader, facts: t.Mapping[str, t.Any]) -> Found:
    asked = inner(facts, "rollback_asked")
    if asked:
        said = f"{text(asked.get('by')) or 'Somebody'} rolled back"
        yield from timed(asked.get("at"), said, text(asked.get("reason")), "warn")
    if reader.text("status") == "rolled_back":
        yield from timed(reader.text("finished"), "The rollback was done", "", "warn")


def timed(at: t.Any, said: str, why: str = "", tone: Tone = "") -> Found:
    """None without a time."""
    moment = parse_time(at)
    if moment is not None:
        yield Event(moment, f"{said}: {why.rstrip('.')}." if why else f"{said}.", tone)
