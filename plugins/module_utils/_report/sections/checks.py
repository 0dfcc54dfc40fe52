# SPDX-License-Identifier: GPL-3.0-or-later
"""What was tested and backed up: smoke tests, checklist, traffic, and the databases."""

from __future__ import annotations

import typing as t

from ..._formats import shown, size, took
from ..._story.decode import text
from ..._story.record import Record
from ..._words import counted, number
from ..models import Cell, Table, code, judged, share, table

OTHER = "Others"
NOT_APPLICABLE = "skipped"
"""Of a line of the checklist."""
Row = tuple[Cell | str, ...]


def checks(record: Record) -> Table:
    """What smoke_tests, person_check and health_check return as `results`."""
    tests = record.section("checks")
    rows = [(test.name, judged(test.status), test.detail, took(test.seconds)) for test in tests]
    lead = passed([(test.name, judged(test.status)) for test in tests], "tests")
    columns = ("Test", "Result", "Seen", "Took")
    return table("Tests", columns, rows, "No test is recorded.", lead, part="tests")


def checklist(record: Record) -> tuple[Table, ...]:
    """A table for each section of the runbook's checklist, a row for each check; none when none is recorded."""
    sections: dict[str, list[tuple[str, Cell, str, str]]] = {}
    for check in record.evidence("preflight").preflight:
        section, divided, line = check.item.partition(": ")
        title = line if divided else section or check.name
        proof = check.name if check.item else ""
        row = (title, judged(check.status), proof, check.detail)
        sections.setdefault(section if divided else OTHER, []).append(row)
    columns = ("Item", "Result", "Proven by", "Seen")
    return tuple(
        table(
            title,
            columns,
            rows,
            lead=passed([row[:2] for row in rows], "checks"),
            fold=True,
            part="checklist",
        )
        for title, rows in sorted(sections.items(), key=lambda item: (item[0] == OTHER, item[0]))
    )


def passed(results: t.Sequence[tuple[str, Cell]], what: str) -> str:
    """Of what applies. What does not is named."""
    away = [name for name, result in results if result.text == NOT_APPLICABLE]
    bad = [
        name for name, result in results if result.tone != "good" and result.text != NOT_APPLICABLE
    ]
    rest = f"not {', '.join(bad[:5])}{' and more' if len(bad) > 5 else ''}"
    applies = len(results) - len(away)
    sentence = share(applies - len(bad), applies, f"{what} passed", rest)
    named = ", ".join(dict.fromkeys(away))
    return f"{sentence} {counted(len(away), 'other')} do not apply: {named}." if away else sentence


def traffic(record: Record) -> Table | None:
    """Requests that were counted while the release went on; left out when nobody counted."""
    counts = record.section("traffic")
    if not isinstance(counts, dict):
        return None
    rows = [
        (name.replace("_", " "), Cell(text(value), "bad" if name == "failed" and value else ""))
        for name, value in counts.items()
        if not isinstance(value, (dict, list))
    ]
    return table("Traffic during the release", ("What", "Count"), rows, "Nothing was counted.")


def backups(record: Record) -> Table:
    """By name: what pg_backup returns as `backup`. Its end is when it had been read back and compared."""
    made = record.section("backups")
    rows = []
    for backup in made:
        counts = [count for count in map(number, backup.rows.values()) if count is not None]
        in_all = f"{sum(counts):,.0f} in {counted(len(counts), 'table')}" if counts else ""
        times = (shown(backup.finished), took(backup.duration), size(backup.size))
        rows.append((backup.name, *times, in_all, code(backup.sha256), code(backup.uri)))
    lead = f"{counted(len(rows), 'backup')}, each read back." if rows else ""
    lead += "".join(
        f" {backup.name} lacks objects that its user may not read: {', '.join(backup.left_out)}."
        for backup in made
        if backup.left_out
    )
    columns = ("Database", "Read back", "Took", "Size", "Rows", "SHA-256", "Where")
    return table("Backups", columns, rows, "No backup is recorded.", lead)


def migrations(record: Record) -> Table:
    """By database: what the module of its migrations returns."""
    rows = []
    for database in record.section("migrations"):
        warnings = database.guard_warnings
        warned = "; ".join(f"{w.file}, line {w.line}: {w.what}" for w in warnings or ())
        rows.append(
            (
                database.name,
                code(", ".join(database.applied) or "none"),
                Cell(", ".join(database.pending) or "none", "warn" if database.pending else "good"),
                Cell(", ".join(database.waived) or "none", "warn" if database.waived else ""),
                Cell(warned, "warn") if warned else "not known" if warnings is None else "none",
            )
        )
    columns = ("Database", "Applied", "Still pending", "Waived", "Warned of")
    return table("Migrations", columns, rows, "No migration is recorded.")


def rehearsals(record: Record) -> Table | None:
    """By database: what the role migration_rehearsal says; left out when nothing was rehearsed or waived."""
    rows: list[Row] = []
    known = record.section("rehearsals")
    for rehearsal in known:
        head = (rehearsal.name, judged(rehearsal.status))
        for file, seconds in rehearsal.durations.items():
            if number(seconds) is not None:
                locks = (
                    f"{lock.mode} on {lock.relation}" for lock in rehearsal.locks.get(file, ())
                )
                rows.append((*head, code(file), took(seconds), ", ".join(locks)))
        if rehearsal.status != "passed":
            by = rehearsal.waived_by
            rows.append((*head, "", "", f"{rehearsal.waiver} ({by})" if by else rehearsal.failure))
    columns = ("Database", "Result", "Migration", "Took", "Locks held")
    lead = " ".join(
        f"{rehearsal.name} was rehearsed without {'; '.join(rehearsal.left_out)}."
        for rehearsal in known
        if rehearsal.left_out
    )
    return table("Rehearsals", columns, rows, "Nothing was pending.", lead) if rows else None


def restores(record: Record) -> Table | None:
    """By database and request what the role database_restore noted; left out when nothing was restored."""
    rows = [(name, code(act.backup), act.by, act.reason) for name, act in record.facts.restored]
    columns = ("Database", "From the backup", "Approved by", "Why")
    return table("Restored databases", columns, rows) if rows else None
