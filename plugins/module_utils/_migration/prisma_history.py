# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of Prisma migrations, one folder each with a migration.sql, and Prisma's table of what of it is applied.

What is pending, what a person says became of a migration, and where the folder and the database stand to each other.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from .._errors import ConflictError, InputError
from .._postgres import Session, transaction
from .._time import now
from .execution import controls_transaction, mask_logs, runs_alone
from .models import Migration, MigrationPlan, existing, problems_by_file
from .splitter import without_leading_comments

_SCRIPT = "migration.sql"


class PrismaMigration(Migration):
    """A folder with a script. Its name is its version."""

    @classmethod
    def of(cls, name: str, content: bytes) -> t.Self:
        return cls(name, name, f"{name}/{_SCRIPT}", content)

    @property
    def checksum(self) -> str:
        return _sha256(self.content)

    @cached_property
    def statements(self) -> list[str]:
        """Those that a server would see; a migration may have none, Prisma makes such ones on request."""
        cut = [statement.text for statement in self.script.statements]
        return [text for text in cut if without_leading_comments(text)]

    @property
    def atomic(self) -> bool:
        return not any(runs_alone(text) or controls_transaction(text) for text in self.statements)

    def has_checksum(self, recorded: str) -> bool:
        """Prisma tolerates other line ends, and old versions of it lost leading zeros."""
        unix = self.content.replace(b"\r\n", b"\n")
        contents = {self.content, unix, unix.replace(b"\n", b"\r\n")}
        return recorded.rjust(64, "0") in {_sha256(content) for content in contents}


def read_folder(directory: str) -> list[PrismaMigration]:
    """By name, as Prisma sorts them: as text."""
    path = existing(directory)
    folders = sorted((entry for entry in path.iterdir() if entry.is_dir()), key=lambda e: e.name)
    empty = [folder.name for folder in folders if not (folder / _SCRIPT).is_file()]
    if empty:
        raise InputError(
            f"These migrations have no {_SCRIPT}: {', '.join(empty)}. Restore it, or delete the folder.",
            code="P3015",
        )
    return [PrismaMigration.of(folder.name, (folder / _SCRIPT).read_bytes()) for folder in folders]


def problems_of(migration: Migration) -> t.Iterator[str]:
    """A sentence for everything about it that can be seen to fail."""
    yield from migration.problems()
    statements = [] if migration.unreadable else migration.statements
    if len(statements) > 1 and any(map(runs_alone, statements)):
        yield (
            f"{migration.file} has a statement that cannot share a transaction: give it its own "
            "migration, since Prisma sends a script as one transaction."
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


Resolution = t.Literal["applied", "rolled_back"]
_CREATED = re.compile(
    r'^\s*CREATE TABLE (?:IF NOT EXISTS )?(?:"?\w+"?\.)?"?(\w+)"? *\(', re.I | re.M
)
"""As Prisma writes it."""

_SHOWN = 12


@dataclass(frozen=True)
class PrismaRow:
    """A row of _prisma_migrations; `seconds` from its start to its end, None when it has no end."""

    name: str
    checksum: str
    finished: bool
    rolled_back: bool
    seconds: float | None
    started_at: str = ""
    logs: str = ""

    @property
    def failed(self) -> bool:
        return not self.finished and not self.rolled_back

    @property
    def applied(self) -> bool:
        return self.finished and not self.rolled_back


@dataclass(frozen=True)
class PrismaHistory:
    """`rows` in the order they were started; `exists` is about the table, `relations` are the rest of the schema."""

    exists: bool
    relations: frozenset[str]
    rows: tuple[PrismaRow, ...]

    @property
    def applied(self) -> list[str]:
        return [row.name for row in self.rows if row.applied]

    @property
    def failed(self) -> list[str]:
        return list(dict.fromkeys(row.name for row in self.rows if row.failed))

    @property
    def needs_baseline(self) -> bool:
        return not self.exists and bool(self.relations)

    def of(self, name: str) -> list[PrismaRow]:
        return [row for row in self.rows if row.name == name]


def plan_prisma(history: PrismaHistory, local: t.Sequence[PrismaMigration]) -> MigrationPlan:
    """What runs; raises when Prisma would run nothing before a person has settled something."""
    refuse_unsettled(history, local)
    return compare(history, local)


def compare(history: PrismaHistory, local: t.Sequence[PrismaMigration]) -> MigrationPlan:
    """Of what only the database has Prisma goes on, and so do we."""
    known = {row.name for row in history.rows if not row.rolled_back}
    recorded = {row.name: row.checksum for row in history.rows if row.applied}
    names = {migration.name for migration in local}
    missing = [name for name in history.applied if name not in names]
    warning = f"The database has migrations missing in the folder: {', '.join(missing)}."
    pending = tuple(migration for migration in local if migration.name not in known)
    return MigrationPlan(
        pending=pending,
        versions=history.applied,
        drift={
            migration.file: f"the history recorded checksum {recorded[migration.name][:_SHOWN]}…, the file has "
            f"{migration.checksum[:_SHOWN]}… (Prisma keeps no copy; git has it)"
            for migration in local
            if migration.name in recorded and not migration.has_checksum(recorded[migration.name])
        },
        problems=problems_by_file(pending, problems_of),
        warnings=(warning,) if missing else (),
        details={"missing_locally": missing},
        state=history,
    )


def refuse_unsettled(history: PrismaHistory, local: t.Sequence[PrismaMigration]) -> None:
    if history.needs_baseline:
        raise ConflictError(
            "The schema has tables and no history of Prisma (P3005). If this is the wrong database, correct "
            "'login_db' and 'schema'. If not, name the migrations all of which it has (by its tables these) by "
            f"{resolve_by('applied', *baseline_of(history, local))}, and run again.",
            reason="NotEmpty",
            code="P3005",
        )
    failed = history.failed
    if failed:
        raise ConflictError(
            f"An earlier run failed in {', '.join(failed)} (P3009). playbooks/diagnose.yml shows why. Fix the "
            f"database, say that nothing of it remains by {resolve_by('rolled_back', *failed)}, or that all of it "
            f"does by {resolve_by('applied', *failed)}, and run again.",
            reason="FailedMigration",
            code="P3009",
            failed_migrations=failed,
        )


def resolve_by(resolution: Resolution, *names: str) -> str:
    """What a person types who says what became of migrations."""
    named = f"prisma_migrate_resolved={','.join(names)}"
    return (
        f"playbooks/resolve_migrations.yml -e prisma_migrate_resolution={resolution} "
        f"-e {named if names[1:] == () else json.dumps(named)}"
    )


def baseline_of(history: PrismaHistory, local: t.Sequence[PrismaMigration]) -> list[str]:
    """The first migrations, up to the last one whose tables are there. The first one alone where no table tells."""
    known = 1
    for number, migration in enumerate(local, start=1):
        made = set(_CREATED.findall(migration.content.decode("utf-8", "replace")))
        if made - history.relations:
            break
        known = number if made else known
    return [migration.name for migration in local[:known]] or ["NAME"]


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

    def insert(
        self, attempt: Attempt, *, finished: datetime | None = None, logs: str | None = None
    ) -> None:
        """A row that is there gets the logs alone; it may be gone, for a rollback took it away."""
        self._write(
            "INSERT INTO {table} (id, checksum, migration_name, started_at, finished_at, logs) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET logs = excluded.logs",
            attempt.row_id,
            attempt.checksum,
            attempt.name,
            attempt.started_at,
            finished,
            logs,
        )

    def finish(self, attempt: Attempt) -> None:
        self._write(
            "UPDATE {table} SET applied_steps_count = applied_steps_count + 1, finished_at = %s WHERE id = %s",
            now(),
            attempt.row_id,
        )

    def settle_failed(self, name: str) -> None:
        self._write(
            "UPDATE {table} SET rolled_back_at = %s "
            "WHERE migration_name = %s AND finished_at IS NULL AND rolled_back_at IS NULL",
            now(),
            name,
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


def read_history(session: Session, schema: str) -> PrismaHistory:
    """And have scripts run in the schema from now on."""
    table = use_schema(session, schema)
    relations = {str(row[0]) for row in session.rows(_RELATIONS, (schema, schema))}
    exists = _NAME in relations
    rows = session.rows(_ROWS.format(table=table.quoted)) if exists else []
    return PrismaHistory(
        exists, frozenset(relations - {_NAME}), tuple(PrismaRow(*row) for row in rows)
    )


def plan_resolve(
    history: PrismaHistory,
    local: t.Sequence[PrismaMigration],
    names: t.Sequence[str],
    resolution: Resolution,
) -> tuple[dict[str, str], list[str]]:
    """By name the word for what it was, of each that changes; and warnings.

    Raises for the first name that may not become that, before any of them has.
    """
    there = {migration.name for migration in local}
    settled: dict[str, str] = {}
    warnings: list[str] = []
    for name in sorted(set(names)):
        rows = history.of(name)
        before = "failed" if name in history.failed else "rolled back" if rows else "pending"
        if resolution == "applied":
            if name not in there:
                raise InputError(
                    f"There is no migration {name!r} in the folder to mark as applied (P3017): use the "
                    "whole name of its folder.",
                    code="P3017",
                )
            # Prisma calls it P3008 when it is applied; what was asked for is so, and that is no failure here.
            if name not in history.applied:
                settled[name] = before
            continue
        _refuse_rolling_back(name, rows)
        if before == "failed":
            settled[name] = before
        elif name in history.applied:
            warnings.append(
                f"{name} failed once and was applied since, so nothing was rolled back."
            )
    return settled, warnings


def _refuse_rolling_back(name: str, rows: t.Sequence[PrismaRow]) -> None:
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


def apply_resolve(
    session: Session,
    table: HistoryTable,
    names: t.Iterable[str],
    applied: t.Sequence[PrismaMigration],
    *,
    exists: bool,
) -> None:
    """All of them or none; those of `applied` get a new row that says so. `exists` is about the history."""
    checksums = {migration.name: migration.checksum for migration in applied}
    with transaction(session):
        if not exists:
            table.create()
        for name in names:
            table.settle_failed(name)
            if name in checksums:
                # No steps of ours and empty logs, as Prisma writes it.
                attempt = Attempt(name, checksums[name])
                table.insert(attempt, finished=attempt.started_at, logs="")


def describe_status(history: PrismaHistory, local: t.Sequence[PrismaMigration]) -> dict[str, t.Any]:
    """Where the folder and the database stand to each other, with what `prisma migrate status` leaves out.

    The code is Prisma's for what would stop a deploy.
    """
    plan = compare(history, local)
    status, code = ("pending" if plan.pending else "up_to_date"), None
    if history.needs_baseline:
        status, code = "needs_baseline", "P3005"
    elif history.failed:
        status, code = "failed", "P3009"
    return {
        "status": status,
        "code": code,
        "applied": [_describe(row) for row in history.rows if row.applied],
        "pending": [migration.name for migration in plan.pending],
        "failed_migrations": [
            {**_describe(row), "logs": mask_logs(row.logs)} for row in history.rows if row.failed
        ],
        "rolled_back": [_describe(row) for row in history.rows if row.rolled_back],
        **plan.details,
        "drift": plan.drift,
    }


def _describe(row: PrismaRow) -> dict[str, t.Any]:
    return {
        "name": row.name,
        "checksum": row.checksum,
        "started_at": row.started_at,
        "seconds": None if row.seconds is None else round(row.seconds, 3),
    }
