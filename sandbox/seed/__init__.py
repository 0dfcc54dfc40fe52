# SPDX-License-Identifier: GPL-3.0-or-later
"""What production's two databases hold before the release: v1.9.0's schema, histories, rows.

Conversations and the catalogue live in Supabase, money and orders in agent-core's database.

`postgres` (Supabase, tables owned by `postgres`; v1.9.0's files under supabase/migrations are the
truth):

- users(id uuid, phone '2507…' unique, display_name, language rw|en|fr|sw, is_internal bool,
  created_at, updated_at)
- vendors(id uuid, owner_id -> users, name, category, phone, district, latitude, longitude, rating,
  is_open, created_at); `search_vendors(query text, at_most int)` returns open vendors whose
  category or name occurs in query
- products(id uuid, vendor_id -> vendors, name, unit, price_rwf bigint, in_stock bool)
- stations(id, name, district, latitude, longitude, fuels text[]); drivers(id, user_id -> users,
  vehicle moto|cab|truck, plate, district, is_online, rating); properties(id, owner_id -> users,
  title, district, bedrooms, monthly_rent_rwf, listed_at)
- whatsapp_messages(id bigint, message_id unique, phone, direction in|out, body, payload jsonb,
  created_at)
- beside the migrations: accounts(id -> auth.users, user_id -> users, picture_id -> storage.objects),
  made by a trigger on auth.users; hosted/ has the platform's own roles, schemas and rows
- with v2.0.0: agent_sessions(id uuid, phone, agent, status
  pending|active|completed|expired|failed, context jsonb, created_at, updated_at, completed_at);
  agent_requests(id bigint, session_id, message_id, phone, agent, message, reply, success bool,
  duration_ms int, error, created_at); agent_metrics(id bigint, agent, window_start,
  window_seconds, requests, successes, errors, fallbacks, p95_ms; unique on the first three after
  id); agent_fallbacks(id bigint, session_id, message_id, phone, agent, reason
  error|timeout|disabled|rate_limited|low_confidence, detail, created_at)

`agent_core_prod` (Prisma, tables owned by `easymo_admin`):

- wallets(id uuid, phone unique, balance_rwf bigint >= 0, created_at, updated_at; v2.0.0 adds
  preferred_agent)
- orders(id uuid, phone, vendor_id = a Supabase vendor's id, status
  pending|paid|fulfilled|cancelled, total_rwf bigint > 0, created_at, paid_at)
- order_items(id uuid, order_id -> orders, product, quantity int, unit_price_rwf)
- payments(id uuid, order_id -> orders unique, wallet_id -> wallets, amount_rwf, created_at): the
  unique order_id is what makes paying twice impossible
- ledger_entries(id bigserial, wallet_id -> wallets, payment_id -> payments, amount_rwf signed,
  balance_after_rwf, created_at)
- with v2.0.0: agent_preferences(phone primary key, opted_out bool, language, updated_at)

All ids default to gen_random_uuid(), all times to now(). The internal tester, INTERNAL_NUMBER, has
a user, a wallet of INTERNAL_BALANCE_RWF, and TEST_VENDOR_ID, a vegetables vendor with one product
of TEST_PRICE_RWF, to order from.
"""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import closing
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
from sandbox.seed.rows import INTERNAL_BALANCE_RWF, TEST_PRICE_RWF, TEST_VENDOR_ID, bindings

if t.TYPE_CHECKING:
    from psycopg2.extensions import connection

__all__ = (
    "INTERNAL_BALANCE_RWF",
    "PLATFORM",
    "TEST_PRICE_RWF",
    "TEST_VENDOR_ID",
    "fingerprint",
    "platform_sql",
    "seed",
)

HERE = Path(__file__).parent
PLATFORM = ("roles", "schemas", "auth", "storage", "realtime", "extensions")
"""What a hosted Supabase project has before its first migration, in order: files of hosted/."""


def platform_sql(name: str) -> str:
    """A file of hosted/, to be run by the superuser."""
    return (HERE / "hosted" / f"{name}.sql").read_text(encoding="utf-8")


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
    values = bindings(megabytes)
    with (
        checkout(PREVIOUS_VERSION) as previous,
        closing(connect(SUPABASE_DATABASE)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for name in PLATFORM:
            cursor.execute(platform_sql(name))
        cursor.execute(f"SET ROLE {SUPABASE_USER}")
        apply_supabase(cursor, read_supabase_migrations(previous / SUPABASE_MIGRATIONS))
        cursor.execute((HERE / "supabase.sql").read_text(encoding="utf-8"), values)
        cursor.execute("RESET ROLE")
        cursor.execute(platform_sql("rows"), values)
    with (
        checkout(PREVIOUS_VERSION) as previous,
        closing(connect(AGENT_CORE_DATABASE)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"GRANT ALL ON SCHEMA public TO {AGENT_CORE_USER}")
        cursor.execute(f"SET ROLE {AGENT_CORE_USER}")
        apply_prisma(cursor, read_prisma_migrations(previous / PRISMA_MIGRATIONS))
        cursor.execute((HERE / "agent_core.sql").read_text(encoding="utf-8"), values)
