"""Into a database made for it: the twelve steps, and that nothing but such a one is ever dropped."""

import typing as t

import pytest

from tests.integration.restoring import Restorable, restorable

WHOLE = "2000|2001000"


@pytest.fixture
def place(world) -> t.Iterator[Restorable]:
    with restorable(world, method="scratch", approved_by=None, reason=None) as made:
        yield made


def test_a_scratch_database_comes_and_goes(place):
    scratch = f"{place.database}_look"
    place.psql(f"ALTER DATABASE {place.database} SET work_mem TO '6MB'", "template1")

    assert place.restore(check=True, login_db=scratch)["changed"]
    assert scratch not in place.databases()
    assert place.restore(login_db=scratch)["changed"]
    assert (place.orders(scratch), place.orders()) == (WHOLE, WHOLE)
    assert place.psql("SHOW work_mem", scratch) == ["6MB"]
    for check in (True, False):
        assert not place.restore(check=check, login_db=scratch)["changed"]

    assert place.restore(login_db=scratch, request="another")["changed"]
    for check in (True, False):
        gone = place.restore(check=check, login_db=scratch, state="absent")
        assert (gone["changed"], gone["diff"]["before"]) == (True, {"databases": [scratch]})
        assert (scratch in place.databases()) == check
    for check in (True, False):
        assert not place.restore(check=check, login_db=scratch, state="absent")["changed"]
    assert place.orders() == WHOLE


def test_a_copy_with_a_subscription_is_dropped(place):
    scratch = f"{place.database}_look"
    place.psql(
        "CREATE SUBSCRIPTION news CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p"
        " WITH (connect = false, slot_name = 'news')"
    )
    key = place.backup(release="2.0.1")["key"]
    for statement in ("ALTER SUBSCRIPTION news SET (slot_name = NONE)", "DROP SUBSCRIPTION news"):
        place.psql(statement)
    assert place.restore(login_db=scratch, key=key)["changed"]
    assert place.psql("SELECT subname FROM pg_subscription") == ["news"]
    gone = place.restore(login_db=scratch, state="absent")
    assert gone.get("changed"), gone
    assert scratch not in place.databases()
    assert place.psql("SELECT count(*) FROM pg_subscription") == ["0"]


def test_what_no_restore_made_is_neither_replaced_nor_dropped(place):
    for state in ("present", "absent"):
        result = place.restore(state=state)
        assert result["reason"] == "Conflict"
        assert "not a scratch database of ours" in result["msg"]
    assert place.orders() == WHOLE


def test_owners_that_are_not_there_fail_with_the_way_out(place):
    scratch, role = f"{place.database}_look", f"{place.database}_owner"
    place.psql(f"CREATE ROLE {role}; ALTER TABLE orders OWNER TO {role}")
    backup = place.backup(release="2.0.1")
    place.psql(f"ALTER TABLE orders OWNER TO postgres; DROP ROLE {role}")
    result = place.restore(login_db=scratch, key=backup["key"])
    assert f'role "{role}" does not exist' in result["msg"]
    assert "Option 'owners' set to 'skip'" in result["msg"]
    assert scratch not in place.databases()
    assert f"{scratch!r} was dropped" in result["standing"]
    assert place.restore(login_db=scratch, key=backup["key"], owners="skip")["changed"]
    assert place.orders(scratch) == WHOLE
