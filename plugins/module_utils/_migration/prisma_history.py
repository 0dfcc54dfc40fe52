# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The history table of Prisma Migrate: read it, make it, and write the rows Prisma would write."""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from .._time import now
from .prisma_plan import PrismaHistory, PrismaRow

if t.TYPE_CHECKING:
    from .._postgres import Session

# pg_advisory_lock of this number is what Prisma itself takes.
ADVISORY_LOCK = 72707369
_NAME = "_prisma_migrations"

_CREATE = """
CREATE TABLE {table} (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
)
"""
_RELATIONS = """
SELECT c.relname::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT t.typname::text FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = %s AND t.typtype = 'e'
"""
_ROWS = """
SELECT migration_name, checksum, finished_at IS NOT NULL, rolled_back_at IS NOT NULL,
       extract(epoch FROM finished_at - started_at)::float8,
       to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       coalesce(logs, '')
FROM {table} ORDER BY started_at
"""


@dataclass(frozen=True)
class Attempt:
    """One try of a migration, which is one row of the history. Times are of the clock that runs it, as Prisma's are."""

    name: str
    checksum: str
    row_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime = field(default_factory=now)


class HistoryTable:
    """`_prisma_migrations` of one schema, under its full name: a script may change the search path."""

    def __init__(self, session: Session, quoted: str) -> None:
        self._session = session
        self.quoted = quoted

    def create(self) -> None:
        self._write(_CREATE)

    def rows(self) -> tuple[PrismaRow, ...]:
        found = self._session.rows(_ROWS.format(table=self.quoted))
        return tuple(PrismaRow(*row) for row in found)

    def start(self, attempt: Attempt) -> None:
        self._write(
            "INSERT INTO {table} (id, checksum, migration_name, started_at) VALUES (%s, %s, %s, %s)",
            attempt.row_id,
            attempt.checksum,
            attempt.name,
            attempt.started_at,
        )

    def finish(self, attempt: Attempt) -> None:
        self._write(
            "UPDATE {table} SET applied_steps_count = applied_steps_count + 1, finished_at = %s WHERE id = %s",
            now(),
            attempt.row_id,
        )

    def fail(self, attempt: Attempt, logs: str) -> None:
        """Whether or not its start is still there: a rollback took it away."""
        self._write(
            "INSERT INTO {table} (id, checksum, migration_name, started_at, logs) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET logs = excluded.logs",
            attempt.row_id,
            attempt.checksum,
            attempt.name,
            attempt.started_at,
            logs,
        )

    def settle_failed(self, name: str) -> None:
        self._write(
            "UPDATE {table} SET rolled_back_at = %s "
            "WHERE migration_name = %s AND finished_at IS NULL AND rolled_back_at IS NULL",
            now(),
            name,
        )

    def record_unseen(self, attempt: Attempt) -> None:
        """Applied, says a person: no steps of ours and empty logs, as Prisma writes it."""
        self._write(
            "INSERT INTO {table} (id, checksum, migration_name, started_at, finished_at, logs) "
            "VALUES (%s, %s, %s, %s, %s, '')",
            attempt.row_id,
            attempt.checksum,
            attempt.name,
            attempt.started_at,
            attempt.started_at,
        )

    def _write(self, sql: str, *values: object) -> None:
        # The name comes quoted from the server; a percent sign in it is none of ours.
        table = self.quoted.replace("%", "%%") if values else self.quoted
        self._session.execute(sql.format(table=table), values or None)


def use_schema(session: Session, schema: str) -> HistoryTable:
    """Have scripts run in the schema, and name its history."""
    session.rows(
        "SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(%s), false)", (schema,)
    )
    quoted = session.rows("SELECT pg_catalog.format('%%I.%%I', %s, %s)", (schema, _NAME))
    return HistoryTable(session, str(quoted[0][0]))


def read_history(session: Session, schema: str, table: HistoryTable) -> PrismaHistory:
    relations = {str(row[0]) for row in session.rows(_RELATIONS, (schema, schema))}
    exists = _NAME in relations
    return PrismaHistory(
        exists=exists,
        relations=frozenset(relations - {_NAME}),
        rows=table.rows() if exists else (),
    )
