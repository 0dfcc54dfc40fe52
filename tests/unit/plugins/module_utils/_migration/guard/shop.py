# SPDX-License-Identifier: GPL-3.0-or-later
"""The database the corpus is judged against."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.catalog import (
    Catalog,
    Column,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.names import Name

_COLUMNS = {
    "users": {
        "id": Column("uuid", -1, not_null=True),
        "email": Column("varchar", 104, not_null=False),
        "name": Column("text", -1, not_null=False),
        "phone": Column("text", -1, not_null=True),
        "created_at": Column("timestamptz", -1, not_null=True),
    },
    "orders": {
        "id": Column("uuid", -1, not_null=True),
        "user_id": Column("uuid", -1, not_null=True),
        "courier_id": Column("uuid", -1, not_null=False),
        "number": Column("int8", -1, not_null=False),
        "total": Column("numeric", -1, not_null=True),
        "status": Column("order_status", -1, not_null=True),
    },
}

SHOP = Catalog(
    search_path=("public",),
    user="postgres",
    schemas=frozenset({"public", "app", "auth", "storage", "extensions", "pg_catalog"}),
    relations={
        ("public", "users"): "r",
        ("public", "orders"): "r",
        ("public", "settings"): "r",
        ("public", "people"): "r",
        ("public", "Wallet"): "r",
        ("public", "events"): "p",
        ("public", "events_2025"): "r",
        ("public", "active_users"): "v",
        ("public", "daily_totals"): "m",
        ("public", "order_numbers"): "S",
        ("public", "users_email_key"): "i",
        ("public", "orders_user_id_idx"): "i",
        ("storage", "buckets"): "r",
        ("storage", "objects"): "r",
    },
    columns={
        ("public", table, name): column
        for table, columns in _COLUMNS.items()
        for name, column in columns.items()
    },
    constraints={
        ("public", "users", "users_email_key"): "u",
        ("public", "orders", "orders_total_check"): "c",
        ("public", "orders", "orders_user_id_fkey"): "f",
    },
    types={
        ("public", "order_status"): "e",
        ("public", "positive_amount"): "d",
        ("public", "address"): "c",
    },
    functions={
        ("public", "touch_updated_at"): ((),),
        ("public", "archive_old"): ((Name(None, "int4"),),),
        ("public", "total_of"): ((Name(None, "int4"),), (Name(None, "uuid"),)),
    },
    policies=frozenset({("public", "users", "Read own")}),
    triggers=frozenset({("public", "users", "users_touch")}),
    rules=frozenset({("public", "orders", "keep")}),
    extensions=frozenset({"pgcrypto"}),
)
