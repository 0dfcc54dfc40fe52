# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies migration files; writes the histories that the Supabase CLI and Prisma would write."""

from __future__ import annotations

import hashlib
import re
import typing as t
import uuid
from dataclasses import dataclass
from pathlib import Path

if t.TYPE_CHECKING:
    from psycopg2.extensions import cursor

# Enough for the checkout's files; the CLI also knows parentheses, ATOMIC, nested comments.
TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|--[^\n]*|/\*.*?\*/|(?P<end>;)|.",
    re.DOTALL,
)

SUPABASE_HISTORY = """
CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
    version text NOT NULL PRIMARY KEY
);
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS statements text[];
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text;
"""
PRISMA_HISTORY = """
CREATE TABLE _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True)
class SupabaseMigration:
    version: str
    name: str
    script: str

    @property
    def statements(self) -> tuple[str, ...]:
        return split_statements(self.script)


@dataclass(frozen=True)
class PrismaMigration:
    name: str
    checksum: str
    script: str

    @property
    def row_id(self) -> str:
        """A version 4 UUID like Prisma's, but always the same one for the same migration."""
        return str(uuid.UUID(bytes=hashlib.md5(self.name.encode()).digest(), version=4))  # noqa: S324


def split_statements(script: str) -> tuple[str, ...]:
    """Cut at each `;` outside quotes and comments; a comment stays with what follows it."""
    ends = [match.start() for match in TOKEN.finditer(script) if match["end"]]
    starts = [0, *(end + 1 for end in ends)]
    pieces = (script[a:b].strip() for a, b in zip(starts, [*ends, len(script)], strict=True))
    return tuple(piece for piece in pieces if piece)


def read_supabase_migrations(folder: Path) -> tuple[SupabaseMigration, ...]:
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        version, _, name = path.stem.partition("_")
        migrations.append(SupabaseMigration(version, name, path.read_text(encoding="utf-8")))
    return tuple(migrations)


def read_prisma_migrations(folder: Path) -> tuple[PrismaMigration, ...]:
    return tuple(
        PrismaMigration(
            name=path.parent.name,
            checksum=hashlib.sha256(path.read_bytes()).hexdigest(),
            script=path.read_text(encoding="utf-8"),
        )
        for path in sorted(folder.glob("*/migration.sql"))
    )


def apply_supabase(handle: cursor, migrations: t.Iterable[SupabaseMigration]) -> None:
    handle.execute(SUPABASE_HISTORY)
    for migration in migrations:
        handle.execute(migration.script)
        handle.execute(
            "INSERT INTO supabase_migrations.schema_migrations (version, name, statements)"
            " VALUES (%s, %s, %s)",
            (migration.version, migration.name, list(migration.statements)),
        )


def apply_prisma(handle: cursor, migrations: t.Iterable[PrismaMigration]) -> None:
    handle.execute(PRISMA_HISTORY)
    for migration in migrations:
        handle.execute(migration.script)
        # The first 14 digits of a name are when it was written; it was deployed on the same day.
        handle.execute(
            "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at,"
            " applied_steps_count) SELECT %s, %s, %s, at, at + interval '184 milliseconds', 1"
            " FROM to_timestamp(%s, 'YYYYMMDDHH24MISS') AS at",
            (migration.row_id, migration.checksum, migration.name, migration.name[:14]),
        )
