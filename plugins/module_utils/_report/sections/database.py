# SPDX-License-Identifier: GPL-3.0-or-later
"""The databases: their backups, what was rehearsed on them, what was migrated, what was restored."""

from __future__ import annotations

import typing as t

from ..._story.record import Backup, Record, TableLock
from ..._words import counted, number
from ..models import Cell, Table
from ..times import shown, size, took
from .words import judged


def backups(record: Record) -> Table:
    """By name: what pg_backup returns as `backup`. Its end is when it had been read back and compared."""
    known = record.section("backups")
    rows = [
        (
            Cell(one.name),
            Cell(shown(one.finished)),
            Cell(took(one.duration)),
            Cell(size(one.size)),
            Cell(rows_of(one)),
            Cell(one.sha256, code=True),
            Cell(one.uri, code=True),
        )
        for one in known
    ]
    lead = f"{counted(len(rows), 'backup')}, each read back." if rows else ""
    lead += "".join(
        f" {one.name} lacks objects that its user may not read: {', '.join(one.left_out)}."
        for one in known
        if one.left_out
    )
    columns = ("Database", "Read back", "Took", "Size", "Rows", "SHA-256", "Where")
    return Table("Backups", columns, tuple(rows), "No backup is recorded.", lead)


def rows_of(one: Backup) -> str:
    """Counted in the snapshot of the dump."""
    known = [count for count in map(number, one.rows.values()) if count is not None]
    return f"{sum(known):,.0f} in {counted(len(known), 'table')}" if known else ""


def migrations(record: Record) -> Table:
    """By database: what the module of its migrations returns."""
    rows = []
    for one in record.section("migrations"):
        warned = [
            f"{each.file}, line {each.line}: {each.what}" for each in one.guard_warnings or ()
        ]
        nothing = "not known" if one.guard_warnings is None else "none"
        rows.append(
            (
                Cell(one.name),
                Cell(", ".join(one.applied) or "none", code=True),
                Cell(", ".join(one.pending) or "none", "warn" if one.pending else "good"),
                Cell(", ".join(one.waived) or "none", "warn" if one.waived else ""),
                Cell("; ".join(warned) or nothing, "warn" if warned else ""),
            )
        )
    columns = ("Database", "Applied", "Still pending", "Waived", "Warned of")
    return Table("Migrations", columns, tuple(rows), "No migration is recorded.")


def rehearsals(record: Record) -> Table | None:
    """By database: what the role migration_rehearsal says; left out when nothing was rehearsed or waived."""
    rows, known = [], record.section("rehearsals")
    for one in known:
        head = (Cell(one.name), judged(one.status))
        rows += [
            (*head, Cell(file, code=True), Cell(took(seconds)), Cell(held(one.locks.get(file, ()))))
            for file, seconds in one.durations.items()
            if number(seconds) is not None
        ]
        if one.status != "passed":
            why = f"{one.waiver} ({one.waived_by})" if one.waived_by else one.failure
            rows.append((*head, Cell(""), Cell(""), Cell(why)))
    columns = ("Database", "Result", "Migration", "Took", "Locks held")
    lead = " ".join(
        f"{one.name} was rehearsed without {'; '.join(one.left_out)}."
        for one in known
        if one.left_out
    )
    return Table("Rehearsals", columns, tuple(rows), "Nothing was pending.", lead) if rows else None


def held(locks: t.Iterable[TableLock]) -> str:
    """For example "ACCESS EXCLUSIVE on public.orders"."""
    return ", ".join(f"{one.mode} on {one.relation}" for one in locks)


def restores(record: Record) -> Table | None:
    """By database and request what the role database_restore noted; left out when nothing was restored."""
    rows = [
        (Cell(name), Cell(one.backup, code=True), Cell(one.by), Cell(one.reason))
        for name, one in record.facts.restored
    ]
    columns = ("Database", "From the backup", "Approved by", "Why")
    return Table("Restored databases", columns, tuple(rows), "") if rows else None
