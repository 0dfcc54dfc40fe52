# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a database as a whole: its sessions that block others, and its backups."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from .._backup.catalog import read_catalog
from .._backup.plan import newest_first
from .._errors import RefusedError
from .._migration.execution import mask_literals
from .._postgres import PostgresTarget, Session, SqlError, connected
from .evidence import Notebook, file_name

if t.TYPE_CHECKING:
    from .._s3 import S3Bucket

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


@dataclass(frozen=True)
class Database:
    """`kind` is supabase, prisma or sql, whose history it has; `backup` its name in the backups' catalog."""

    name: str
    kind: str
    target: PostgresTarget
    directory: str
    schema: str = "public"
    backup: str = ""
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


def look_at_backups(
    notes: Notebook, bucket: S3Bucket, *, prefix: str, names: t.Sequence[str], now: datetime
) -> None:
    """The newest backup of each database, which a restore would take: whole, and with its checksum."""
    file = "postgres/backups.txt"
    bucket.check()
    catalog = read_catalog(bucket, prefix=prefix)
    newest = {entry.manifest.name: entry for entry in reversed(newest_first(catalog.backups))}
    for name in names:
        backup = newest.get(name)
        if backup is None:
            notes.see("no_backup", name, file=file)
            continue
        minutes, sha256 = backup.age(now) // 60, backup.manifest.sha256
        notes.see("backup", name, file=file, uri=backup.uri, sha256=sha256, minutes=minutes)
    for problem in catalog.broken:
        notes.write(file, f"broken: {problem}")
