"""Over the database itself: all in one transaction, so that every failure leaves what was there."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
from ansible_collections.easymo.deploy.plugins.module_utils._restore.databases import administering
from tests.integration.restoring import SPOILT, WHOLE, Restorable, restorable
from tests.integration.running import stand_in
from tests.tables import cases

# A later release: what the backup does not know, entangled with what it knows.
LATER = """
TRUNCATE shop.items;
DELETE FROM orders WHERE id > 12;
CREATE TABLE newcomers (id int PRIMARY KEY, order_id int REFERENCES orders);
ALTER TABLE orders ADD COLUMN newcomer int REFERENCES newcomers;
CREATE TABLE "odd ""name; x" (id int);
CREATE TYPE colour AS ENUM ('red');
CREATE FUNCTION paint(c colour, d text DEFAULT ':x') RETURNS colour LANGUAGE sql AS 'SELECT c';
ALTER TABLE orders ADD COLUMN colour colour DEFAULT paint('red');
CREATE TABLE parts (id int) PARTITION BY LIST (id);
CREATE VIEW newest AS SELECT id FROM orders;
ALTER TABLE shop.items ADD COLUMN other int;
ALTER TABLE orders ADD CONSTRAINT back FOREIGN KEY (id) REFERENCES orders;
CREATE SCHEMA later; CREATE TABLE later.kept AS SELECT 1 AS id;
"""
DROPPED = [
    'TABLE public.odd "name; x',
    "TABLE public.newcomers",
    "TABLE public.parts",
    "VIEW public.newest",
    "FUNCTION public.paint(public.colour, text)",
    "TYPE public.colour",
]


@pytest.fixture
def spoilt(world) -> t.Iterator[Restorable]:
    with restorable(world, method="in_place") as made:
        made.psql(LATER)
        made.psql(f"COMMENT ON DATABASE {made.database} IS 'The shop''s'")
        yield made


def test_a_restore_in_place_is_predicted_done_and_then_known_to_be_done(spoilt):
    predicted = spoilt.restore(check=True)
    assert (predicted["changed"], spoilt.orders()) == (True, SPOILT), predicted
    assert sorted(predicted["dropped"]) == sorted(DROPPED)

    done = spoilt.restore()
    assert done["changed"], done
    assert (sorted(done["dropped"]), done["kept"]) == (sorted(DROPPED), "")
    assert spoilt.orders() == WHOLE
    assert spoilt.psql(
        "SELECT count(*), to_regclass('public.newcomers'), to_regtype('colour'), twice(4),"
        " (SELECT count(*) FROM big), (SELECT count(*) FROM later.kept) FROM shop.items"
    ) == ["500|||8|1000|1"]
    assert spoilt.psql(
        "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'orders'::regclass AND attnum > 0"
    ) == ["id,note,total"]
    assert spoilt.databases()[spoilt.database].startswith("The shop's easymo.deploy pg_restore")

    for check in (True, False):
        again = spoilt.restore(check=check)
        assert (again["changed"], again["dropped"]) == (False, [])
        assert again["diff"]["before"] == again["diff"]["after"]


def untouched(spoilt: Restorable, result: dict[str, t.Any]) -> str:
    assert result["failed"], result
    assert spoilt.orders() == SPOILT
    assert spoilt.psql("SELECT count(*) FROM newest") == ["12"]
    assert "easymo.deploy" not in spoilt.databases()[spoilt.database]
    assert "serves unchanged" in result["standing"]
    assert result["msg"].endswith(result["standing"])
    return str(result["msg"])


def test_what_other_schemas_need_is_not_dropped(spoilt):
    spoilt.psql("CREATE VIEW later.needs AS SELECT id FROM orders")
    assert "depend on what is to be restored" in untouched(spoilt, spoilt.restore())


def test_who_is_connected_is_ended(spoilt):
    holder = spoilt.start_psql("BEGIN; LOCK orders; SELECT pg_sleep(30)")
    try:
        spoilt.wait_for_client("pg_sleep(30)")
        assert spoilt.restore(diff=False)["changed"]
    finally:
        holder.kill()
        holder.communicate()


@cases(
    ("program", "script", "words"),
    {
        "pg_restore-fails-midway": (
            "pg_restore",
            '[ "$1" = --list ] && exec {real} "$@"; {real} "$@" | head -c 60000; echo "error: it broke" >&2; exit 1',
            "pg_restore failed",
        ),
        "pg_restore-is-killed-midway": (
            "pg_restore",
            '[ "$1" = --list ] && exec {real} "$@"; {real} "$@" | head -c 60000; kill -9 $$',
            "exit code -9",
        ),
        "a-row-is-missing": (
            "pg_restore",
            '[ "$1" = --list ] && exec {real} "$@"; {real} "$@" | sed "/^1999\t/d"',
            "public.orders has 1999 instead of 2000",
        ),
        "psql-dies-midway": ("psql", 'head -c 30000 | {real} "$@"; exit 3', "psql failed"),
        "psql-is-killed": ("psql", 'head -c 30000 | {real} "$@"; kill -9 $$', "psql failed"),
        "psql-hangs": ("psql", "exec sleep 60", "did not end within 2 s"),
    },
)
def test_what_fails_midway_leaves_what_was_there(spoilt, tmp_path, program, script, words):
    fake = stand_in(tmp_path, program, script.format(real=spoilt.program(program)), version="18.6")
    result = spoilt.restore(**{program: fake, "timeout": 2})
    assert words in untouched(spoilt, result)


def test_clients_are_ended_but_not_what_steers_the_restore_of_another_database(spoilt):
    """Two databases of one server are restored at a time, and one of them is where the other's run connects."""
    client = spoilt.start_psql("SELECT 'a client', pg_sleep(60)")
    spoilt.wait_for_client("a client")
    login = {"connect_timeout": 10, "ssl_mode": "verify-full", **spoilt.options}
    with administering(PostgresTarget.from_params(login)) as steering:
        done = spoilt.restore()
        assert done["changed"], done
        assert steering.rows("SELECT 1") == [(1,)]
    _output, said = client.communicate(timeout=10)
    assert "terminating connection" in said
