# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release record, complete or not, to a report. All times come from the record: same record, same report."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from .._claims.claims import REPORT_LINES, read_claims
from .._errors import InputError
from .._formats import LONGEST, NOT_KNOWN, legible, listed, versions_told
from .._redaction import Redactor
from .._release.record import Record
from .._story.plan import Plan
from .._time import parse_time, zone_of
from .deviations import deviations, events_of, lessons_of
from .journal import read_journal
from .models import Cell, Named, Report, ReportOptions, Table, Tone
from .phases import NOT_RUN, glance, phase_rows, summary, verdict_of
from .sections import people, services
from .timeline import timeline_of

RECORD_DEPTH = 20
LOOKED_AT = ("pins", "availability", "flags")
"""What stands beside a record, by the names of the options."""


def asked_of(params: t.Mapping[str, t.Any], record: Record, redact: Redactor) -> ReportOptions:
    """The options as the report wants them, the journal among them."""
    zone = zone_of(params["time_zone"], "time_zone")
    # Nothing depends on a journal, and a large one is read line by line.
    path = Path(params["journal"] or os.devnull)
    there = path if path.is_file() else Path(os.devnull)
    try:
        with there.open(encoding="utf-8", errors="replace") as lines:
            begun, ended = parse_time(record.started), parse_time(record.finished)
            journal = read_journal(lines, begun, ended, redact)
    except OSError as exc:
        raise InputError(f"The journal {path} can't be read: {exc.strerror}.") from exc
    return ReportOptions(
        plan=Plan.read(params["plan"]),
        release=params["release"],
        zone=zone,
        sign_offs=tuple(params["sign_offs"]),
        announced=params["announced"],
        problem=redact(params.get("problem") or ""),
        journal=journal,
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
    version = record.version or legible(requested.release, LONGEST)
    report = Report(
        title=f"Release {version}" if version else "A release without a version",
        # What the claims do not say: which version runs where.
        now=(("Versions", Cell(" · ".join(versions_told(running)))),) if running else (),
        claims=claimed(Record.read(body), requested),
        summary=summary(record, phases, requested.zone),
        phases=phases,
        events=events_of(record, phases),
        deviations=deviations(record, phases),
        tables=tables,
        watches=people.watches(record),
        way_back=way_back(record),
        notes=record.notes,
        zone=requested.zone,
        problems=tuple(filter(None, (requested.problem, *record.problems))),
    )
    report = replace(report, missing=missing_of(report, requested))
    return replace(
        report,
        verdict=verdict_of(report, record, requested),
        glance=glance(report, record, live=requested.live),
        timeline=timeline_of(report, requested.now or last_known(record)),
        lessons=lessons_of(report),
        tables=(*tables, *requested.journal),
    )


def claimed(record: Record, requested: ReportOptions) -> Named:
    """Nothing of a record that is not there."""
    if not record.exists:
        return ()
    claims = read_claims(record, requested.availability, requested.flags, requested.zone)
    results = []
    for label, name, part in (*REPORT_LINES, ("Downtime", "downtime", "")):
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
        ("services", services.services(record, pins, versions)),
        ("tests", services.checks(record)),
        ("database", services.backups(record)),
        ("", services.rehearsals(record)),
        ("database", services.migrations(record)),
        ("", services.restores(record)),
        ("functions", services.functions(record)),
        ("flags", services.flags(record)),
        ("", people.ramp(record)),
        ("", people.guard(record)),
        ("", services.images(record)),
        ("", people.feedback(record)),
        ("", people.decisions(record)),
        ("", people.sign_offs(record, requested.sign_offs)),
        ("", people.announcements(record, missed=requested.announced)),
        *(("", table) for table in services.checklist(record)),
    ]
    return tuple(
        table
        for part, table in results
        if table.rows or ((table.empty or table.lead) and requested.has(part))
    )


def missing_of(report: Report, requested: ReportOptions) -> tuple[str, ...]:
    idle = [row.title for row in report.phases if row.status == NOT_RUN]
    missing = [f"Phases that were not run: {', '.join(idle)}."] if idle else []
    unsigned = [
        row[0].text
        for table in report.tables
        if table.title == "Sign-offs"
        for row in table.rows
        if row[1].text == "missing"
    ]
    missing += [f"Not signed: {', '.join(unsigned)}."] if unsigned else []
    missing += [table.empty for table in report.tables if not table.rows and table.empty]
    watched = any(not watch.fold for watch in report.watches)
    missing += [people.NOT_WATCHED] if requested.has("monitoring") and not watched else []
    return tuple(missing)


def last_known(record: Record) -> datetime | None:
    """The last time that the phases of a record tell of: so long at least a run went on that never ended."""
    times = (time for phase in record.phases.values() for time in (phase.begun, phase.ended))
    return max((entry for entry in times if entry is not None), default=None)


RETURNING = ("services", "functions", "flags")
"""What a rollback returns, as the sections of a record are called."""


def way_back(record: Record) -> tuple[str, ...]:
    """How to undo what the record knows of. A database is restored by people only."""
    returning = [name for name in RETURNING if record.section(name)]
    steps = []
    if "flags" in returning:
        steps.append("Switch the feature off first: it takes effect at once and loses nothing.")
    if returning:
        steps.append(
            f"{listed(returning).capitalize()}: playbooks/rollback.yml returns them to what the record "
            f"release-{record.version or '<version>'} pinned."
        )
    if record.section("migrations"):
        steps.append(
            "Migrations only add, so the old code runs on the new schema: leave them in place."
        )
    steps += [
        f"Database {backup.name}, only if data is lost: playbooks/rollback.yml --tags database restores its backup, "
        "of which the checksum is verified first. Writes since the backup are lost."
        for backup in record.section("backups")
    ]
    return tuple(steps)
