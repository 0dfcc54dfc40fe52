"""A server with little room for locks: what cannot work is refused before anything is touched, with the cure."""

import typing as t

import pytest

from tests.integration.pg_place import Place

# Room for 26 x 10 locks by PostgreSQL's promise, and in truth for about twice as many.
LITTLE = (
    "max_locks_per_transaction=10",
    "max_connections=10",
    "autovacuum_worker_slots=1",
    "max_worker_processes=8",
    "max_wal_senders=5",
)


def make_tables(place: Place, count: int) -> None:
    for start in range(0, count, 50):
        names = range(start, min(count, start + 50))
        place.server.query(";".join(f"CREATE TABLE t{n} (id int PRIMARY KEY)" for n in names))


@pytest.fixture
def place(world) -> t.Iterator[Place]:
    made = Place(world, *LITTLE)
    yield made
    made.server.stop()


def test_a_restore_in_place_of_too_many_tables_is_refused_before_anything(place):
    make_tables(place, 100)
    assert place.backup().get("changed")
    for check in (True, False):
        result = place.restore(check=check)
        assert (result["failed"], result["reason"]) == (True, "Refused"), result
        assert "max_locks_per_transaction (now 10) to 64 or more" in result["msg"]
        assert result["msg"].endswith("Nothing was touched.")
        assert "standing" not in result


def test_a_dump_of_too_many_tables_is_refused_before_it_begins(place):
    make_tables(place, 600)
    result = place.backup()
    assert (result["failed"], result["reason"]) == (True, "Refused"), result
    assert "max_locks_per_transaction (now 10) to 64 or more" in result["msg"]
