# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The history table of Prisma Migrate: read it, make it, and write a migration's row as it goes."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_plan import (
    PrismaHistory,
    PrismaRow,
)

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session

# pg_advisory_lock of this number is what Prisma itself takes.
ADVISORY_LOCK = 72707369

_CREATE = """
CREATE TABLE _prisma_migrations (
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
       extract(epoch FROM finished_at - started_at)::float8
FROM _prisma_migrations ORDER BY started_at
"""


def use_schema(session: Session, schema: str) -> None:
    session.rows(
        "SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(%s), false)", (schema,)
    )


def read_history(session: Session, schema: str) -> PrismaHistory:
    """Of the schema that `use_schema` has set."""
    relations = {str(row[0]) for row in session.rows(_RELATIONS, (schema, schema))}
    exists = "_prisma_migrations" in relations
    rows = session.rows(_ROWS) if exists else []
    return PrismaHistory(
        exists=exists,
        empty=not relations - {"_prisma_migrations"},
        rows=tuple(PrismaRow(*row) for row in rows),
    )


def create_history(session: Session) -> None:
    session.execute(_CREATE)


def insert_started(session: Session, row_id: str, name: str, checksum: str) -> None:
    session.execute(
        "INSERT INTO _prisma_migrations (id, checksum, started_at, migration_name) VALUES (%s, %s, now(), %s)",
        (row_id, checksum, name),
    )


def record_finished(session: Session, row_id: str) -> None:
    # Two steps as in Prisma, so that a kill between them leaves what a kill of Prisma leaves.
    session.execute(
        "UPDATE _prisma_migrations SET applied_steps_count = applied_steps_count + 1 WHERE id = %s",
        (row_id,),
    )
    session.execute("UPDATE _prisma_migrations SET finished_at = now() WHERE id = %s", (row_id,))


def record_failed(session: Session, row_id: str, logs: str) -> None:
    session.execute("UPDATE _prisma_migrations SET logs = %s WHERE id = %s", (logs, row_id))
