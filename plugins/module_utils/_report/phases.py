# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a record, planned and actual, with every try and its cause; and the verdict on the release.

The verdict is a word and the one sentence that matters. It is never better than its record.
"""

from __future__ import annotations

import json
import typing as t

from .._claims.rollback import latest_cause
from .._formats import counted, lasting, shown_both
from .._release.decode import names
from .._release.models import DONE, ROLLED_BACK
from .._release.record import ON_HOLD, Evidence, Phase, Record, between
from .._release.record import Try as RecordedTry
from .._story.next_step import RESTORE, half_done
from .._story.plan import Plan, Planned
from .models import Cell, MetricsTable, PhaseRow, PhaseTry, ReportOptions, Summary, Table, Tone
from .sections.services import BACK, NOT_APPLICABLE, NOT_STARTED

if t.TYPE_CHECKING:
    from datetime import tzinfo


TONES: dict[str, Tone] = {
    "done": "good",
    "waived": "calm",
    "running": "warn",
    "failed": "bad",
    "on hold": "warn",
    "rolled_back": "warn",
    "partly_rolled_back": "warn",
}
NOT_RUN, FAILED = "not run", "failed"
TABLED = frozenset(
    {"services", "checks", "preflight", "backups", "rehearsals", "migrations", "functions", "flags", "metrics",
     "traffic", "verdict", "reasons", "feedback"}
)  # fmt: skip
"""Evidence of a phase that stands elsewhere in the report."""
EVIDENCE_LIMIT = 400


def phase_rows(record: Record, plan: Plan, zone: tzinfo) -> tuple[PhaseRow, ...]:
    """The planned phases in their order, then the unplanned ones."""
    unplanned = [name for name in record.phases if name not in plan.names]
    return tuple(
        phase_row(plan.phase(name), record.phase(name), zone) for name in [*plan.names, *unplanned]
    )


def phase_row(planned: Planned, phase: Phase, zone: tzinfo) -> PhaseRow:
    status = phase.outcome or NOT_RUN
    return PhaseRow(
        name=planned.name,
        title=planned.title,
        status=status.replace("_", " "),
        tone=TONES.get(status, ""),
        planned=round(planned.seconds),
        started=shown_both(phase.started, zone),
        finished=shown_both(phase.finished, zone),
        actual=phase.lasted,
        causes=tuple(causes(phase.evidence)),
        waits_for=next(
            (compact(failure.sentence) for failure in phase.evidence.failures if failure.held), ""
        ),
        evidence=tuple(evidence(phase.evidence)),
        tries=tuple(map(try_of, phase.tries)) if phase.status or phase.started else (),
    )


def try_of(recorded_try: RecordedTry) -> PhaseTry:
    status = recorded_try.outcome or "unknown"
    why = causes(recorded_try.evidence) if status in (FAILED, ON_HOLD) else ()
    return PhaseTry(recorded_try.begun, recorded_try.ended, status.replace("_", " "), tuple(why))


def evidence(stored: Evidence) -> list[str]:
    """Lines as they are; a dictionary as one line for each key that no table of the report shows."""
    result = stored.all
    if isinstance(result, str):
        return [result]
    if isinstance(result, list):
        return names(result)
    if not isinstance(result, dict):
        return []
    apart = {*TABLED, "failures"} if stored.failures else {*TABLED}
    lines = [stored.settlement] if stored.settlement else []
    apart |= {"settlement"} if lines else set()
    answers = {key: entry for key, entry in result.items() if entry not in (None, "", [], {})}
    return lines + [
        f"{key}: {compact(answer)}" for key, answer in answers.items() if key not in apart
    ]


def causes(stored: Evidence) -> t.Iterator[str]:
    """What a failed phase keeps: by host, the task and its message."""
    for cause in stored.causes:
        yield f"{said_by(cause.name, cause.task or 'a task')}{compact(cause.sentence)}"


def said_by(host: str, task: str) -> str:
    """The controller is no host that anybody needs to know of."""
    return f"{task}: " if host == "localhost" else f"{host} failed in '{task}': "


def compact(value: t.Any) -> str:
    short = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return short if len(short) <= EVIDENCE_LIMIT else f"{short[:EVIDENCE_LIMIT]}…"


LAST_PHASE = "sign_off"
WHAT_NEXT = "playbooks/status.yml says what comes next."
"""It looks at the platform too, which a report does not."""
SHA_SHOWN = 12
JUDGED = (("checklist", "Checklist", 1), ("services", "Services", 2), ("tests", "Tests passed", 1))
"""Parts whose rows are counted at a glance: how that is called, and the column of the result."""


def verdict_of(
    record: Record,
    phases: t.Sequence[PhaseRow],
    missing: t.Sequence[str],
    deviations: int,
    requested: ReportOptions,
) -> Summary:
    status, zone = record.status, requested.zone
    failed = [row for row in phases if row.status in (FAILED, ON_HOLD)]
    if status == ROLLED_BACK:
        why = latest_cause(record).sentence(zone).rstrip(".")
        return Summary(
            "Rolled back", "bad", f"The platform is back at what ran before. Cause: {why}."
        )
    if requested.live:
        return going_on(phases, requested)
    if requested.undo and requested.now:
        ended = f"The rollback ended at {shown_both(requested.now, zone)} before it was done."
        return Summary("Interrupted", "bad", f"{ended} {WHAT_NEXT}")
    if way := half_done(record):
        name = "restore of the databases" if way == RESTORE else "rollback"
        return Summary("Interrupted", "bad", f"The {name} was begun and has not ended. {WHAT_NEXT}")
    if failed or status == "failed":
        return stopped(failed)
    unfinished = [
        row.title for row in phases if row.status in (NOT_RUN, "running") and row.name != LAST_PHASE
    ]
    if not status:
        return Summary("Unknown", "warn", "The record has no status of the release.")
    if status != DONE:
        return unfinished_yet(phases, unfinished, requested)
    if unfinished:
        return Summary("Incomplete", "warn", f"Closed as done without {', '.join(unfinished)}.")
    took = lasting(between(record.started, record.finished))
    done = f"All {len(phases)} phases are done{f' after {took}' if took else ''}"
    strayed = f", with {counted(deviations, 'deviation')} from the runbook" if deviations else ""
    lacking = f" What is missing: {missing[0]}" if missing else ""
    return Summary("Deployed", "good", f"{done}{strayed}.{lacking}")


def stopped(failed: t.Sequence[PhaseRow]) -> Summary:
    where = f" in {', '.join(row.title for row in failed)}" if failed else ""
    causes = [cause for row in failed for cause in row.causes]
    why = f": {causes[0]}" if causes else "."
    if failed and all(row.status == ON_HOLD for row in failed):
        return Summary(
            "On hold",
            "warn",
            f"The release waits{where} for a decision: {failed[0].waits_for}",
        )
    return Summary("Failed", "bad", f"The release stopped{where}{why}")


def going_on(phases: t.Sequence[PhaseRow], requested: ReportOptions) -> Summary:
    if requested.undo:
        return Summary("Rolling back", "warn", "The release is being rolled back.")
    done = sum(1 for row in phases if row.tone in ("good", "calm"))
    return Summary("Running", "calm", f"{done} of {counted(len(phases), 'phase')} are done.")


def unfinished_yet(
    phases: t.Sequence[PhaseRow], unfinished: t.Sequence[str], requested: ReportOptions
) -> Summary:
    running = [row for row in phases if row.status == "running"]
    last = [row.title for row in phases if row.name == LAST_PHASE]
    left = f"Not finished: {', '.join(unfinished or last or [LAST_PHASE])}."
    if requested.now:
        ended = f"The run ended at {shown_both(requested.now, requested.zone)}"
        if not running:
            return Summary("Not finished", "warn", f"{ended}. {left} {WHAT_NEXT}")
        return Summary(
            "Interrupted",
            "bad",
            f"{ended} in {running[-1].title} and did not say how. {left} {WHAT_NEXT}",
        )
    if running:
        begun = f"{running[-1].title} was begun {running[-1].started}, no end is recorded"
        left = f"{begun}: it runs, or its run died. {left}"
    return Summary("In progress", "warn", left)


def glance(
    status: str,
    phases: t.Sequence[PhaseRow],
    tables: t.Sequence[Table],
    watches: t.Sequence[MetricsTable],
    deviations: int,
    *,
    live: bool = False,
) -> tuple[tuple[str, Cell], ...]:
    """A number for each part, for a reader in a hurry."""
    back = status == ROLLED_BACK
    done = sum(1 for row in phases if row.tone in ("good", "calm"))
    taken_back = sum(1 for row in phases if row.back)
    results = [
        ("Phases taken back", Cell(str(taken_back)))
        if back
        else ("Phases done", Cell(f"{done} of {len(phases)}") if live else of(done, len(phases)))
    ]
    for part, name, column in JUDGED:
        rows = [row for table in tables if table.part == part for row in table.rows]
        applies = [row[column] for row in rows if row[column].text != NOT_APPLICABLE]
        if back and part == "services":
            returned = sum(1 for cell in applies if cell.text in (BACK, NOT_STARTED))
            results.append(("Services as before", of(returned, len(applies))))
        elif applies:
            good = sum(1 for cell in applies if cell.tone == "good")
            results.append((name, of(good, len(applies))))
    metrics = [metric for watch in watches if not watch.fold for metric in watch.metrics]
    if metrics:
        results.append(
            (
                "Metrics good",
                of(
                    sum(1 for metric in metrics if metric.verdict.tone in ("good", "calm")),
                    len(metrics),
                ),
            )
        )
    for backups in [table.rows for table in tables if table.title == "Backups"]:
        results.append(("Backups", Cell(str(len(backups)), "good" if backups else "warn")))
    tries = sum(1 for row in phases for try_ in row.tries if try_.status in (FAILED, ON_HOLD))
    results.append(("Failed tries", Cell(str(tries), "warn" if tries else "good")))
    results.append(("Deviations", Cell(str(deviations), "warn" if deviations else "good")))
    return tuple(results)


def of(good: int, total: int) -> Cell:
    return Cell(f"{good} of {total}", "good" if good == total and total else "warn")


def summary(
    record: Record, phases: t.Sequence[PhaseRow], zone: tzinfo
) -> tuple[tuple[str, Cell], ...]:
    took = lasting(between(record.started, record.finished))
    planned = lasting(sum(row.planned for row in phases))
    rows = [
        ("Version", Cell(record.version)),
        ("Commit", Cell(record.git_sha[:SHA_SHOWN], code=True)),
        ("Released by", Cell(record.actor)),
        ("Attempt", Cell(str(record.attempt or ""))),
        ("Started", Cell(shown_both(record.started, zone))),
        ("Finished", Cell(shown_both(record.finished, zone))),
        ("Duration", Cell(f"{took} (planned {planned})" if took else "")),
    ]
    return tuple((name, cell) for name, cell in rows if cell.text)
