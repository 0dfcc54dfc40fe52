# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Look at the tables a release promises: are they there, and are the new ones empty."""

from __future__ import annotations

import typing as t

from .._errors import VerificationError
from .models import Table

if t.TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .._postgres import Session

_FIND = """
SELECT format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')
"""


def find_tables(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Those of `names` (`table` in public, or `schema.table`) that exist: the name to the name as SQL."""
    found: dict[str, str] = {}
    for name in names:
        schema, _dot, table = name.rpartition(".")
        rows = session.rows(_FIND, (schema or "public", table))
        if rows:
            found[name] = str(rows[0][0])
    return found


def describe_tables(
    session: Session, names: Sequence[str], *, before: Collection[str]
) -> list[Table]:
    """The tables that are there now; those that were not there `before` are counted."""
    tables = []
    for name, quoted in find_tables(session, names).items():
        created = name not in before
        rows = int(session.rows(f"SELECT count(*) FROM {quoted}")[0][0]) if created else None  # noqa: S608 - quoted by the server
        tables.append(Table(name=name, created=created, rows=rows))
    return tables


def verify_tables(tables: Sequence[Table], names: Sequence[str], *, database: str) -> None:
    """Raise when an expected table is missing, or was made by this run and has rows."""
    there = {table.name for table in tables}
    missing = [name for name in names if name not in there]
    filled = [f"{table.name} ({table.rows} rows)" for table in tables if table.rows]
    problems = []
    if missing:
        problems.append(f"there is no table {', '.join(missing)}")
    if filled:
        problems.append(f"new tables are not empty: {', '.join(filled)}")
    if problems:
        raise VerificationError(
            f"After the migrations of {database}, {' and '.join(problems)}. Check the migrations "
            "that should make them, and option 'expect_tables'.",
            tables=[table.to_result() for table in tables],
        )
