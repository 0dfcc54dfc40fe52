# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a record, planned and actual, with every try and its cause."""

from __future__ import annotations

import typing as t

from .._formats import counted, lasting, shortened
from .._release.record import ON_HOLD, Evidence, Phase, Record, between
from .._story.plan import Planned
from .models import PhaseRow, PhaseTry, ReportOptions, tone_of

NOT_RUN, FAILED = "not run", "failed"
CAUSE = 400
"""Characters of a cause, or of a text that a phase left."""


def phase_rows(record: Record, requested: ReportOptions) -> tuple[PhaseRow, ...]:
    """The planned phases in their order, then the unplanned ones."""
    plan = requested.plan
    every = dict.fromkeys([*plan.names, *record.phases])
    return tuple(phase_row(plan.phase(name), record.phase(name), requested) for name in every)


def phase_row(planned: Planned, phase: Phase, requested: ReportOptions) -> PhaseRow:
    """A phase without an end took until `now`, where that is given."""
    status = phase.outcome or NOT_RUN
    until = requested.now if phase.running else None
    return PhaseRow(
        name=planned.name,
        title=planned.title,
        status=status.replace("_", " "),
        tone="" if status == NOT_RUN else tone_of(status),
        planned=round(planned.seconds),
        actual=between(phase.started, until.isoformat()) if until else phase.lasted,
        causes=causes(phase.evidence),
        evidence=tuple(evidence(phase.evidence)),
        tries=tuple(
            PhaseTry(
                entry.begun,
                entry.ended,
                entry.outcome.replace("_", " ") or "unknown",
                causes(entry.evidence) if entry.outcome in (FAILED, ON_HOLD) else (),
            )
            for entry in (phase.tries if phase.status or phase.started else ())
        ),
    )


def took_words(row: PhaseRow) -> str:
    """For example "24 min of 15 min planned, 60 % late, 2 tries"."""
    took = lasting(row.actual) or ("no end recorded" if row.tries else "")
    if row.back and row.actual:
        took = f"in place for {took}"
    parts = [took]
    if row.planned:
        of = ", " if row.back else " of "
        parts[0] += f"{of if took else ''}{lasting(row.planned)} planned"
    if row.late:
        parts.append(f"{row.over} late")
    if len(row.tries) > 1:
        parts.append(counted(len(row.tries), "try", "tries"))
    return ", ".join(parts)


def evidence(stored: Evidence) -> t.Iterator[str]:
    """The texts that it left. Numbers, lists and dictionaries stand in tables, and whole in report.json."""
    if stored.settlement:
        yield stored.settlement
    for key, value in (stored.all if isinstance(stored.all, dict) else {}).items():
        if isinstance(value, str) and value and key != "verdict":
            yield f"{key}: {shortened(value, CAUSE)}"


def causes(stored: Evidence) -> tuple[str, ...]:
    return tuple(shortened(cause.told, CAUSE) for cause in stored.causes)
