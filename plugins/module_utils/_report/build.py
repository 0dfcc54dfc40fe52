# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""From a release record, complete or not, to a report. All times come from the record: same record, same report."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

from .._claims.claims import REPORT_LINES, read_claims
from .._claims.models import Claim
from .._time import parse_time
from .._words import listed
from .deviations import deviations
from .events import events_of
from .lessons import lessons_of
from .models import Asked, Cell, MetricsTable, PhaseRow, Report, Table, Tone
from .phases import NOT_RUN, phase_rows
from .reader import LONGEST, Reader, legible, names
from .sections import checks, database, metrics, people, services
from .timeline import timeline_of
from .times import between, shown_both
from .verdict import glance, summary, verdict_of

SECTIONS: t.Mapping[t.Callable[[Reader], Table | None], str] = {
    services.services: "services",
    checks.checks: "tests",
    database.backups: "database",
    database.rehearsals: "database",
    database.migrations: "database",
    database.restores: "database",
    services.functions: "functions",
    services.flags: "flags",
    people.ramp: "flags",
    people.guard: "flags",
    services.images: "services",
    checks.traffic: "",
    people.feedback: "",
    people.decisions: "",
}
"""Each with what it is about. What a release does not have, it does not miss."""
PARTS = {
    "report_services": "services",
    "report_database": "database",
    "report_flags": "flags",
    "report_tests": "tests",
    "report_metrics": "monitoring",
}
"""The same of the claims."""
TABLED = frozenset(
    {"services", "checks", "preflight", "backups", "rehearsals", "migrations", "functions", "flags", "metrics",
     "traffic", "verdict", "reasons", "feedback"}
)  # fmt: skip
"""Evidence of a phase that stands elsewhere in the report."""


NOT_YET = ("not finished", "not run", "not watched")


def build_report(record: t.Mapping[str, t.Any], asked: Asked) -> Report:
    reader = Reader(*(legible(part, LONGEST) for part in (record, asked.pins, asked.versions)))
    phases = phase_rows(reader, asked.plan, TABLED, asked.zone)
    tables, watches = tables_of(reader, asked), metrics.watches(reader)
    missing = missing_of(phases, tables, watches, watched=asked.has("monitoring"))
    strayed, events = deviations(reader, phases), events_of(reader, phases)
    told = tuple(so_far(row, asked.now) for row in phases)
    return Report(
        title=title_of(reader, asked),
        verdict=verdict_of(reader, phases, missing, len(strayed), asked),
        now=state_now(tables),
        claims=claimed(record, asked),
        glance=glance(reader.text("status"), phases, tables, watches, len(strayed), live=asked.live)
        if record
        else (),
        summary=summary(reader, phases, lambda value: shown_both(value, asked.zone)),
        phases=told,
        timeline=timeline_of(told, asked.now or last_known(reader.record), asked.zone, events),
        events=events,
        deviations=strayed,
        tables=(*tables, *asked.journal),
        watches=watches,
        way_back=way_back(reader),
        lessons=lessons_of(phases, tables, watches, strayed),
        zone=asked.zone,
        notes=tuple(names(reader.record.get("notes"))),
        missing=missing,
        problems=tuple(
            dict.fromkeys([*([asked.problem] if asked.problem else []), *reader.problems])
        ),
    )


def so_far(row: PhaseRow, now: datetime | None) -> PhaseRow:
    """A phase without an end took until `now`, where that is given."""
    begun = row.tries[-1].started if row.tries else None
    if row.status != "running" or now is None or begun is None:
        return row
    return replace(row, actual=between(begun.isoformat(), now.isoformat()))


def claimed(record: t.Mapping[str, t.Any], asked: Asked) -> tuple[tuple[str, Cell], ...]:
    """Nothing of a record that is not there."""
    seen = {"record": record, "availability": asked.availability, "flags": asked.flags}
    claims = read_claims(seen, asked.zone)
    lines = [
        (label, claims[name]) for label, name in REPORT_LINES if asked.has(PARTS.get(name, ""))
    ]
    lines.append(("Downtime", claims["downtime"]))
    tones: t.Mapping[bool | None, Tone] = {True: "good", False: "bad", None: "warn"}

    def tone_of(claim: Claim) -> Tone:
        # What a phase that runs has not reached is no bad news.
        waits = asked.live and claim.good is not True and claim.words.endswith(NOT_YET)
        return "calm" if waits else tones[claim.good]

    return tuple(
        (label, Cell(legible(claim.words, LONGEST), tone_of(claim)))
        for label, claim in lines
        if record
    )


def title_of(reader: Reader, asked: Asked) -> str:
    version = reader.text("version")
    if version or not asked.release:
        return f"Release {version}" if version else "A release without a version"
    return f"Release {legible(asked.release, LONGEST)}"


def tables_of(reader: Reader, asked: Asked) -> tuple[Table, ...]:
    wanted = {make: asked.has(part) for make, part in SECTIONS.items()}
    found = [(make(reader), has) for make, has in wanted.items()]
    found += [
        (people.sign_offs(reader, asked.sign_offs), True),
        (people.announcements(reader), asked.announced),
        *((table, True) for table in checks.checklist(reader)),
    ]
    return tuple(table for table, has in found if table is not None and (has or table.rows))


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
    missing += [metrics.NOT_WATCHED] if watched and all(one.fold for one in watches) else []
    return tuple(missing)


def last_known(record: t.Any) -> datetime | None:
    """The last time that the phases of a record tell of: so long at least a run went on that never ended."""
    phases = record.get("phases")
    times = [
        parse_time(phase.get(key))
        for phase in (phases.values() if isinstance(phases, dict) else ())
        if isinstance(phase, dict)
        for key in ("started", "finished")
    ]
    return max((one for one in times if one is not None), default=None)


RETURNING = ("services", "functions", "flags")
"""What a rollback returns, as the sections of a record are called."""


def way_back(reader: Reader) -> tuple[str, ...]:
    """How to undo what the record knows of. A database is restored by people only."""
    version = reader.text("version")
    returning = [name for name in RETURNING if reader.section(name)]
    steps = []
    if "flags" in returning:
        steps.append("Switch the feature off first: it takes effect at once and loses nothing.")
    if returning:
        steps.append(
            f"{listed(returning).capitalize()}: playbooks/rollback.yml returns them to what the record "
            f"release-{version or '<version>'} pinned."
        )
    if reader.section("migrations"):
        steps.append(
            "Migrations only add, so the old code runs on the new schema: leave them in place."
        )
    steps += [
        f"Database {name}, only if data is lost: playbooks/rollback.yml --tags database restores its backup, "
        "of which the checksum is verified first. Writes since the backup are lost."
        for name, _one in reader.entries("backups")
    ]
    return tuple(steps)
