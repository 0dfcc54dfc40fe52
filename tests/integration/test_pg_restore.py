"""Swapped in: the twelve steps, what a twin keeps, and what is refused before anything is touched."""

import re
import typing as t

import pytest

from sandbox.world import World
from tests.integration.restoring import SPOIL, SPOILT, WHOLE, Restorable, restorable
from tests.integration.running import stand_in
from tests.waiting import until_next_second


def test_a_restore_is_predicted_done_and_then_known_to_be_done(spoilt: Restorable) -> None:
    predicted = spoilt.restore(check=True)
    assert predicted["changed"]
    assert (spoilt.orders(), list(spoilt.databases())) == (SPOILT, [spoilt.database])
    assert predicted["rows"][0] == {
        "table": "public.orders",
        "before": 12,
        "backup": 2000,
        "after": None,
    }
    assert predicted["diff"]["after"]["rows"] == {"public.orders": 2000, "shop.items": 500}

    done = spoilt.restore()
    assert done["changed"], done
    assert (done["live"], spoilt.orders()) == (spoilt.database, WHOLE)
    assert re.fullmatch(rf"{spoilt.database}_failed_\d{{8}}_\d{{6}}", done["kept"])
    assert list(spoilt.databases()) == [spoilt.database, done["kept"]]
    assert spoilt.orders(done["kept"]) == SPOILT
    assert "Jane Doe" in spoilt.databases()[done["kept"]]
    assert done["diff"] == {**predicted["diff"], "before": done["diff"]["before"]}

    for check in (True, False):
        again = spoilt.restore(check=check)
        assert (again["changed"], again["kept"]) == (False, done["kept"])
        assert again["diff"]["before"] == again["diff"]["after"]
    assert list(spoilt.databases()) == [spoilt.database, done["kept"]]


def test_another_reason_is_another_restore(spoilt: Restorable) -> None:
    first = spoilt.restore(request="one")["kept"]
    spoilt.psql(SPOIL)
    assert not spoilt.restore(request="one")["changed"]
    assert spoilt.orders() == SPOILT
    # The database that is kept has the second in its name, and nobody restores twice in one.
    until_next_second()
    assert spoilt.restore(request="two", reason="Again")["changed"]
    assert spoilt.orders() == WHOLE
    assert first in spoilt.databases()
    assert len(spoilt.databases()) == 3


def test_exactly_the_backup_of_a_key_comes_back(spoilt: Restorable) -> None:
    older = spoilt.restore(check=True)["backup"]["key"]
    done = spoilt.restore(key=older, name=None, release=None)
    assert (done["backup"]["key"], spoilt.orders()) == (older, WHOLE)


ATTRIBUTES = """
SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider, datcollate, datctype, datlocale,
       datconnlimit, datallowconn, shobj_description(oid, 'pg_database')
FROM pg_database WHERE datname = '{0}'
"""
SETTINGS = """
SELECT setrole::regrole, unnest(setconfig) FROM pg_db_role_setting
JOIN pg_database d ON d.oid = setdatabase WHERE datname = '{0}' ORDER BY 1, 2
"""
GRANTS = """
SELECT grantee::regrole, privilege_type, is_grantable FROM pg_database, aclexplode(datacl)
WHERE datname = '{0}' ORDER BY 1, 2
"""


def test_the_twin_has_all_that_the_old_one_had(spoilt: Restorable) -> None:
    name = spoilt.database
    for statement in (
        "ALTER DATABASE {} OWNER TO easymo_admin",
        "ALTER DATABASE {} CONNECTION LIMIT 77",
        'ALTER DATABASE {} SET search_path TO shop, "$user", \'odd "name, x\'',
        "ALTER DATABASE {} SET statement_timeout TO '90s'",
        "ALTER DATABASE {} SET default_transaction_read_only TO on",
        "ALTER DATABASE {} SET easymo.motto TO 'it''s, \"so\"'",
        "ALTER ROLE anon IN DATABASE {} SET work_mem TO '5MB'",
        "REVOKE ALL ON DATABASE {} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {} TO anon WITH GRANT OPTION",
        "COMMENT ON DATABASE {} IS 'Of the shop: it''s \\ old'",
    ):
        spoilt.psql(statement.format(name), "template1")
    seen = [spoilt.psql(one.format(name), "template1") for one in (ATTRIBUTES, SETTINGS, GRANTS)]
    assert spoilt.restore()["changed"]
    assert [
        spoilt.psql(one.format(name), "template1") for one in (ATTRIBUTES, SETTINGS, GRANTS)
    ] == seen
    assert all(seen)
    assert spoilt.psql("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'") == [
        "supabase_admin"
    ]
    # The planner knows the data before users come back.
    assert spoilt.psql("SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'orders'") == ["t"]


def test_a_database_of_another_locale_gets_a_twin_of_that_locale(world: World) -> None:
    with restorable(world) as made:
        name = made.database
        made.psql(f"DROP DATABASE {name}", "template1")
        made.psql(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin"
            " BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'",
            "template1",
        )
        seen = made.psql(ATTRIBUTES.format(name), "template1")
        assert made.restore()["changed"]
        assert made.psql(ATTRIBUTES.format(name), "template1") == seen
        assert "|b|" in seen[0]


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"approved_by": ""}, "InvalidInput", "'by'"),
        ({"approved_by": "  "}, "InvalidInput", "'by'"),
        ({"reason": " "}, "InvalidInput", "'reason'"),
        (
            {"release": "3.0.0"},
            "InvalidInput",
            "no valid backup of 'orders_db' for release '3.0.0'",
        ),
        ({"key": "nowhere_20250101_000000_abcdef.dump"}, "InvalidInput", "no valid backup"),
        ({"release": None}, "InvalidInput", "Set 'key', or 'name' and 'release'"),
        ({"login_db": "agent_core_prod"}, "InvalidInput", "is a backup of database 'test_"),
        ({"login_db": "no_such_db"}, "InvalidInput", "There is no database 'no_such_db'"),
        ({"login_db": "x" * 64}, "InvalidInput", "longer than 63 bytes"),
        ({"state": "absent"}, "InvalidInput", "needs method 'scratch'"),
        ({"timeout": 0}, "InvalidInput", "'timeout'"),
        ({"login_password": "wrong-one"}, "Refused", "password authentication failed"),
        ({"secret_key": "wrong-one"}, "Refused", "refused access"),
        ({"bucket": "nowhere"}, "InvalidInput", "no bucket"),
        ({"pg_restore": "/nonexistent"}, "InvalidInput", "'pg_restore'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_touched(
    spoilt: Restorable, changed: dict[str, t.Any], reason: str, words: str
) -> None:
    for check in (True, False):
        result = spoilt.restore(check=check, **changed)
        assert (result.get("failed"), result.get("reason")) == (True, reason), result
        assert words in result["msg"]
        assert "wrong-one" not in str(result)
    assert list(spoilt.databases()) == [spoilt.database]


def test_an_old_pg_restore_is_refused_with_its_version(spoilt: Restorable, tmp_path: t.Any) -> None:
    old = stand_in(tmp_path, "pg_restore", "exit 1", version="15.20")
    assert "15.20" in spoilt.restore(pg_restore=old)["msg"]


def test_who_does_not_own_the_database_is_told_who_does(spoilt: Restorable, world: World) -> None:
    admin = world.facts("postgres")["databases"]["agent_core"]
    login = {
        "login_user": admin["user"],
        "login_password": admin["password"],
        "maintenance_db": "template1",
    }
    result = spoilt.restore(**login)
    assert result["reason"] == "Refused"
    assert "its owner is 'supabase_admin'" in result["msg"]
