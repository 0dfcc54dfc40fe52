"""The database the corpus is judged against."""

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.catalog import (
    Catalog,
    Column,
    Domain,
    Fired,
    Grant,
    Policy,
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

_OLD = "CREATE OR REPLACE FUNCTION public.{} RETURNS integer LANGUAGE sql AS $$ {} $$"

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


def _grants(*written: str) -> frozenset[Grant]:
    return frozenset(Grant(*each.split(" ")) for each in written)


SHOP = Catalog(
    search_path=("public",),
    user="postgres",
    maker="postgres",
    schemas=frozenset({"public", "app", "auth", "storage", "extensions", "pg_catalog"}),
    relations={
        ("public", "users"): "r",
        ("public", "orders"): "r",
        ("public", "settings"): "r",
        ("public", "people"): "r",
        ("public", "Wallet"): "r",
        ("public", "events"): "p",
        ("public", "visits"): "p",
        ("public", "hits"): "p",
        ("public", "events_2025"): "r",
        ("public", "active_users"): "v",
        ("public", "phones"): "v",
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
        ("public", "users", "users_email_key"): "UNIQUE (email)",
        ("public", "users", "users_name_given"): "CHECK ((name IS NOT NULL)) NOT VALID",
        ("public", "orders", "orders_total_check"): "CHECK ((total >= (0)::numeric))",
        (
            "public",
            "orders",
            "orders_kind_check",
        ): "CHECK ((kind = ANY (ARRAY['a'::text, 'b'::text])))",
        ("public", "orders", "orders_user_id_fkey"): "FOREIGN KEY (user_id) REFERENCES users(id)",
        ("public", "orders", "orders_numbered"): "CHECK (((number IS NOT NULL) AND (number > 0)))",
    },
    index_columns={("public", "orders_ids"): ("id", "courier_id")},
    default_partitions={
        ("public", "visits"): ("public", "visits_rest"),
        ("public", "hits"): ("public", "hits_rest"),
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
        ("public", "pay"): (Signature((_INT,), ("sum",), columns=(("", _INT),)),),
        ("public", "boom"): (Signature((), ()),),
        ("public", "boom_through"): (Signature((), ()),),
        ("public", "slug_of"): (Signature((_TEXT,), ("",)),),
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
    calls={("public", "people"): frozenset({Name("public", "boom"), Name("public", "slug_of")})},
    definitions={
        ("public", "boom"): (_OLD.format("boom()", "DELETE FROM users RETURNING 1"),),
        ("public", "boom_through"): (_OLD.format("boom_through()", "SELECT boom()"),),
        ("public", "slug_of"): (_OLD.format("slug_of(text)", "SELECT length($1)"),),
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
    policies={
        ("public", "users", "Read own"): Policy("r", frozenset({"authenticated"}), permissive=True)
    },
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
        ("relation", "public", "users"): _grants(
            "postgres OWNER", "authenticated INSERT", "authenticated SELECT"
        ),
        ("relation", "public", "orders"): _grants("postgres OWNER", "postgres INSERT"),
        ("relation", "public", "phones"): _grants("postgres OWNER", "clerk SELECT"),
        ("relation", "storage", "buckets"): _grants("postgres OWNER"),
        ("relation", "storage", "objects"): _grants("postgres OWNER"),
        ("function", "public", "pay", "int4"): _grants("postgres OWNER", "clerk EXECUTE"),
        ("function", "public", "near", "int4,int4"): _grants("postgres OWNER", " EXECUTE"),
        ("schema", "app"): _grants("postgres OWNER", "clerk USAGE"),
        ("type", "public", "order_status"): _grants("postgres OWNER"),
    },
    default_granted={("relation", "app"): _grants("clerk SELECT")},
    foreign_relations=frozenset({("storage", "buckets")}),
    system_relations=frozenset({"columns"}),
    swallowing=frozenset({("public", "drop_row")}),
    sizes={
        ("public", "settings"): 8192,
        ("public", "hits_rest"): 0,
        ("public", "orders"): 2**30,
        ("public", "users"): 2**30,
    },
    rules=frozenset({("public", "orders", "keep")}),
    extensions=frozenset({"pgcrypto"}),
)
