# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release record, complete or not, to a report. All times come from the record: same record, same report."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .._claims.claims import REPORT_LINES, read_claims
from .._claims.rollback import Claim
from .._errors import InputError
from .._formats import LONGEST, legible, listed
from .._redaction import Redactor
from .._release.record import Record, between
from .._story.plan import Plan
from .._time import parse_time
from .deviations import deviations, events_of, lessons_of
from .files import journal_lines
from .journal import read_journal
from .models import Cell, MetricsTable, PhaseRow, Report, ReportOptions, Table, Tone
from .phases import NOT_RUN, glance, phase_rows, summary, verdict_of
from .sections import people, services
from .timeline import timeline_of

RECORD_DEPTH = 20


def asked_of(params: t.Mapping[str, t.Any], record: Record, redact: Redactor) -> ReportOptions:
    """The options as the report wants them, the journal among them."""
    try:
        zone = ZoneInfo(params["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InputError(
            f"time_zone is {params['time_zone']!r}, which this machine does not know: name one like 'Africa/Nairobi', "
            "or install the package tzdata."
        ) from exc
    path = Path(params["journal"]) if params["journal"] else None
    with journal_lines(path) as lines:
        tables = read_journal(
            lines, parse_time(record.started), parse_time(record.finished), redact
        )
    return ReportOptions(
        plan=Plan.read(params["plan"]),
        release=params["release"],
        zone=zone,
        sign_offs=tuple(params["sign_offs"]),
        announced=params["announced"],
        problem=redact(params.get("problem") or ""),
        pins=redact.within(params.get("pins") or {}, RECORD_DEPTH),
        availability=redact.within(params.get("availability") or {}, RECORD_DEPTH),
        flags=redact.within(params.get("flags") or {}, RECORD_DEPTH),
        journal=tables,
    )


PARTS = {
    "report_services": "services",
    "report_database": "database",
    "report_flags": "flags",
    "report_tests": "tests",
    "report_metrics": "monitoring",
}
"""The same of the claims."""
NOT_YET = ("not finished", "not run", "not watched")


def build_report(body: t.Mapping[str, t.Any], requested: ReportOptions) -> Report:
    """From a record as JSON, whose texts are made legible first. What is claimed is that of the record as it is."""
    record = Record.read(legible(body, LONGEST))
    phases = phase_rows(record, requested.plan, requested.zone)
    tables, watches = tables_of(record, requested), people.watches(record)
    missing = missing_of(phases, tables, watches, watched=requested.has("monitoring"))
    strayed, events = deviations(record, phases), events_of(record, phases)
    sentences = tuple(so_far(row, requested.now) for row in phases)
    return Report(
        title=title_of(record, requested),
        verdict=verdict_of(record, phases, missing, len(strayed), requested),
        now=state_now(tables),
        claims=claimed(Record.read(body), requested),
        glance=glance(record.status, phases, tables, watches, len(strayed), live=requested.live)
        if record.exists
        else (),
        summary=summary(record, phases, requested.zone),
        phases=sentences,
        timeline=timeline_of(
            sentences, requested.now or last_known(record), requested.zone, events
        ),
        events=events,
        deviations=strayed,
        tables=(*tables, *requested.journal),
        watches=watches,
        way_back=way_back(record),
        lessons=lessons_of(phases, tables, watches, strayed),
        zone=requested.zone,
        notes=record.notes,
        missing=missing,
        problems=tuple(filter(None, (requested.problem, *record.problems))),
    )


def so_far(row: PhaseRow, now: datetime | None) -> PhaseRow:
    """A phase without an end took until `now`, where that is given."""
    begun = row.tries[-1].started if row.tries else None
    if row.status != "running" or now is None or begun is None:
        return row
    return replace(row, actual=between(begun.isoformat(), now.isoformat()))


def claimed(record: Record, requested: ReportOptions) -> tuple[tuple[str, Cell], ...]:
    """Nothing of a record that is not there."""
    if not record.exists:
        return ()
    claims = read_claims(record, requested.availability, requested.flags, requested.zone)
    lines = [
        (label, claims[name]) for label, name in REPORT_LINES if requested.has(PARTS.get(name, ""))
    ]
    lines.append(("Downtime", claims["downtime"]))
    tones: t.Mapping[bool | None, Tone] = {True: "good", False: "bad", None: "warn"}

    def tone_of(claim: Claim) -> Tone:
        # What a phase that runs has not reached is no bad news.
        waits = requested.live and claim.good is not True and claim.words.endswith(NOT_YET)
        return "calm" if waits else tones[claim.good]

    return tuple(
        (label, Cell(legible(claim.words, LONGEST), tone_of(claim))) for label, claim in lines
    )


def title_of(record: Record, requested: ReportOptions) -> str:
    if record.version or not requested.release:
        return f"Release {record.version}" if record.version else "A release without a version"
    return f"Release {legible(requested.release, LONGEST)}"


def tables_of(record: Record, requested: ReportOptions) -> tuple[Table, ...]:
    """Each with the part of the release that it is about: what a release does not have, it does not miss."""
    pins, versions = legible(requested.pins, LONGEST), legible(requested.versions, LONGEST)
    has = {
        part: requested.has(part)
        for part in ("services", "tests", "database", "functions", "flags")
    }
    results = [
        (services.services(record, pins, versions), has["services"]),
        (services.checks(record), has["tests"]),
        (services.backups(record), has["database"]),
        (services.rehearsals(record), has["database"]),
        (services.migrations(record), has["database"]),
        (services.restores(record), has["database"]),
        (services.functions(record), has["functions"]),
        (services.flags(record), has["flags"]),
        (people.ramp(record), has["flags"]),
        (people.guard(record), has["flags"]),
        (services.images(record), has["services"]),
        (services.traffic(record), True),
        (people.feedback(record), True),
        (people.decisions(record), True),
        (people.sign_offs(record, requested.sign_offs), True),
        (people.announcements(record), requested.announced),
        *((table, True) for table in services.checklist(record)),
    ]
    return tuple(table for table, wanted in results if table is not None and (wanted or table.rows))


def state_now(tables: t.Sequence[Table]) -> tuple[tuple[str, Cell], ...]:
    """What the claims do not say: which version runs where."""
    return tuple(
        ("Versions", Cell(services.versions_now(table)))
        for table in tables
        if table.part == "services" and table.rows
    )


def missing_of(
    phases: t.Sequence[PhaseRow],
    tables: t.Sequence[Table],
    watches: t.Sequence[MetricsTable],
    *,
    watched: bool,
) -> tuple[str, ...]:
    idle = [row.title for row in phases if row.status == NOT_RUN]
    missing = [f"Phases that were not run: {', '.join(idle)}."] if idle else []
    unsigned = [
        row[0].text
        for table in tables
        if table.title == "Sign-offs"
        for row in table.rows
        if row[1].text == "missing"
    ]
    missing += [f"Not signed: {', '.join(unsigned)}."] if unsigned else []
    missing += [table.empty for table in tables if not table.rows and table.empty]
    missing += [people.NOT_WATCHED] if watched and all(watch.fold for watch in watches) else []
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
