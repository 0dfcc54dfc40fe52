# SPDX-License-Identifier: GPL-3.0-or-later
"""What production's two databases hold before the release: v1.9.0's schema, histories, rows.

`postgres` is Supabase's, with conversations and the catalogue; `agent_core_prod` is Prisma's, with money and orders.
Their tables are those of the migrations in `checkout/`, beside what a hosted project has by itself (`hosted/`).

The internal tester, INTERNAL_NUMBER, has a user, a wallet of INTERNAL_BALANCE_RWF, and TEST_VENDOR_ID, a vegetables
vendor with one product of TEST_PRICE_RWF, to order from.
"""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import closing, contextmanager
from pathlib import Path

from sandbox.application import (
    PRISMA_MIGRATIONS,
    SUPABASE_MIGRATIONS,
    application_files,
    checkout,
)
from sandbox.names import (
    AGENT_CORE_DATABASE,
    AGENT_CORE_USER,
    INTERNAL_NUMBER,
    PREVIOUS_VERSION,
    SUPABASE_DATABASE,
    SUPABASE_USER,
)
from sandbox.seed.history import (
    apply_prisma,
    apply_supabase,
    read_prisma_migrations,
    read_supabase_migrations,
)

if t.TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

HERE = Path(__file__).parent
PLATFORM = ("roles", "schemas", "auth", "storage", "realtime", "extensions")
"""What a hosted Supabase project has before its first migration, in order: files of hosted/."""

TEST_VENDOR_ID = "7e570000-0000-4000-8000-000000000001"
TEST_PRICE_RWF = 1_500
INTERNAL_BALANCE_RWF = 250_000


def volumes(megabytes: int) -> dict[str, int]:
    """Row counts by kind for about `megabytes` MB on disk with indexes; never none of a kind."""
    return {
        "users": max(40, 125 * megabytes),
        "vendors": max(20, 12 * megabytes),
        "orders": max(60, 500 * megabytes),
        "messages": max(100, 1_000 * megabytes),
    }


def platform_sql(name: str) -> str:
    """A file of hosted/, to be run by the superuser."""
    return _sql(f"hosted/{name}")


def _sql(name: str) -> str:
    return (HERE / f"{name}.sql").read_text(encoding="utf-8")


def fingerprint(megabytes: int) -> str:
    """Changes when what `seed` writes may change: name a cached database folder by it."""
    digest = hashlib.sha256(str(megabytes).encode())
    own = (*sorted(HERE.glob("*.py")), *sorted(HERE.rglob("*.sql")))
    contents = {path.relative_to(HERE).as_posix(): path.read_bytes() for path in own}
    migrations = application_files(PREVIOUS_VERSION)
    contents |= {name: text for name, text in migrations.items() if name.endswith(".sql")}
    for name, content in contents.items():
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:16]


def seed(connect: t.Callable[[str], connection], megabytes: int) -> None:
    """Fill two empty databases with about `megabytes` MB in all, the same rows every time.

    `connect` takes a database's name and returns a superuser's connection; `easymo_admin` exists.
    """
    values = {
        **volumes(megabytes),
        "internal_number": INTERNAL_NUMBER,
        "internal_balance_rwf": INTERNAL_BALANCE_RWF,
        "test_vendor_id": TEST_VENDOR_ID,
        "test_price_rwf": TEST_PRICE_RWF,
    }
    with checkout(PREVIOUS_VERSION) as previous:
        with _transaction(connect(SUPABASE_DATABASE)) as cursor:
            for name in PLATFORM:
                cursor.execute(platform_sql(name))
            cursor.execute(f"SET ROLE {SUPABASE_USER}")
            apply_supabase(cursor, read_supabase_migrations(previous / SUPABASE_MIGRATIONS))
            cursor.execute(_sql("supabase"), values)
            cursor.execute("RESET ROLE")
            cursor.execute(platform_sql("rows"), values)
        with _transaction(connect(AGENT_CORE_DATABASE)) as cursor:
            cursor.execute(f"GRANT ALL ON SCHEMA public TO {AGENT_CORE_USER}")
            cursor.execute(f"SET ROLE {AGENT_CORE_USER}")
            apply_prisma(cursor, read_prisma_migrations(previous / PRISMA_MIGRATIONS))
            cursor.execute(_sql("agent_core"), values)


@contextmanager
def _transaction(connection: connection) -> t.Iterator[cursor]:
    with closing(connection), connection, connection.cursor() as cursor:
        yield cursor
