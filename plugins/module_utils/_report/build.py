# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""From a release record, complete or not, to a report. All times come from the record: same record, same report."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._report.models import (
    Cell,
    PhaseRow,
    Planned,
    Reader,
    Report,
    Tone,
    Verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.sections import SECTIONS, names
from ansible_collections.easymo.deploy.plugins.module_utils._report.times import (
    between,
    lasting,
    shown,
)

TONES: dict[str, Tone] = {
    "done": "good",
    "waived": "calm",
    "running": "warn",
    "failed": "bad",
    "rolled_back": "warn",
}
NOT_RUN = "not run"
LAST_PHASE = "sign_off"
EVIDENCE_LIMIT = 400


def build_report(record: t.Mapping[str, t.Any], plan: t.Sequence[Planned]) -> Report:
    reader = Reader(record)
    phases = phase_rows(reader, plan)
    tables = tuple(table for make in SECTIONS if (table := make(reader)) is not None)
    idle = [row.name for row in phases if row.status == NOT_RUN]
    missing = [f"Phases that were not run: {', '.join(idle)}."] if idle else []
    missing += [table.empty for table in tables if not table.rows]
    version = reader.text("version")
    notes = record.get("notes")
    return Report(
        title=f"Release {version}" if version else "A release without a version",
        verdict=verdict_of(reader, phases, missing),
        summary=summary(reader, phases),
        phases=phases,
        tables=tables,
        way_back=way_back(reader, version),
        notes=tuple(names(notes)),
        missing=tuple(missing),
        problems=tuple(dict.fromkeys(reader.problems)),
    )


def phase_rows(reader: Reader, plan: t.Sequence[Planned]) -> tuple[PhaseRow, ...]:
    """The planned phases in their order, then those that nobody planned, such as a rollback."""
    recorded = reader.mapping("phases")
    minutes = {planned.name: planned.minutes for planned in plan}
    rows = []
    for name in [*minutes, *(name for name in recorded if name not in minutes)]:
        known = recorded.get(name)
        if known is not None and not isinstance(known, dict):
            reader.problems.append(f"Phase '{name}' is no dictionary.")
        phase = known if isinstance(known, dict) else {}
        status = str(phase.get("status") or NOT_RUN)
        rows.append(
            PhaseRow(
                name=name,
                status=status.replace("_", " "),
                tone=TONES.get(status, ""),
                planned=minutes.get(name, 0) * 60,
                started=shown(phase.get("started")),
                finished=shown(phase.get("finished")),
                actual=between(phase.get("started"), phase.get("finished")),
                evidence=(
                    *evidence(phase.get("evidence")),
                    *earlier(phase.get("earlier_failures")),
                ),
            )
        )
    return tuple(rows)


def evidence(found: t.Any) -> tuple[str, ...]:
    """Lines as they are; a dictionary as one line for each key that no table of the report shows."""
    if isinstance(found, str):
        return (found,)
    if isinstance(found, list):
        return tuple(names(found))
    if not isinstance(found, dict):
        return ()
    tabled = {make.__name__ for make in SECTIONS}
    lines = failures(found)
    apart = tabled | ({"failures"} if lines else set())
    lines += [f"{key}: {compact(value)}" for key, value in found.items() if key not in apart]
    return tuple(lines)


def failures(found: t.Any) -> list[str]:
    """What a failed phase keeps: by host, the task and its message."""
    by_host = found.get("failures") if isinstance(found, dict) else None
    if not isinstance(by_host, dict):
        return []
    return [
        f"{host} failed in '{one.get('task', 'a task')}': {compact(one.get('message', 'no message'))}"
        for host, one in by_host.items()
        if isinstance(one, dict)
    ]


def earlier(found: t.Any) -> list[str]:
    """What a phase keeps of the tries that failed before."""
    return [
        f"Failed before, {shown(one.get('finished')) or 'at an unknown time'}: {line}"
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict)
        for line in failures(one.get("evidence")) or ["without a cause"]
    ]


def compact(value: t.Any) -> str:
    shown_value = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    )
    return shown_value if len(shown_value) <= EVIDENCE_LIMIT else f"{shown_value[:EVIDENCE_LIMIT]}…"


def verdict_of(reader: Reader, phases: tuple[PhaseRow, ...], missing: list[str]) -> Verdict:
    status = reader.text("status")
    failed = [row.name for row in phases if row.status == "failed"]
    unfinished = [
        row.name for row in phases if row.status in (NOT_RUN, "running") and row.name != LAST_PHASE
    ]
    if status == "rolled_back":
        return Verdict("Rolled back", "bad", "The platform is back at what ran before.")
    if failed or status == "failed":
        where = f" in {', '.join(failed)}" if failed else ""
        causes = [line for row in phases if row.status == "failed" for line in row.evidence]
        cause = f": {causes[0]}" if causes else "."
        return Verdict("Failed", "bad", f"The release stopped{where}{cause}")
    if not status:
        return Verdict("Unknown", "warn", "The record does not say how the release stands.")
    if status != "done":
        return Verdict(
            "In progress", "warn", f"Not finished: {', '.join(unfinished) or LAST_PHASE}."
        )
    if unfinished:
        return Verdict("Incomplete", "warn", f"Closed as done without {', '.join(unfinished)}.")
    if missing:
        return Verdict(
            "Deployed", "good", "All phases are done. Some evidence is missing, see below."
        )
    return Verdict("Deployed", "good", "All phases are done, with evidence for each part.")


def summary(reader: Reader, phases: tuple[PhaseRow, ...]) -> tuple[tuple[str, Cell], ...]:
    started, finished = reader.text("started"), reader.text("finished")
    planned = sum(row.planned for row in phases)
    took = lasting(between(started, finished))
    rows = [
        ("Version", Cell(reader.text("version"))),
        ("Commit", Cell(reader.text("git_sha"), code=True)),
        ("Released by", Cell(reader.text("actor"))),
        ("Attempt", Cell(reader.text("attempt"))),
        ("Started", Cell(shown(started))),
        ("Finished", Cell(shown(finished))),
        ("Duration", Cell(f"{took} (planned {lasting(planned)})" if took else "")),
    ]
    return tuple((name, cell) for name, cell in rows if cell.text)


def way_back(reader: Reader, version: str) -> tuple[str, ...]:
    """How to undo it, from what the record knows. A database is restored by people only."""
    steps = [
        "Switch the feature off first: it takes effect at once and loses nothing.",
        f"Services, functions and flags: playbooks/rollback.yml returns them to what the record "
        f"release-{version or '<version>'} pinned.",
        "Migrations only add, so the code from before runs on the new schema: leave them in place.",
    ]
    steps += [
        f"Database {name}, only if data is lost: verify SHA-256 {one.get('sha256', 'unknown')}, "
        f"then restore {one.get('uri', 'unknown')} with pg_restore. Writes since the backup are lost."
        for name, one in reader.entries("backups")
    ]
    return tuple(steps)
