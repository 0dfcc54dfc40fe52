# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release record, complete or not, to a report. All times come from the record: same record, same report.

Its verdict is a word and the one sentence that matters. It is never better than the record.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._claims.claims import REPORT_LINES, read_claims
from .._formats import LONGEST, NOT_KNOWN, counted, lasting, legible, shortened, versions_told
from .._redaction import Redactor
from .._release.models import SETTLED
from .._release.record import Record, between
from .._status.build import whole, why_in
from .._story import next_step
from .._story.plan import Plan
from .._time import zone_of
from . import sections
from .deviations import deviations, events_of, lessons_of
from .models import Cell, Named, PhaseRow, Report, ReportOptions, Summary, Table, Tone
from .phases import CAUSE, NOT_RUN, phase_rows

RECORD_DEPTH = 20
LOOKED_AT = ("pins", "availability", "flags")
"""What stands beside a record, by the names of the options."""


def asked_of(params: t.Mapping[str, t.Any], redact: Redactor) -> ReportOptions:
    """The options as the report wants them."""
    return ReportOptions(
        plan=Plan.read(params["plan"]),
        release=params["release"],
        zone=zone_of(params["time_zone"], "time_zone"),
        sign_offs=tuple(params["sign_offs"]),
        procedure=params["procedure"],
        announced=params["announced"],
        problem=redact(params.get("problem") or ""),
        **{name: redact.within(params.get(name) or {}, RECORD_DEPTH) for name in LOOKED_AT},
    )


NOT_YET = ("not finished", "not run", "not watched")
TONES: t.Mapping[bool | None, Tone] = {True: "good", False: "bad", None: "warn"}


def build_report(body: t.Mapping[str, t.Any], requested: ReportOptions) -> Report:
    """From a record as JSON, whose texts are made legible first. What is claimed is that of the record as it is."""
    record = Record.read(legible(body, LONGEST))
    phases, tables = phase_rows(record, requested), tables_of(record, requested)
    rolled = (row for table in tables if table.part == "services" for row in table.rows)
    running = {row[0].text: row[4].text or NOT_KNOWN for row in rolled}
    # What the claims do not say: which version runs where.
    versions = [("Versions", Cell(" · ".join(versions_told(running))))] if running else []
    version = record.version or legible(requested.release, LONGEST)
    report = Report(
        title=f"Release {version}" if version else "A release without a version",
        claims=(*versions, *claimed(Record.read(body), requested)),
        summary=summary(record, phases),
        phases=phases,
        events=events_of(record, phases),
        deviations=deviations(record, phases),
        tables=tables,
        notes=record.notes,
        zone=requested.zone,
        problems=tuple(filter(None, (requested.problem, *record.problems))),
        procedure=requested.procedure,
    )
    report = replace(report, missing=missing_of(report, record, requested))
    return replace(
        report,
        verdict=verdict_of(report, record, requested),
        lessons=lessons_of(report),
    )


def claimed(record: Record, requested: ReportOptions) -> Named:
    """Nothing of a record that is not there."""
    if not record.exists:
        return ()
    claims = read_claims(record, requested.availability, requested.flags, requested.zone)
    results = []
    lines = [*REPORT_LINES, ("Downtime", "downtime", "")]
    if record.facts.rollback_verified:
        lines.append(("After the rollback", "verified", ""))
    for label, name, part in lines:
        claim = claims[name]
        # What a phase that runs has not reached is no bad news.
        waits = requested.live and claim.good is not True and claim.words.endswith(NOT_YET)
        if requested.has(part):
            tone = "calm" if waits else TONES[claim.good]
            results.append((label, Cell(legible(claim.words, LONGEST), tone)))
    return tuple(results)


def tables_of(record: Record, requested: ReportOptions) -> tuple[Table, ...]:
    """Each with the part of the release that it is about: what a release does not have, it does not miss."""
    pins, versions = legible(requested.pins, LONGEST), legible(requested.versions, LONGEST)
    results = [
        ("services", sections.services(record, pins, versions)),
        ("monitoring", sections.watch(record)),
        ("tests", sections.checks(record)),
        ("", sections.rollback(record)),
        ("database", sections.backups(record)),
        ("", sections.rehearsals(record)),
        ("database", sections.migrations(record)),
        ("functions", sections.functions(record)),
        ("flags", sections.flags(record)),
        *(("", table) for table in sections.other_watches(record)),
        ("", sections.images(record)),
        ("", sections.feedback(record)),
        ("", sections.sign_offs(record, requested.sign_offs)),
        *(("", table) for table in sections.checklist(record)),
    ]
    return tuple(
        table
        for part, table in results
        if table.rows or ((table.empty or table.lead) and requested.has(part))
    )


def missing_of(report: Report, record: Record, requested: ReportOptions) -> tuple[str, ...]:
    idle = [row.title for row in report.phases if row.status == NOT_RUN]
    missing = [f"Phases that were not run: {', '.join(idle)}."] if idle else []
    unsigned = sections.unsigned(record, requested.sign_offs)
    missing += [f"Not signed: {', '.join(unsigned)}."] if unsigned else []
    missing += [table.empty for table in report.tables if not table.rows and table.empty]
    if requested.announced and not record.section("announcements"):
        missing.append("No announcement is recorded.")
    return tuple(missing)


LAST_PHASE = "sign_off"
SHA_SHOWN = 12
STATE_TONES: t.Mapping[str, Tone] = {
    next_step.FINE: "good",
    next_step.NONE: "warn",
    next_step.ON_HOLD: "warn",
    next_step.UNFINISHED: "warn",
}


def verdict_of(report: Report, record: Record, requested: ReportOptions) -> Summary:
    """Of the state that the status shows too, in its words, but for a release that is done."""
    if requested.live and requested.undo:
        return Summary("Rolling back", "warn", "The release is being rolled back.")
    if requested.live:
        done = sum(row.status in SETTLED for row in report.phases)
        counts = f"{done} of {counted(len(report.phases), 'phase')} are done."
        return Summary("Running", "calm", counts)
    story = next_step.Story(record, requested.plan)
    state, left = next_step.state_of(story), {*story.left} - {LAST_PHASE}
    why = whole(why_in(story, state, report.zone))
    if state.word != next_step.FINE:
        if (
            state.word == next_step.INTERRUPTED
            and state.phase in record.phases
            and not requested.now
        ):
            # It may run: nobody has looked at the lock.
            return Summary("In progress", "warn", why)
        tone = STATE_TONES.get(state.word, "bad")
        return Summary(state.word.capitalize(), tone, shortened(why, CAUSE))
    if left:
        titles = ", ".join(row.title for row in report.phases if row.name in left)
        return Summary("Incomplete", "warn", f"Closed as done without {titles}.")
    count = len(report.deviations)
    strayed = f", with {counted(count, 'deviation')} from {report.procedure}" if count else ""
    lacking = f" What is missing: {report.missing[0]}" if report.missing else ""
    return Summary("Deployed", "good", f"{why.rstrip('.')}{strayed}.{lacking}")


def summary(record: Record, phases: t.Sequence[PhaseRow]) -> Named:
    """What neither the title nor the timeline has."""
    took = lasting(between(record.started, record.finished))
    planned = lasting(sum(row.planned for row in phases))
    rows = [
        ("Commit", Cell(record.git_sha[:SHA_SHOWN], code=True)),
        ("Begun by", Cell(record.actor)),
        ("Attempt", Cell(str(record.attempt or ""))),
        ("Duration", Cell(f"{took} (planned {planned})" if took else "")),
    ]
    return tuple((name, cell) for name, cell in rows if cell.text)
