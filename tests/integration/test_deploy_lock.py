"""The lock in a real cluster, with runs that are real processes: one wins, dies, and is succeeded."""

import json
import os
import signal
import threading
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import Locking
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import (
    LockClaim,
    LockedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run, never_alive
from ansible_collections.easymo.deploy.plugins.modules import deploy_lock
from tests.integration.conftest import Place, Result
from tests.integration.plays import Player, connection
from tests.tables import cases
from tests.waiting import until

NAME = "easymo-deploy"
KEEPER = "easymo.com/lock-keeper"


@pytest.fixture
def place(place) -> t.Iterator[Place]:
    """Without a keeper left behind."""
    yield place
    place.run(deploy_lock, state="free", force=True, reason="the test is over")


def ask(place: Place, **params: t.Any) -> Result:
    return place.run(deploy_lock, **params)


def lease(place: Place) -> tuple[str, int]:
    """Holder and epoch, as kubectl sees them; ("", 0) when there is no Lease."""
    found = place.read("leases")["items"]
    mine = [one["spec"] for one in found if one["metadata"]["name"] == NAME]
    return (
        (mine[0].get("holderIdentity", ""), mine[0].get("leaseTransitions", 0)) if mine else ("", 0)
    )


def freeze(place: Place, **data: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deploy-freeze"}}
    place.kubectl("create", "-f", "-", stdin=json.dumps({**body, "data": data}))


BY_HAND = {"manual": True, "holder": "ann", "reason": "the data centre moves", "ticket": "OPS-1"}


@cases(
    "steps",
    {
        "of a run": [{"release": "2.0.0"}, {"release": "2.0.1"}, {"state": "free"}],
        "by hand": [BY_HAND, {**BY_HAND, "reason": "it moved"}, {**BY_HAND, "state": "free"}],
    },
)
def test_taken_changed_and_freed_in_check_mode_for_real_and_again(place, steps):
    for number, step in enumerate(steps):
        before = lease(place)
        predicted = ask(place, check_mode=True, **step)
        assert predicted["changed"] is True
        assert lease(place) == before
        done = ask(place, **step)
        assert (done["changed"], done["fence"]) == (True, predicted["fence"])
        assert done["diff"]["before"] != done["diff"]["after"]
        after = lease(place)
        assert ask(place, check_mode=True, **step)["changed"] is False
        again = ask(place, **step)
        assert (again["changed"], lease(place)) == (False, after)
        assert again["diff"]["before"] == again["diff"]["after"]
        assert (after[0] != "", after[1]) == (number < 2, 1)


def test_reading_it_tells_it_in_words(place):
    told = place.run(deploy_lock, state="read")
    assert (told["lock"]["held"], told["freeze"]) == (False, {})
    assert told["sentence"] == "The deploy lock 'easymo-deploy' is free."
    ask(place, **BY_HAND)
    freeze(place, reason="Black Friday", by="eve")
    told = place.run(deploy_lock, state="read")
    assert told["sentence"].startswith("Ann holds 'easymo-deploy', set by hand since 20")
    assert "(the data centre moves; OPS-1)" in told["sentence"]
    assert told["sentence"].endswith("Deployments are frozen by eve: Black Friday.")


@pytest.mark.parametrize("option", [{"force": True}, {"manual": True}], ids=["force", "manual"])
def test_no_lock_is_forced_or_set_by_hand_without_a_reason(place, option):
    assert ask(place, **option)["reason"] == "InvalidInput"
    assert lease(place) == ("", 0)


@pytest.fixture
def playing(place, tmp_path) -> t.Iterator[t.Callable[..., Player]]:
    players: list[Player] = []

    def play(**params: t.Any) -> Player:
        """Takes the lock, works, and asks for it once more."""
        given = {**connection(place), **params}
        lock = {"name": "Take the lock", "easymo.deploy.deploy_lock": given, "register": "lock"}
        goes_on = {"easymo.deploy.deploy_lock": {**given, "fence": "{{ lock.fence }}"}}
        name = f"p{len(players)}"
        players.append(Player(tmp_path / "plays", name, [lock], {"name": "Go on", **goes_on}))
        return players[-1]

    yield play
    for player in players:
        player.ends()


def keepers(place: Place) -> list[int]:
    """Pids of the keepers that the Lease names."""
    annotations = place.read("leases", NAME)["metadata"].get("annotations") or {}
    return [int(annotations[KEEPER].split()[0])] if KEEPER in annotations else []


def test_one_of_two_operators_wins_has_a_keeper_of_its_lock_and_frees_it_by_dying(place, playing):
    """How often a keeper renews is for tests/unit/plugins/module_utils/_lock/test_renewer.py to say."""
    players = {who: playing(holder=who, release="2.0.0") for who in ("ann@a", "joe@b")}
    until(lambda: any(one.process.poll() is not None for one in players.values()))
    winners = [who for who, one in players.items() if one.process.poll() is None]
    assert len(winners) == 1
    (winner,) = winners
    pid = players[winner].process.pid
    assert lease(place) == (f"{winner}/{pid}", 1)
    loser = next(one for who, one in players.items() if who != winner)
    assert loser.process.returncode == 2
    for part in (
        f"Another run is deploying: {winner} (pid {pid}) holds 'easymo-deploy' to deploy 2.0.0 since 20",
        "-e deploy_lock_wait=600",
    ):
        assert part in loser.said()
    assert "Traceback" not in loser.said()

    until(lambda: bool(keepers(place)))
    assert ask(place, holder="joe@b")["reason"] == "Locked"
    assert lease(place) == (f"{winner}/{pid}", 1)

    players[winner].dies()
    # A lock that lapses keeps its holder's name; only one that is given back has none.
    until(lambda: lease(place) == ("", 1))


def test_one_killed_with_its_keeper_is_succeeded_at_once_and_the_successor_stops_when_overruled(
    place, playing
):
    first = playing(duration=600)
    until(lambda: lease(place)[0] != "" and bool(keepers(place)))
    (keeper,) = keepers(place)
    os.kill(keeper, signal.SIGKILL)
    first.dies()
    assert lease(place)[0].endswith(f"/{first.process.pid}")

    second = playing(duration=600, release="2.0.0")
    until(lambda: lease(place)[1] == 2)
    assert lease(place)[0].endswith(f"/{second.process.pid}")

    taken = ask(place, holder="joe@b", purpose="undo", release="2.0.0")
    assert taken["fence"] == 3
    assert taken["stolen_from"].split()[1:4] == ["2.0.0", "epoch", "2"]
    assert second.ends() == 2
    assert "its run is dead" in second.said()
    assert "(epoch 2): now joe@b" in second.said()
    assert "to roll back 2.0.0" in second.said()
    assert lease(place)[0].startswith("joe@b/")


def test_a_keeper_that_was_killed_alone_is_replaced_by_the_next_task(place):
    ask(place)
    until(lambda: bool(keepers(place)))
    (keeper,) = keepers(place)
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{keeper}").exists())
    ask(place)
    until(lambda: keepers(place) != [keeper])


def locking(place: Place, number: int, **how: t.Any) -> Locking:
    """An operator at a machine of their own."""
    run = Run(machine=f"machine-{number}", pid=number, started="1")
    return Locking(
        KubernetesCluster(Connection(place.namespace, kubeconfig=place.kubeconfig)),
        NAME,
        LockClaim(holder=f"operator-{number}", run=run, duration=how.pop("duration", 600)),
        clock=MonotonicClock(),
        alive=never_alive,
        **how,
    )


@pytest.mark.parametrize("abandoned", [False, True], ids=["free", "abandoned"])
def test_of_eight_operators_at_once_exactly_one_wins(place, *, abandoned):
    if abandoned:
        long_ago = datetime.now(UTC) - timedelta(days=1)
        locking(place, 99, duration=1, wall=lambda: long_ago).hold()
    fences: list[int] = []
    losers: list[str] = []
    start = threading.Barrier(8)

    def race(number: int) -> None:
        claimant = locking(place, number)
        start.wait()
        try:
            fences.append(claimant.hold().after.fence)
        except LockedError as exc:
            losers.append(str(exc))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (fences, len(losers)) == ([1 + abandoned], 7)
    winner = lease(place)[0].partition("/")[0]
    assert winner.startswith("operator-")
    assert abandoned or all(winner in one for one in losers)
