# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a release went back, from its record: the causes in the order of time, each with who and when. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, tzinfo

from .._story.record import Record
from .._time import UTC, parse_time

BREACHED = "breached"
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Cause:
    """`at` is RFC 3339, "" when the record does not tell. `who` is "" for the release's own rules."""

    what: str
    at: str = ""
    who: str = ""

    def sentence(self, zone: tzinfo = UTC) -> str:
        moment = parse_time(self.at)
        when = f"{moment.astimezone(zone):%H:%M}" if moment else ""
        told = ", ".join(one for one in (self.who, when) if one)
        return f"{self.what.rstrip('.')} ({told})" if told else self.what


def causes_of(record: Record) -> list[Cause]:
    """The newest last. A failed try whose phase was done afterwards is none."""
    found = dict.fromkeys([*_failures(record), *_acts(record)])
    return sorted(found, key=lambda one: parse_time(one.at) or EARLIEST)


def latest_cause(record: Record) -> Cause:
    causes = causes_of(record)
    return causes[-1] if causes else Cause("no reason was given")


def _failures(record: Record) -> t.Iterator[Cause]:
    for phase in record.phases.values():
        for one in phase.tries if phase.failed else ():
            for failure in one.evidence.failures:
                where = "" if failure.name == "localhost" else f"{failure.name}: "
                yield Cause(f"{where}{failure.message or 'it failed'}", one.finished)


def _acts(record: Record) -> t.Iterator[Cause]:
    facts = record.facts
    for switch in facts.kill_switches:
        if switch.what in ("", "set"):
            yield Cause(f"kill switch: {switch.reason}", switch.name, switch.by)
    for decision in facts.decisions:
        if decision.decision == "reject":
            yield Cause(f"rejected: {decision.reason}", decision.at, decision.by)
    for step in facts.ramp:
        if step.what == BREACHED:
            why = f": {step.reason}" if step.reason else ""
            yield Cause(f"the ramp's metrics were in breach{why}", step.at)
    asked = facts.rollback_asked
    if asked.reason:
        yield Cause(asked.reason, asked.at, asked.by)
