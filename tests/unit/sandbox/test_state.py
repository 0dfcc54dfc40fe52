import os
import threading
from pathlib import Path

import pytest

from sandbox.cache import cached
from sandbox.processes import Phase, ProcessId, note, records
from sandbox.seaweedfs import COMPONENT as SEAWEEDFS
from sandbox.world import StateError, World, claim_block


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def test_ports_and_secrets_stay_what_they_were(world):
    assert world.port("a") == world.port("a") != world.port("b")
    assert world.secret("x") == world.secret("x") != world.secret("y")
    again = World(world.directory)
    assert again.port("a") == world.port("a")
    assert again.secret("x") == world.secret("x")


def test_a_wanted_port_goes_to_who_asks_under_its_name(world):
    with world.changing() as state:
        state["wanted_ports"] = {"a": 23456, "typo": 23457}
    assert world.port("a") == 23456
    assert world.state()["wanted_ports"] == {"typo": 23457}


def test_no_two_sandboxes_claim_one_block_of_ports(world):
    claimed = [claim_block() for _ in range(20)]
    try:
        assert len({block for block, _ in claimed}) == 20
        with world.changing() as state:
            state["port_block"] = block = claimed[0][0]
        assert all(block < world.port(name) < block + 100 for name in "abc")
    finally:
        for _, guard in claimed:
            guard.close()


def test_seaweedfs_takes_no_port_whose_socket_another_left(world, tmp_path):
    """A file of another user in /tmp cannot be removed; all connections to it would be refused."""
    block, guard = claim_block()
    with guard:
        for place in (world, again := World(tmp_path / "again")):
            with place.changing() as state:
                state["port_block"] = block
        left = SEAWEEDFS.process(world).leaves[0]
        left.touch()
        try:
            assert left not in SEAWEEDFS.process(again).leaves
        finally:
            left.unlink()


def test_making_a_secret_may_ask_for_another(world):
    assert world.secret("outer", lambda: world.secret("inner") + "!") == world.secret("inner") + "!"


def test_threads_agree(world):
    found: list[tuple[int, str]] = []
    threads = [
        threading.Thread(target=lambda: found.append((world.port("a"), world.secret("a"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_the_state_is_for_its_owner_alone(world):
    world.secret("x")
    assert world.state_file.stat().st_mode & 0o777 == 0o600


def test_facts_of_what_is_not_up_are_an_error_with_the_cure(world):
    with pytest.raises(StateError, match=r"'valkey' is not up: run"):
        world.facts("valkey")


def test_a_record_survives_the_state_file(world):
    me = ProcessId.of(os.getpid())
    note(world, "valkey", Phase.READY, process=me, seconds=1.2345)
    record = records(world)["valkey"]
    assert (record.phase, record.process, record.seconds) == (Phase.READY, me, 1.234)


def test_a_pid_that_was_used_again_is_dead(world):
    mine = ProcessId.of(os.getpid())
    note(world, "a", Phase.READY, process=ProcessId(mine.pid, mine.started - 1), seconds=0)
    assert records(world)["a"].phase is Phase.DEAD


def test_what_has_no_process_yet_is_not_dead(world):
    note(world, "a", Phase.WAITING, process=None, seconds=0)
    assert records(world)["a"].phase is Phase.WAITING


def test_a_cached_folder_is_made_once_and_whole_or_not_at_all(tmp_path):
    calls = []

    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError(28, "No space left on device")

    def works(folder: Path) -> None:
        calls.append(folder)
        (folder / "whole").touch()

    with pytest.raises(OSError, match="No space"):
        cached(tmp_path, "thing", fails)
    assert not (tmp_path / "thing").exists()
    for _ in range(2):
        made = cached(tmp_path, "thing", works)
    assert [path.name for path in made.iterdir()] == ["whole"]
    assert len(calls) == 1
