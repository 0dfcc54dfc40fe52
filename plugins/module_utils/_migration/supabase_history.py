# SPDX-License-Identifier: GPL-3.0-or-later
"""The history table of the Supabase CLI: read it, make it or bring an older one up to date, add a row."""

from __future__ import annotations

import typing as t

from .._postgres import SqlError
from .file_history import REPAIR as MEND
from .file_history import Applied, find_drift

__all__ = (
    "ADVISORY_LOCK",
    "MEND",
    "ensure_history",
    "find_drift",
    "insert_row",
    "is_recorded",
    "read_history",
    "version_order",
)

if t.TYPE_CHECKING:
    from .._postgres import Session
    from .models import Migration

# Any number will do as long as it is ours and never changes: "supabase" in ASCII.
ADVISORY_LOCK = int.from_bytes(b"supabase", "big")

INSERT = (
    "INSERT INTO supabase_migrations.schema_migrations (version, name, statements) "
    "VALUES (%s, %s, %s)"
)
_COLUMNS = ("version", "name", "statements")
_HAS_COLUMNS = """
SELECT a.attname::text FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attrelid = pg_catalog.to_regclass('supabase_migrations.schema_migrations')
AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
# Old tables had the version alone, so the columns come one by one; see the CLI's own steps.
_CREATE = (
    "SET LOCAL lock_timeout = '4s'",
    "CREATE SCHEMA IF NOT EXISTS supabase_migrations",
    "CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations "
    "(version text NOT NULL PRIMARY KEY)",
    "ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS statements text[]",
    "ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text",
)


def read_history(session: Session) -> list[Applied]:
    """What is applied, by version; nothing when there is no table."""
    there = _columns(session)
    if "version" not in there:
        return []
    wanted = ", ".join(name if name in there else f"NULL AS {name}" for name in _COLUMNS)
    rows = session.rows(f"SELECT {wanted} FROM supabase_migrations.schema_migrations")  # noqa: S608 - names of ours
    found = [
        Applied(str(version), name, None if statements is None else tuple(statements))
        for version, name, statements in rows
    ]
    return sorted(found, key=lambda row: row.version)


def ensure_history(session: Session) -> None:
    """The table with the three columns is there afterwards."""
    if set(_COLUMNS) <= _columns(session):
        return
    session.execute("BEGIN")
    try:
        for statement in _CREATE:
            session.execute(statement)
        session.execute("COMMIT")
    except SqlError:
        session.execute("ROLLBACK")
        raise


def insert_row(session: Session, migration: Migration, _seconds: float) -> None:
    session.execute(INSERT, (migration.version, migration.name, migration.statements))


def version_order(version: str) -> str:
    """As text, as in the CLI."""
    return version


def is_recorded(row: Applied, migration: Migration) -> bool:
    return row.statements == tuple(migration.statements)


def _columns(session: Session) -> set[str]:
    return {str(row[0]) for row in session.rows(_HAS_COLUMNS)}
