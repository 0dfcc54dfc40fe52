# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations as the Supabase CLI has them: its choice of files in its order, and its history table.

Bad files are refused at once. An older history is brought up to date.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import InputError
from .._postgres import SqlError
from .execution import excerpt, mask_literals, refused_in_its_transaction
from .file_history import REPAIR as MEND
from .file_history import Applied, find_drift
from .models import Migration
from .splitter import comments_end, script_problems, without_leading_comments

if t.TYPE_CHECKING:
    from .._postgres import Session

__all__ = (
    "ADVISORY_LOCK",
    "MEND",
    "Folder",
    "duplicates",
    "ensure_history",
    "find_drift",
    "insert_row",
    "is_recorded",
    "problems_of",
    "read_folder",
    "read_history",
    "version_order",
)

_NAME = re.compile(r"([0-9]+)_(.*)\.sql")
_COPY = re.compile(r"(?is)COPY\s.*\s(?:FROM\s+STDIN|TO\s+STDOUT)\b")
# The CLI once made a first file like this itself; it was never meant to be pushed.
_OLD_INIT = re.compile(r"([0-9]{14})_init\.sql")
_OLD_INIT_BEFORE = "20211209000000"


@dataclass(frozen=True)
class Folder:
    files: tuple[Migration, ...]
    skipped: tuple[str, ...]
    """SQL files whose names are none of a migration."""


def read_folder(directory: str) -> Folder:
    """The files directly in it whose names are `<digits>_<name>.sql`, by version."""
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"Option 'directory' is {directory!r}, which does not exist.")
    entries = sorted(entry for entry in path.iterdir() if entry.is_file())
    if entries and _is_old_init(entries[0].name):
        entries = entries[1:]
    files: list[Migration] = []
    skipped: list[str] = []
    for entry in entries:
        named = _NAME.fullmatch(entry.name)
        if named:
            files.append(Migration(named[1], named[2], entry.name, entry.read_bytes()))
        elif entry.suffix == ".sql":
            skipped.append(entry.name)
    return Folder(
        files=tuple(sorted(files, key=lambda file: (file.version, file.file))),
        skipped=tuple(skipped),
    )


def duplicates(files: t.Iterable[Migration]) -> dict[str, list[str]]:
    """The names of the files that share a version, by it."""
    by_version: dict[str, list[str]] = {}
    for file in files:
        by_version.setdefault(file.version, []).append(file.file)
    return {version: names for version, names in by_version.items() if len(names) > 1}


def problems_of(migration: Migration) -> t.Iterator[str]:
    """A sentence for everything about it that can be seen to fail."""
    name = migration.file
    try:
        script = migration.script
    except InputError as exc:
        yield str(exc)
        return
    yield from script_problems(script, name)
    if line := _copies_by_client(migration):
        yield (
            f"{name} copies from or to its client in line {line}, without data: write INSERT, or "
            "load the data in another task."
        )
    for index in refused_in_its_transaction(migration.statements):
        yield (
            f"{name} has {excerpt(migration.statements[index])!r} (statement {index + 1}) between a BEGIN and its "
            "COMMIT, which PostgreSQL refuses in a transaction: give it its own migration."
        )
    if not script.open_comment and not any(map(without_leading_comments, migration.statements)):
        yield f"{name} has no statement: delete it, or write the migration."


def _copies_by_client(migration: Migration) -> int | None:
    """The line of the first COPY that would need psql."""
    for statement in migration.script.statements:
        begins = comments_end(statement.text)
        if statement.text[begins : begins + 4].upper() == "COPY" and _COPY.match(
            mask_literals(statement.text[begins:])
        ):
            return statement.line
    return None


def _is_old_init(name: str) -> bool:
    match = _OLD_INIT.fullmatch(name)
    return bool(match and match[1] < _OLD_INIT_BEFORE)


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
    rows_applied = [
        Applied(str(version), name, None if statements is None else tuple(statements))
        for version, name, statements in rows
    ]
    return sorted(rows_applied, key=lambda row: row.version)


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
