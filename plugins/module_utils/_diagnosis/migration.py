# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a database that is migrated: its history against the folder, and what that says against its tables.

Which tables and columns the statements of migrations make, so that what is there can be held against it. Pure.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import DeployError
from .._migration import prisma_history
from .._migration.flyway import FlywayFiles
from .._migration.guard.catalog import Catalog, read_catalog
from .._migration.guard.parser import Node, UnparsableError, parse, relation_name
from .._migration.models import find_tables
from .._migration.prisma_history import baseline_of, describe_status, resolve_by
from .._migration.supabase import SupabaseFiles
from .._postgres import Session
from .databases import Database, reading
from .evidence import Notebook, file_name

NOT_COMPARED = (
    "Only tables in CREATE TABLE of the migrations were compared: no columns, types, constraints, indexes, functions, "
    "policies, rights or data, and nothing that a DO block or a function makes."
)
Table = tuple[str, str]


@dataclass
class Made:
    """Tables by schema and name, and scripts that could not be read.

    `created`: those that some script makes and does not take for granted, so that it fails where one is there.
    """

    tables: set[Table] = field(default_factory=set)
    created: set[Table] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)


def made_by(scripts: t.Iterable[tuple[str, str]]) -> Made:
    """The tables that are there once all have run, in their order. Each is a name and its SQL."""
    made = Made()
    for name, sql in scripts:
        try:
            statements = parse(sql)
        except UnparsableError as exc:
            made.unread.append(f"{name} could not be read: {exc}.")
            continue
        for statement in statements:
            ((kind, body),) = statement.node.items()
            _follow(made, kind, body)
    return made


def _follow(made: Made, kind: str, body: Node) -> None:
    if kind == "CreateStmt" and body["relation"].get("relpersistence") != "t":
        made.tables.add(_table(body))
        if not body.get("if_not_exists"):
            made.created.add(_table(body))
    elif kind == "RenameStmt" and body.get("renameType") == "OBJECT_TABLE":
        table = _table(body)
        if table in made.tables:
            made.tables.remove(table)
            made.tables.add((table[0], body["newname"]))
    elif kind == "DropStmt" and body.get("removeType") == "OBJECT_TABLE":
        for entry in body.get("objects") or []:
            parts = [part["String"]["sval"] for part in entry["List"]["items"]]
            made.tables.discard((parts[-2] if len(parts) > 1 else "public", parts[-1]))


def _table(body: Node) -> Table:
    name = relation_name(body["relation"])
    return (name.schema or "public", name.name)


_ONLY_READS = """
SELECT reset_val, pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_settings
WHERE name = 'default_transaction_read_only'
"""
"""The value without what this session set itself."""
_FILES: dict[str, type[SupabaseFiles] | type[FlywayFiles]] = {
    "supabase": SupabaseFiles,
    "sql": FlywayFiles,
}


@dataclass
class Scripts:
    """The folder's migrations by what the history says of them, each a name and its SQL."""

    applied: list[tuple[str, str]] = field(default_factory=list)
    pending: list[tuple[str, str]] = field(default_factory=list)


def look_at_history(notes: Notebook, database: Database) -> None:
    """Where the folder and the database stand to each other, and what differs between them."""
    with reading(database.target) as session:
        _tell_read_only(notes, database, session)
        report = _tell_prisma if database.kind == "prisma" else _tell_files
        try:
            scripts = report(notes, database, session)
        except DeployError as exc:
            notes.blind(f"The migrations of {database.name} could not be compared: {exc}")
            scripts = Scripts()
        _tell_tables(notes, database, session)
        _tell_schema(notes, database, read_catalog(session), scripts)


def _tell_read_only(notes: Notebook, database: Database, session: Session) -> None:
    only_reads, standby = session.rows(_ONLY_READS)[0]
    if only_reads == "on" or standby:
        why = "it is a standby" if standby else "its default_transaction_read_only is on"
        notes.see("read_only", database.name, file=database.sheet, why=why)


def _tell_files(notes: Notebook, database: Database, session: Session) -> Scripts:
    file, name = database.sheet, database.name
    table = _FILES[database.kind](database.directory)
    history = table.read_history(session)
    versions = sorted({row.version for row in history}, key=table.version_order)
    notes.write(file, f"applied: {', '.join(versions) or 'nothing'}")
    local = table.folder.files
    pending = table.find_pending(history, local)
    scripts = Scripts(
        [(entry.file, entry.text) for entry in local if entry.version in versions],
        [(entry.file, entry.text) for entry in pending],
    )
    absent = table.find_missing(history, local)
    _tell_state(notes, database, pending=[each for each, _sql in scripts.pending], absent=absent)
    if late := table.find_late(history, pending):
        notes.see("out_of_order", name, file=file, files=late, database_kind=database.kind)
    for each, how in table.find_drift(history, local).items():
        _tell_edited(notes, database, each, how)
    return scripts


def _tell_prisma(notes: Notebook, database: Database, session: Session) -> Scripts:
    file, name = database.sheet, database.name
    history = prisma_history.read_history(session, database.schema)
    local = prisma_history.read_folder(database.directory)
    status = describe_status(history, local)
    notes.write(file, f"{name}: {status['status']} {status['code'] or ''}")
    notes.write(file, f"applied: {', '.join(history.applied) or 'nothing'}")
    for row in status["failed_migrations"]:
        log = notes.keep_log(
            f"postgres/{file_name(name, row['name'])}.log", row["logs"].splitlines()
        )
        answer = next(
            (line for line in log if "error" in line.lower()), (log or ["it left no log"])[0]
        )
        migration, at = row["name"], row["started_at"]
        notes.see("failed_row", name, file=file, migration=migration, at=at, answer=answer)
    if status["code"] == "P3005":
        how = resolve_by("applied", *baseline_of(history, local))
        notes.see("no_baseline", name, file=file, how=how)
    _tell_state(notes, database, pending=status["pending"], absent=status["missing_locally"])
    for each, how in status["drift"].items():
        _tell_edited(notes, database, each, str(how))
    applied = {*history.applied}
    return Scripts(
        [(entry.file, entry.text) for entry in local if entry.name in applied],
        [(entry.file, entry.text) for entry in local if entry.name in status["pending"]],
    )


def _tell_state(
    notes: Notebook, database: Database, *, pending: t.Sequence[str], absent: t.Sequence[str]
) -> None:
    for kind, names in (("pending", pending), ("not_in_folder", absent)):
        if names:
            notes.see(kind, database.name, file=database.sheet, migrations=[*names])


def _tell_edited(notes: Notebook, database: Database, migration: str, how: str) -> None:
    notes.see("edited", database.name, file=database.sheet, migration=migration, how=how)


def _tell_tables(notes: Notebook, database: Database, session: Session) -> None:
    expected = database.expect_tables
    there = find_tables(session, expected)
    missing = [name for name in expected if name not in there]
    if expected:
        notes.write(database.sheet, f"expected tables there: {', '.join(there) or 'none'}")
    if missing:
        notes.see("tables_missing", database.name, file=database.sheet, tables=missing)


def _tell_schema(notes: Notebook, database: Database, there: Catalog, scripts: Scripts) -> None:
    file = f"postgres/{file_name(database.name)}.schema.txt"
    made, coming = made_by(scripts.applied), made_by(scripts.pending)
    for problem in (*made.unread, *coming.unread):
        notes.blind(f"{database.name}: {problem}")
    notes.write(file, NOT_COMPARED)
    schema = database.schema
    missing = [
        place
        for table in sorted(made.tables)
        if (place := _place(table, schema)) not in there.relations
    ]
    early = [
        place
        for table in sorted(coming.created - made.tables)
        if (place := _place(table, schema)) in there.relations
    ]
    for kind, places in (("schema_missing", missing), ("made_already", early)):
        if places:
            tables = [".".join(place) for place in places]
            notes.see(kind, database.name, file=file, tables=tables)
    if not missing and not early:
        notes.write(file, f"{database.name}: no difference found")


def _place(table: tuple[str, str], schema: str) -> tuple[str, str]:
    """A name without schema is of the one that the migrations run in."""
    return (schema if table[0] == "public" else table[0], table[1])
