# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a record, planned and actual, with every try and its cause; and the verdict on the release.

The verdict is a word and the one sentence that matters. It is never better than its record.
"""

from __future__ import annotations

import typing as t

from .._formats import counted, lasting, shortened
from .._release.record import ON_HOLD, Evidence, Phase, Record, between
from .._status.build import whole, why_in
from .._story.next_step import FINE, INTERRUPTED, NONE, UNFINISHED, Story, state_of
from .._story.next_step import ON_HOLD as STATE_ON_HOLD
from .._story.plan import Planned
from .models import Cell, Named, PhaseRow, PhaseTry, Report, ReportOptions, Summary, Tone, tone_of

NOT_RUN, FAILED = "not run", "failed"
TONES: t.Mapping[str, Tone] = {NOT_RUN: "", "waived": "calm"}
"""Of a phase, where that is another than of its word."""
LONGEST = 400
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
        tone=TONES.get(status, tone_of(status)),
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
            yield f"{key}: {shortened(value, LONGEST)}"


def causes(stored: Evidence) -> tuple[str, ...]:
    return tuple(shortened(cause.told, LONGEST) for cause in stored.causes)


LAST_PHASE = "sign_off"
SHA_SHOWN = 12
WELL = ("good", "calm")
STATE_TONES: t.Mapping[str, Tone] = {
    FINE: "good",
    NONE: "warn",
    STATE_ON_HOLD: "warn",
    UNFINISHED: "warn",
}


def verdict_of(report: Report, record: Record, requested: ReportOptions) -> Summary:
    """Of the state that the status shows too, in its words, but for a release that is done."""
    if requested.live and requested.undo:
        return Summary("Rolling back", "warn", "The release is being rolled back.")
    if requested.live:
        done = sum(row.tone in WELL for row in report.phases)
        counts = f"{done} of {counted(len(report.phases), 'phase')} are done."
        return Summary("Running", "calm", counts)
    story = Story(record, requested.plan)
    state, left = state_of(story), {*story.left} - {LAST_PHASE}
    why = whole(why_in(story, state, report.zone))
    if state.word != FINE:
        if state.word == INTERRUPTED and state.phase in record.phases and not requested.now:
            # It may run: nobody has looked at the lock.
            return Summary("In progress", "warn", why)
        tone = STATE_TONES.get(state.word, "bad")
        return Summary(state.word.capitalize(), tone, shortened(why, LONGEST))
    if left:
        titles = ", ".join(row.title for row in report.phases if row.name in left)
        return Summary("Incomplete", "warn", f"Closed as done without {titles}.")
    count = len(report.deviations)
    strayed = f", with {counted(count, 'deviation')} from the runbook" if count else ""
    lacking = f" What is missing: {report.missing[0]}" if report.missing else ""
    return Summary("Deployed", "good", f"{why.rstrip('.')}{strayed}.{lacking}")


def summary(record: Record, phases: t.Sequence[PhaseRow]) -> Named:
    """What neither the title nor the timeline has."""
    took = lasting(between(record.started, record.finished))
    planned = lasting(sum(row.planned for row in phases))
    rows = [
        ("Commit", Cell(record.git_sha[:SHA_SHOWN], code=True)),
        ("Released by", Cell(record.actor)),
        ("Attempt", Cell(str(record.attempt or ""))),
        ("Duration", Cell(f"{took} (planned {planned})" if took else "")),
    ]
    return tuple((name, cell) for name, cell in rows if cell.text)
