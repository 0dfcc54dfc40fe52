# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with little room for locks: what cannot work is refused before anything is touched, with the cure."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.world import World
from tests.integration.pg_place import Place

# Room for 26 x 10 locks by PostgreSQL's promise, and in truth for about twice as many.
LITTLE = (
    "max_locks_per_transaction=10",
    "max_connections=10",
    "autovacuum_worker_slots=1",
    "max_worker_processes=8",
    "max_wal_senders=5",
)
MORE = "max_locks_per_transaction=100"


def make_tables(place: Place, count: int) -> None:
    for start in range(0, count, 50):
        names = range(start, min(count, start + 50))
        place.server.query(";".join(f"CREATE TABLE t{n} (id int PRIMARY KEY)" for n in names))


@pytest.fixture
def make(world: World) -> t.Iterator[t.Callable[..., Place]]:
    made: list[Place] = []

    def one(*settings: str) -> Place:
        made.append(Place(world, *settings))
        return made[-1]

    yield one
    for place in made:
        place.server.stop()


def test_a_restore_in_place_of_too_many_tables_is_refused_before_anything(
    make: t.Callable[..., Place],
) -> None:
    place = make(*LITTLE)
    make_tables(place, 100)
    assert place.backup().get("changed")
    for check in (True, False):
        result = place.restore(check=check)
        assert (result["failed"], result["reason"]) == (True, "Refused"), result
        assert "max_locks_per_transaction (now 10) to 64 or more" in result["msg"]
        assert result["msg"].endswith("Nothing was touched.")
        assert "standing" not in result


def test_what_has_room_is_restored_in_place(make: t.Callable[..., Place]) -> None:
    place = make(*LITTLE, MORE)
    make_tables(place, 100)
    assert place.backup().get("changed")
    done = place.restore()
    assert done.get("changed"), done


def test_a_dump_of_too_many_tables_is_refused_before_it_begins(
    make: t.Callable[..., Place],
) -> None:
    place = make(*LITTLE)
    make_tables(place, 600)
    result = place.backup()
    assert (result["failed"], result["reason"]) == (True, "Refused"), result
    assert "max_locks_per_transaction (now 10) to 64 or more" in result["msg"]


def test_a_lock_table_that_is_full_is_called_by_its_name(make: t.Callable[..., Place]) -> None:
    """Between what is promised and what surely fails nobody knows; so the failure tells."""
    place = make(*LITTLE)
    make_tables(place, 430)
    result = place.backup()
    if result.get("failed"):
        assert "raise max_locks_per_transaction" in result["msg"], result
    else:
        assert len(result["backup"]["rows"]) == 430
