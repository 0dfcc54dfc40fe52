# SPDX-License-Identifier: GPL-3.0-or-later
"""Prisma's table of migrations: read and write it, settle what a person says became of one, and tell its state."""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from .._errors import ConflictError, InputError
from .._time import now
from .execution import mask_logs
from .prisma_folder import PrismaHistory, PrismaRow, Resolution, compare

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .._postgres import Session
    from .prisma_folder import PrismaMigration


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
        rows = self._session.rows(_ROWS.format(table=self.quoted))
        return tuple(PrismaRow(*row) for row in rows)

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
        exists=exists, relations=frozenset(relations - {_NAME}), rows=table.rows() if exists else ()
    )


@dataclass(frozen=True)
class Settlement:
    """One name whose rows change. With `checksum` it gets a new row that says applied."""

    name: str
    before: str
    checksum: str | None

    @property
    def after(self) -> str:
        return "rolled back" if self.checksum is None else "applied"


@dataclass(frozen=True)
class ResolvePlan:
    """Names that are as they are to be already are in none of `settlements`."""

    settlements: tuple[Settlement, ...]
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.settlements)

    def to_diff(self) -> dict[str, str]:
        return {
            "before": "".join(f"{each.name}: {each.before}\n" for each in self.settlements),
            "after": "".join(f"{each.name}: {each.after}\n" for each in self.settlements),
        }


def plan_resolve(
    history: PrismaHistory,
    local: Sequence[PrismaMigration],
    names: Sequence[str],
    resolution: Resolution,
) -> ResolvePlan:
    """Raises for the first name that may not become that, before any of them has."""
    checksums = {migration.name: migration.checksum for migration in local}
    settlements: list[Settlement] = []
    warnings: list[str] = []
    for name in sorted(set(names)):
        if resolution == "applied":
            settlement = _mark_applied(history, name, checksums.get(name))
        else:
            settlement = _mark_rolled_back(history, name)
            if settlement is None and name in history.applied:
                warnings.append(
                    f"{name} failed once and was applied since, so nothing was rolled back."
                )
        if settlement:
            settlements.append(settlement)
    return ResolvePlan(tuple(settlements), tuple(warnings))


def _mark_applied(history: PrismaHistory, name: str, checksum: str | None) -> Settlement | None:
    if checksum is None:
        raise InputError(
            f"There is no migration {name!r} in the folder to mark as applied (P3017): use the "
            "whole name of its folder.",
            code="P3017",
        )
    # Prisma calls this P3008; what was asked for is so, and that is no failure here.
    return None if name in history.applied else Settlement(name, _state(history, name), checksum)


def _mark_rolled_back(history: PrismaHistory, name: str) -> Settlement | None:
    rows = history.of(name)
    if not rows:
        raise InputError(
            f"{name!r} cannot be rolled back: it was never applied (P3011). Use the whole name "
            "of its folder.",
            code="P3011",
        )
    if all(row.finished for row in rows):
        raise ConflictError(
            f"{name!r} cannot be rolled back: it did not fail (P3012). Undo it by a new migration.",
            code="P3012",
        )
    failed = any(row.failed for row in rows)
    return Settlement(name, _state(history, name), None) if failed else None


def _state(history: PrismaHistory, name: str) -> str:
    if name in history.failed:
        return "failed"
    return "rolled back" if history.of(name) else "pending"


def apply_resolve(
    session: Session, table: HistoryTable, plan: ResolvePlan, *, exists: bool
) -> None:
    """All of them or none; `exists` is about the history."""
    session.execute("BEGIN")
    if not exists:
        table.create()
    for each in plan.settlements:
        table.settle_failed(each.name)
        if each.checksum is not None:
            table.record_unseen(Attempt(each.name, each.checksum))
    session.execute("COMMIT")


def describe_status(history: PrismaHistory, local: Sequence[PrismaMigration]) -> dict[str, t.Any]:
    """Where the folder and the database stand to each other, with what `prisma migrate status` leaves out."""
    plan = compare(history, local)
    status, code = _verdict(history, pending=plan.changed)
    return {
        "status": status,
        "code": code,
        "applied": [_describe(row) for row in history.rows if row.applied],
        "pending": [migration.name for migration in plan.pending],
        "failed_migrations": [
            {**_describe(row), "logs": mask_logs(row.logs)} for row in history.rows if row.failed
        ],
        "rolled_back": [_describe(row) for row in history.rows if row.rolled_back],
        "missing_locally": list(plan.missing_locally),
        "drift": plan.drift,
    }


def _verdict(history: PrismaHistory, *, pending: bool) -> tuple[str, str | None]:
    """One word, and Prisma's code for what would stop a deploy."""
    if history.needs_baseline:
        return "needs_baseline", "P3005"
    if history.failed:
        return "failed", "P3009"
    return ("pending" if pending else "up_to_date"), None


def _describe(row: PrismaRow) -> dict[str, t.Any]:
    return {
        "name": row.name,
        "checksum": row.checksum,
        "started_at": row.started_at,
        "seconds": None if row.seconds is None else round(row.seconds, 3),
    }
