"""The database the corpus is judged against."""

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.catalog import (
    Catalog,
    Column,
    Domain,
    Fired,
    RowSecurity,
    TriggerFunction,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.parser import Name
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.routines import (
    Signature,
)

_INT, _UUID, _TEXT, _TRIGGER = (Name(None, each) for each in ("int4", "uuid", "text", "trigger"))

_TOUCH = """CREATE FUNCTION public.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.created_at := now(); RETURN NEW; END $$"""
_COUNT = """CREATE FUNCTION public.count_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE users SET name = 'x' WHERE id = NEW.user_id; RETURN NULL; END $$"""

_COLUMNS = {
    "users": {
        "id": Column("uuid", -1, not_null=True),
        "email": Column("varchar", 104, not_null=False, has_default=False),
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
    "active_users": {
        "id": Column("uuid", -1, not_null=False),
        "name": Column("text", -1, not_null=False),
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
        ("app", "mine"): "v",
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
        ("public", "users"): "c",  # of its rows
        ("public", "order_status"): "e",
        ("public", "positive_amount"): "d",
        ("public", "note"): "d",
        ("public", "ticket"): "d",
        ("public", "grade"): "d",
        ("public", "address"): "c",
    },
    domains={
        ("public", "positive_amount"): Domain(rewrites=True),
        ("public", "note"): Domain(rewrites=False),
        ("public", "ticket"): Domain(rewrites=False, default="gen_random_uuid()"),
        ("public", "grade"): Domain(rewrites=False, default="5"),
    },
    functions={
        ("public", "touch_updated_at"): (Signature((), (), columns=(("", _TRIGGER),)),),
        ("public", "archive_old"): (
            Signature((_INT,), ("days",), columns=(("", Name(None, "void")),)),
        ),
        ("public", "total_of"): (
            Signature((_INT,), ("",), columns=(("", _INT),)),
            Signature((_UUID,), ("",), columns=(("", _INT),)),
        ),
        ("public", "near"): (
            Signature(
                (_INT, _INT),
                ("x", "y"),
                optional=1,
                returns_set=True,
                columns=(("id", _UUID), ("title", _TEXT)),
            ),
        ),
    },
    volatile={
        ("public", "total_of"): False,
        ("public", "make_code"): True,
        ("pg_catalog", "random"): True,
    },
    row_security={
        ("public", "people"): RowSecurity(enabled=True, forced=True),
        ("public", "users"): RowSecurity(enabled=False, forced=False),
        ("public", "orders"): RowSecurity(enabled=False, forced=False),
    },
    policies=frozenset({("public", "users", "Read own")}),
    triggers={
        ("public", "users", "users_touch"): TriggerFunction(
            ("public", "touch_updated_at"), before_row=True
        )
    },
    view_options={
        ("public", "active_users"): frozenset(),
        ("app", "mine"): frozenset({"security_invoker", "check_option=local"}),
    },
    fired={
        ("public", "users"): (Fired("users_touch", 20, _TOUCH), Fired("users_search", 4, "")),
        ("public", "orders"): (Fired("orders_count", 4, _COUNT),),
        ("public", "Wallet"): (Fired("keep", 4, "?"),),
    },
    granted={
        ("public", "users"): frozenset({"postgres", "authenticated"}),
        ("public", "orders"): frozenset({"postgres"}),
        ("storage", "buckets"): frozenset({"postgres"}),
        ("storage", "objects"): frozenset({"postgres"}),
    },
    foreign_relations=frozenset({("storage", "buckets")}),
    system_relations=frozenset({"columns"}),
    swallowing=frozenset({("public", "drop_row")}),
    sizes={("public", "settings"): 8192, ("public", "orders"): 2**30, ("public", "users"): 2**30},
    rules=frozenset({("public", "orders", "keep")}),
    extensions=frozenset({"pgcrypto"}),
)
