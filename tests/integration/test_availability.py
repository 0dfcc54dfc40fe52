"""Availability in a real cluster: the prober lives and dies with its run, and what it measured stands in the record."""

import json
import math
import os
import typing as t
from pathlib import Path

import psutil
import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._availability import plan, task
from ansible_collections.easymo.deploy.plugins.module_utils._availability import (
    prober as task_prober,
)
from ansible_collections.easymo.deploy.plugins.modules import (
    availability,
    deploy_lock,
    release,
    release_info,
)
from tests.fakes.http_server import Handler, serving
from tests.integration.conftest import Place, Result
from tests.integration.plays import Player, connection
from tests.tables import cases
from tests.waiting import until

VERSION = "2.0.0"
CONFIG_MAP = f"release-{VERSION}-availability"
TOKEN = "the-verify-token"


class Platform(Handler):
    """/bad is answered 500."""

    protocol_version = "HTTP/1.1"
    asked: t.ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.answer(500 if self.path.startswith("/bad") else 200)


@pytest.fixture
def url() -> t.Iterator[str]:
    with serving(Platform) as served:
        yield served


@pytest.fixture
def pauses(monkeypatch) -> t.Callable[[float], None]:
    """Sets the seconds that make a gap for this process. To a prober, which is a fork, nothing is one."""
    ours, seconds = os.getpid(), [math.inf]

    def longest(_interval: float) -> float:
        return seconds[0] if os.getpid() == ours else math.inf

    for module in (plan, task_prober):
        monkeypatch.setattr(module, "longest_pause", longest)
    return lambda given: seconds.__setitem__(0, given)


@pytest.fixture
def asking(place, url, pauses) -> t.Iterator[dict[str, t.Any]]:
    """Options for a well address, in a release that is under way."""
    place.run(release, name=VERSION, phase="database", phase_status="running")
    yield {
        "release": VERSION,
        "targets": [{"name": "wallet", "url": url}],
        "controls": [url],
        "rate": 10,
    }
    place.run(availability, release=VERSION, state="stopped")


def facts(place: Place, subject: str = "release") -> Result:
    """As any machine reads them."""
    return place.run(release_info, name=VERSION)["availability"][subject]


def asked(place: Place) -> int:
    probes: int = facts(place).get("targets", {}).get("wallet", {}).get("probes", 0)
    return probes


def prober(place: Place) -> psutil.Process:
    return psutil.Process(int(facts(place)["prober"].split()[0]))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_started_and_stopped_in_check_mode_for_real_and_again(place, asking, monkeypatch):
    monkeypatch.setattr(task, "WRITE_EVERY", 0.5)
    would = place.run(availability, check_mode=True, **asking)
    assert (would["changed"], would["sentence"]) == (
        True,
        "Would ask 1 public addresses 10 times a second each.",
    )
    assert facts(place) == {}

    begun = place.run(availability, **asking)
    assert (begun["changed"], facts(place)["prober"] != "") == (True, True)
    assert begun["diff"]["before"] != begun["diff"]["after"]
    process = prober(place)
    for check_mode in (True, False):
        again = place.run(availability, check_mode=check_mode, **asking)
        assert (again["changed"], prober(place).pid) == (False, process.pid)
        assert again["diff"]["before"] == again["diff"]["after"]

    until(lambda: asked(place) > 5)
    stop = {"release": VERSION, "state": "stopped"}
    assert place.run(availability, check_mode=True, **stop)["changed"] is True
    assert process.is_running()
    done = place.run(availability, **stop)
    assert (done["changed"], done["availability"]["verdict"]) == (True, "complete")
    assert done["availability"]["summary"] == [
        f"0 of {done['availability']['probes']} probes of 1 addresses failed"
    ]
    assert done["availability"]["probes"] > 5
    until(lambda: gone(process))
    measured = facts(place)
    again = place.run(availability, **stop, read_release=True)
    assert (again["changed"], again["availability"]["release"]) == (False, measured)
    assert again["record"]["version"] == VERSION


def test_the_prober_shows_no_secret_and_keeps_none(place, asking, url):
    hook = {"name": "webhook", "url": url, "verify_token": TOKEN}
    place.run(availability, **{**asking, "targets": [hook]})
    process = prober(place)
    assert TOKEN not in " ".join(process.cmdline())
    place.run(availability, release=VERSION, state="stopped")
    kept = place.read("configmaps", CONFIG_MAP)
    assert TOKEN not in json.dumps([kept, facts(place)])


def test_a_prober_that_is_killed_leaves_a_gap_and_the_next_phase_another_prober(
    place, asking, pauses
):
    place.run(availability, **asking)
    killed = prober(place)
    killed.kill()
    until(lambda: gone(killed))
    left = facts(place)
    pauses(0.0)
    place.run(availability, **asking)
    pauses(math.inf)
    assert prober(place).pid != killed.pid
    done = place.run(availability, release=VERSION, state="stopped")["availability"]
    assert (done["verdict"], done["failures"]) == ("partial", 0)
    assert [(gap["why"], gap["start"]) for gap in done["gaps"]] == [("not probed", left["until"])]
    assert done["unseen"] > 0


@cases(
    "spoil",
    {
        "edited": ["patch", "configmap", CONFIG_MAP, "-p", '{"data":{"sha256":"0"}}'],
        "deleted": ["delete", "configmap", CONFIG_MAP],
    },
)
def test_what_a_hand_does_to_it_meanwhile_is_written_over(place, asking, spoil, monkeypatch):
    monkeypatch.setattr(task, "WRITE_EVERY", 2.0)
    place.run(availability, **asking)
    place.kubectl(*spoil)
    until(lambda: asked(place) > 5)
    done = place.run(availability, release=VERSION, state="stopped")["availability"]
    assert done["verdict"] == "complete"


def test_what_a_hand_edited_before_counts_for_nothing_and_says_why(place, asking):
    place.run(availability, **asking)
    place.run(availability, release=VERSION, state="stopped")
    place.kubectl("patch", "configmap", CONFIG_MAP, "-p", '{"data":{"sha256":"0"}}')
    assert "is damaged" in facts(place)["damaged"]
    Platform.asked.clear()
    place.run(availability, **asking)
    until(lambda: bool(Platform.asked))
    done = place.run(availability, release=VERSION, state="stopped")["availability"]
    assert done["verdict"] == "partial"
    assert "is damaged" in done["gaps"][0]["why"]


def test_one_that_is_switched_off_says_why(place, asking):
    off = {**asking, "enabled": False}
    assert place.run(availability, **off)["reason"] == "InvalidInput"
    off["reason"] = "no way out of this network"
    assert place.run(availability, **off)["changed"] is True
    told = place.run(availability, **off)
    assert (told["changed"], told["availability"]["verdict"]) == (False, "not_measured")
    assert told["availability"]["reason"] == "switched off: no way out of this network"


def test_a_release_that_is_signed_off_is_measured_no_longer_and_its_way_back_is(place, asking):
    place.run(release, name=VERSION, status="done")
    assert place.run(availability, **asking)["changed"] is False
    back = {"release": VERSION, "subject": "rollback"}
    assert place.run(availability, **{**asking, **back})["changed"] is True
    done = place.run(availability, **back, state="stopped")
    assert (done["changed"], facts(place, "rollback")["closed"]) == (True, True)
    assert facts(place) == {}


def playing(place: Place, folder: Path, name: str, asking: dict[str, t.Any]) -> Player:
    """A run that holds the lock and has the addresses asked."""
    where = connection(place)
    lock = {"easymo.deploy.deploy_lock": where, "register": "lock"}
    asks = {**where, **asking, "fence": "{{ lock.fence }}"}
    return Player(folder, name, [lock, {"easymo.deploy.availability": asks}])


def test_a_run_that_is_killed_takes_its_prober_along_and_the_next_one_goes_on(
    place, asking, tmp_path
):
    Platform.asked.clear()
    asking["targets"].append({"name": "vendor", "url": f"{asking['controls'][0]}/bad"})
    first = playing(place, tmp_path, "first", asking)
    until(lambda: bool(facts(place).get("prober")))
    asks = prober(place)
    until(lambda: Platform.asked.count("/bad") > 20)
    first.dies()
    until(lambda: gone(asks))
    left = facts(place)
    # It had time to write what it had measured until then.
    assert left["prober"] == ""
    assert left["targets"]["vendor"]["failures"] == left["targets"]["vendor"]["probes"] > 5

    Platform.asked.clear()
    second = playing(place, tmp_path, "second", asking)
    until(lambda: bool(facts(place)["prober"]) and "/bad" in Platform.asked)
    assert second.ends() == 0
    until(lambda: facts(place)["prober"] == "")
    found = facts(place)
    assert found["targets"]["vendor"]["failures"] > left["targets"]["vendor"]["failures"]


def test_a_prober_writes_no_longer_when_another_run_has_the_lock(place, asking, tmp_path):
    player = playing(place, tmp_path, "first", asking)
    until(lambda: bool(facts(place).get("prober")))
    asks, before = prober(place), facts(place)
    joe = {"holder": "joe@b", "purpose": "undo", "release": VERSION}
    place.run(deploy_lock, **joe)
    # At its next write, and it does not wait for that when its run ends.
    player.ends()
    until(lambda: gone(asks))
    assert facts(place) == before
    # Else the lock's keeper, a fork of this process, would try to give it back when the sandbox is gone.
    place.run(deploy_lock, **joe, state="free")
