# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The databases: their backups, what was rehearsed on them, what was migrated, what was restored."""

from __future__ import annotations

import typing as t

from ..._numbers import number
from ..._words import counted
from ..models import Cell, Table
from ..reader import Reader, dictionaries, inner, names, text
from ..times import shown, size, took
from .words import judged


def backups(reader: Reader) -> Table:
    """By name: what pg_backup returns as `backup`. Its end is when it had been read back and compared."""
    rows = [
        (
            Cell(name),
            Cell(shown(one.get("finished"))),
            Cell(took(one.get("duration"))),
            Cell(size(one.get("size"))),
            Cell(rows_of(one)),
            Cell(text(one.get("sha256")), code=True),
            Cell(text(one.get("uri")), code=True),
        )
        for name, one in reader.entries("backups")
    ]
    lead = f"{counted(len(rows), 'backup')}, each read back." if rows else ""
    lead += "".join(
        f" {name} lacks objects that its user may not read: {', '.join(lacking)}."
        for name, one in reader.entries("backups")
        if (lacking := names(one.get("left_out")))
    )
    columns = ("Database", "Read back", "Took", "Size", "Rows", "SHA-256", "Where")
    return Table("Backups", columns, tuple(rows), "No backup is recorded.", lead)


def rows_of(one: t.Mapping[str, t.Any]) -> str:
    """Counted in the snapshot of the dump."""
    counts = [number(count) for count in inner(one, "rows").values()]
    known = [count for count in counts if count is not None]
    return f"{sum(known):,.0f} in {counted(len(known), 'table')}" if known else ""


def migrations(reader: Reader) -> Table:
    """By database: what the module of its migrations returns."""
    rows = []
    for name, one in reader.entries("migrations"):
        pending = names(one.get("pending"))
        waived = inner(one, "waived")
        warned = [
            f"{text(each.get('file'))}, line {each.get('line')}: {text(each.get('what'))}"
            for each in dictionaries(one.get("guard_warnings"))
        ]
        nothing = "none" if "guard_warnings" in one else "not known"
        rows.append(
            (
                Cell(name),
                Cell(", ".join(names(one.get("applied"))) or "none", code=True),
                Cell(", ".join(pending) or "none", "warn" if pending else "good"),
                Cell(", ".join(waived) or "none", "warn" if waived else ""),
                Cell("; ".join(warned) or nothing, "warn" if warned else ""),
            )
        )
    columns = ("Database", "Applied", "Still pending", "Waived", "Warned of")
    return Table("Migrations", columns, tuple(rows), "No migration is recorded.")


def rehearsals(reader: Reader) -> Table | None:
    """By database: what the role migration_rehearsal says; left out when nothing was rehearsed or waived."""
    rows = []
    for name, one in reader.entries("rehearsals"):
        status = text(one.get("status"))
        head = (Cell(name), judged(status))
        durations, locks = inner(one, "durations"), inner(one, "locks")
        rows += [
            (*head, Cell(file, code=True), Cell(took(seconds)), Cell(held(locks.get(file))))
            for file, seconds in durations.items()
            if number(seconds) is not None
        ]
        if status != "passed":
            who = text(one.get("waived_by"))
            why = f"{text(one.get('waiver'))} ({who})" if who else text(one.get("failure"))
            rows.append((*head, Cell(""), Cell(""), Cell(why)))
    columns = ("Database", "Result", "Migration", "Took", "Locks held")
    lead = " ".join(
        f"{name} was rehearsed without {'; '.join(lacking)}."
        for name, one in reader.entries("rehearsals")
        if (lacking := names(one.get("left_out")))
    )
    return Table("Rehearsals", columns, tuple(rows), "Nothing was pending.", lead) if rows else None


def held(locks: t.Any) -> str:
    """For example "ACCESS EXCLUSIVE on public.orders"."""
    return ", ".join(
        f"{text(one.get('mode'))} on {text(one.get('relation'))}"
        for one in (locks if isinstance(locks, list) else [])
        if isinstance(one, dict)
    )


def restores(reader: Reader) -> Table | None:
    """By database and request what the role database_restore noted; left out when nothing was restored."""
    rows = [
        (
            Cell(name),
            Cell(text(one.get("backup")), code=True),
            Cell(text(one.get("approved_by"))),
            Cell(text(one.get("reason"))),
        )
        for name, requests in inner(reader.mapping("facts"), "database_restores").items()
        for one in dictionaries(requests)
    ]
    columns = ("Database", "From the backup", "Approved by", "Why")
    return Table("Restored databases", columns, tuple(rows), "") if rows else None
