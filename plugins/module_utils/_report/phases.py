# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a record, planned and actual, with every try and its cause; and the verdict on the release.

The verdict is a word and the one sentence that matters. It is never better than its record.
"""

from __future__ import annotations

import typing as t

from .._claims.claims import latest_cause
from .._formats import counted, lasting, shortened, shown_both
from .._release.models import PLANNED, ROLLBACK_PHASE
from .._release.record import ON_HOLD, Evidence, Phase, Record, between
from .._story.next_step import BACK as STATE_BACK
from .._story.next_step import FINE, RESTORE, STOPPED, Story, state_of
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
    status, zone = phase.outcome or NOT_RUN, requested.zone
    until = requested.now if phase.running else None
    waits = (failure.sentence for failure in phase.evidence.failures if failure.held)
    return PhaseRow(
        name=planned.name,
        title=planned.title,
        status=status.replace("_", " "),
        tone=TONES.get(status, tone_of(status)),
        planned=round(planned.seconds),
        started=shown_both(phase.started, zone),
        actual=between(phase.started, until.isoformat()) if until else phase.lasted,
        causes=causes(phase.evidence),
        waits_for=shortened(next(waits, ""), LONGEST),
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
    """What a failed phase keeps: by host, the task and its message. The controller is no host to know of."""
    results = []
    for cause in stored.causes:
        task = cause.task or "a task"
        where = task if cause.name == "localhost" else f"{cause.name} failed in '{task}'"
        results.append(f"{where}: {shortened(cause.sentence, LONGEST)}")
    return tuple(results)


LAST_PHASE = "sign_off"
WHAT_NEXT = "playbooks/status.yml says what comes next."
"""It looks at the platform too, which a report does not."""
SHA_SHOWN = 12
WELL = ("good", "calm")
HALF_DONE = {RESTORE: "restore of the databases", ROLLBACK_PHASE: "rollback"}


def verdict_of(report: Report, record: Record, requested: ReportOptions) -> Summary:
    """Of the state that the status shows too."""
    status, zone, phases = record.status, report.zone, report.phases
    if requested.live and requested.undo:
        return Summary("Rolling back", "warn", "The release is being rolled back.")
    if requested.live:
        done = sum(row.tone in WELL for row in phases)
        return Summary("Running", "calm", f"{done} of {counted(len(phases), 'phase')} are done.")
    if requested.undo and requested.now:
        ended = f"The rollback ended at {shown_both(requested.now, zone)} before it was done."
        return Summary("Interrupted", "bad", f"{ended} {WHAT_NEXT}")
    state = state_of(Story(record, requested.plan))
    if state.phase in HALF_DONE:
        begun = f"The {HALF_DONE[state.phase]} was begun and has not ended."
        return Summary("Interrupted", "bad", f"{begun} {WHAT_NEXT}")
    if state.word == STATE_BACK:
        why = latest_cause(record).sentence(zone).rstrip(".")
        sentence = f"The platform is back at what ran before. Cause: {why}."
        return Summary("Rolled back", "bad", sentence)
    if state.word in (STOPPED, STATE_ON_HOLD) or status == FAILED:
        return stopped([row for row in phases if row.status in (FAILED, ON_HOLD)])
    if not status:
        return Summary("Unknown", "warn", "The record has no status of the release.")
    if status == PLANNED:
        return Summary("Not begun", "calm", "No phase has begun.")
    left = [
        row.title
        for row in phases
        if (row.status in (NOT_RUN, "running") or row.back) and row.name != LAST_PHASE
    ]
    if state.word != FINE:
        return unfinished(phases, left, requested)
    if left:
        return Summary("Incomplete", "warn", f"Closed as done without {', '.join(left)}.")
    took = lasting(between(record.started, record.finished))
    done_in = f"All {len(phases)} phases are done{f' after {took}' if took else ''}"
    count = len(report.deviations)
    strayed = f", with {counted(count, 'deviation')} from the runbook" if count else ""
    lacking = f" What is missing: {report.missing[0]}" if report.missing else ""
    return Summary("Deployed", "good", f"{done_in}{strayed}.{lacking}")


def stopped(failed: t.Sequence[PhaseRow]) -> Summary:
    where = f" in {', '.join(row.title for row in failed)}" if failed else ""
    if failed and all(row.status == ON_HOLD for row in failed):
        sentence = f"The release waits{where} for a decision: {failed[0].waits_for}"
        return Summary("On hold", "warn", sentence)
    why = next((f": {cause}" for row in failed for cause in row.causes), ".")
    return Summary("Failed", "bad", f"The release stopped{where}{why}")


def unfinished(
    phases: t.Sequence[PhaseRow], titles: t.Sequence[str], requested: ReportOptions
) -> Summary:
    running = [row for row in phases if row.status == "running"]
    last = [row.title for row in phases if row.name == LAST_PHASE]
    left = f"Not finished: {', '.join(titles or last or [LAST_PHASE])}."
    if requested.now:
        ended = f"The run ended at {shown_both(requested.now, requested.zone)}"
        if not running:
            return Summary("Not finished", "warn", f"{ended}. {left} {WHAT_NEXT}")
        ended += f" in {running[-1].title} and did not say how."
        return Summary("Interrupted", "bad", f"{ended} {left} {WHAT_NEXT}")
    if running:
        begun = f"{running[-1].title} was begun {running[-1].started}, no end is recorded"
        left = f"{begun}: it runs, or its run died. {left}"
    return Summary("In progress", "warn", left)


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
