# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a database that is migrated: its history, the tables that a release needs, and sessions that block others."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

from .._errors import DeployError, RefusedError
from .._migration import prisma_history
from .._migration.execution import mask_literals
from .._migration.flyway import FlywayFiles
from .._migration.models import find_tables
from .._migration.prisma_history import baseline_of, describe_status, resolve_by
from .._migration.supabase import SupabaseFiles
from .._postgres import PostgresTarget, Session, SqlError, connected
from .evidence import Notebook, file_name

LONG_SECONDS = 60
"""A transaction of this age is told: it keeps migrations from their locks."""
SESSIONS = 50
_SETTINGS = (
    "SET default_transaction_read_only = on",
    "SET statement_timeout = '10s'",
    "SET lock_timeout = '2s'",
)
_BUSY = """
SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, ''),
       coalesce(extract(epoch FROM now() - xact_start), 0)::int,
       coalesce(extract(epoch FROM now() - state_change), 0)::int,
       pg_catalog.pg_blocking_pids(pid), coalesce(wait_event_type, ''), left(query, 500)
FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
  AND backend_type = 'client backend' AND xact_start IS NOT NULL
ORDER BY xact_start LIMIT %s
"""
_ONLY_READS = """
SELECT reset_val, pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_settings
WHERE name = 'default_transaction_read_only'
"""
"""The value without what this session set itself."""
_FILES: dict[str, type[SupabaseFiles] | type[FlywayFiles]] = {
    "supabase": SupabaseFiles,
    "sql": FlywayFiles,
}


@dataclass(frozen=True)
class Database:
    """`kind` is supabase, prisma or sql, whose history it has."""

    name: str
    kind: str
    target: PostgresTarget
    directory: str
    schema: str = "public"
    expect_tables: tuple[str, ...] = ()

    @property
    def sheet(self) -> str:
        return f"postgres/{file_name(self.name)}.txt"


@contextmanager
def reading(target: PostgresTarget) -> t.Iterator[Session]:
    """A session that can't write and does not wait long; what the server refuses is a RefusedError."""
    try:
        with connected(target, application_name="easymo.deploy diagnosis") as session:
            for setting in _SETTINGS:
                session.execute(setting)
            yield session
    except SqlError as exc:
        raise RefusedError(f"{target.where} refused the query: {exc}.") from exc


class Compared(t.NamedTuple):
    """The history beside the folder: what is applied, pending, applied and not in the folder, and edited since."""

    applied: t.Sequence[str]
    pending: t.Sequence[str]
    absent: t.Sequence[str]
    edited: t.Mapping[str, t.Any]


def look_at_history(notes: Notebook, database: Database) -> None:
    """Where the folder and the database stand to each other, and which expected tables are missing."""
    file, name, expected = database.sheet, database.name, database.expect_tables
    with reading(database.target) as session:
        only_reads, standby = session.rows(_ONLY_READS)[0]
        if only_reads == "on" or standby:
            why = "it is a standby" if standby else "its default_transaction_read_only is on"
            notes.see("read_only", name, file=file, why=why)
        try:
            _tell_history(notes, database, session)
        except DeployError as exc:
            notes.blind(f"The migrations of {name} could not be compared: {exc}")
        there = find_tables(session, expected)
    if expected:
        notes.write(file, f"expected tables there: {', '.join(there) or 'none'}")
    if missing := [table for table in expected if table not in there]:
        notes.see("tables_missing", name, file=file, tables=missing)


def _tell_history(notes: Notebook, database: Database, session: Session) -> None:
    compare = _with_prisma if database.kind == "prisma" else _with_files
    compared = compare(notes, database, session)
    file, name = database.sheet, database.name
    notes.write(file, f"applied: {', '.join(compared.applied) or 'nothing'}")
    for kind, names in (("pending", compared.pending), ("not_in_folder", compared.absent)):
        if names:
            notes.see(kind, name, file=file, migrations=[*names])
    for migration, how in compared.edited.items():
        notes.see("edited", name, file=file, migration=migration, how=str(how))


def _with_files(notes: Notebook, database: Database, session: Session) -> Compared:
    table = _FILES[database.kind](database.directory)
    history, local = table.read_history(session), table.folder.files
    pending = table.find_pending(history, local)
    if late := table.find_late(history, pending):
        file, kind = database.sheet, database.kind
        notes.see("out_of_order", database.name, file=file, files=late, database_kind=kind)
    return Compared(
        sorted({row.version for row in history}, key=table.version_order),
        [entry.file for entry in pending],
        table.find_missing(history, local),
        table.find_drift(history, local),
    )


def _with_prisma(notes: Notebook, database: Database, session: Session) -> Compared:
    file, name = database.sheet, database.name
    history = prisma_history.read_history(session, database.schema)
    local = prisma_history.read_folder(database.directory)
    status = describe_status(history, local)
    notes.write(file, f"{name}: {status['status']} {status['code'] or ''}")
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
    return Compared(history.applied, status["pending"], status["missing_locally"], status["drift"])


def look_at_sessions(notes: Notebook, database: Database) -> None:
    """Sessions that wait, each with its blocker, and transactions that have been open for long."""
    file, name = f"postgres/{file_name(database.name)}.sessions.txt", database.name
    with reading(database.target) as session:
        rows = session.rows(_BUSY, (SESSIONS,))
    known = {row[0]: row for row in rows}
    if len(rows) == SESSIONS:
        notes.cut(f"{name}: only the {SESSIONS} oldest transactions were read.")
    for pid, user, application, state, age, idle, blocked_by, waits, query in rows:
        masked = " ".join(mask_literals(query).split())
        who = f"pid {pid} ({user}, {application or 'no name'})"
        notes.write(file, f"{who}: {state}, transaction {age} s, waits {waits or '-'}: {masked}")
        for blocker in blocked_by:
            other = known.get(blocker)
            by = f"pid {blocker}" + (
                f" ({other[1]}, {other[2] or 'no name'}, {other[3]})" if other else ""
            )
            blocked = {"pid": pid, "blocker": blocker, "seconds": age}
            notes.see("blocked", name, file=file, by=by, who=who, **blocked)
        if age >= LONG_SECONDS:
            since = {"seconds": age, "state": state, "idle": idle}
            notes.see("long_transaction", name, file=file, pid=pid, who=who, **since)
    if not rows:
        notes.write(file, f"{name}: no transaction is open")
