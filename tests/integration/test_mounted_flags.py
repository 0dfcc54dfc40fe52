"""Flags that running pods take from a volume: all follow without a restart, or those that do not are named."""

import contextlib
import os
import signal
import time
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._flags import consumer as consumers
from ansible_collections.easymo.deploy.plugins.modules import feature_flags, kill_switch
from sandbox.services.manifests import FLAGS
from tests.agent_core_pods import (
    AGENTS,
    FLAGS_FOLDER,
    NAME,
    PERCENTAGE,
    agent_core,
    names,
    start,
    told,
)
from tests.integration.conftest import Place
from tests.waiting import until

ON = {AGENTS: True, PERCENTAGE: 10}
OFF = {AGENTS: False, PERCENTAGE: 0}
ENDPOINT = {"http": {"port": 8080, "path": "/flags"}, "values": "flags"}
PROVEN = {"state": "proven", "consumers": [NAME], "delivery": "volume", "probe": ENDPOINT}


class Readers:
    """Two pods of agent-core that have their flags by a volume."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.write(OFF)
        self.pods = start(place, agent_core("files", replicas=2))

    def write(self, flags: dict[str, t.Any]) -> t.Any:
        return self.place.run(feature_flags, flags=flags)

    def follow(self, flags: dict[str, t.Any], **options: t.Any) -> t.Any:
        given = {**PROVEN, "flags": flags, "wait_timeout": 120, **options}
        result = self.place.run(feature_flags, **given)
        return {**result, **result.get("consumers", {}).get(NAME, {})}

    def kill(self, **options: t.Any) -> t.Any:
        return self.place.run(kill_switch, **{**self.order, **options})

    @property
    def order(self) -> dict[str, t.Any]:
        return {
            "flags": OFF,
            "consumers": [NAME],
            "reason": "error rate 7 %",
            "by": "ada@ops",
            "delivery": "volume",
            "probe": ENDPOINT,
        }

    def run(self) -> list[tuple[bool, float]]:
        """What each pod decides by."""
        return [(said[AGENTS], said[PERCENTAGE]) for said in self.say()]

    def say(self) -> list[t.Any]:
        return [told(self.place, pod) for pod in names(self.place)]


def ahead_after_pauses(
    monkeypatch: pytest.MonkeyPatch, seconds: float, due: t.Callable[[], bool] = lambda: True
) -> None:
    """Set the product's clock forward once, in the pause after that in which it was `due`."""
    ahead = [0.0, 0.0]

    def sleep(_self: MonotonicClock, pause: float) -> None:
        time.sleep(pause)
        ahead[:] = [ahead[1], seconds if ahead[1] or due() else 0.0]

    monkeypatch.setattr(MonotonicClock, "sleep", sleep)
    monkeypatch.setattr(MonotonicClock, "now", lambda _self: time.monotonic() + ahead[0])


@pytest.fixture
def readers(place) -> Readers:
    return Readers(place)


def test_all_pods_follow_without_a_restart_and_a_second_run_changes_nothing(readers):
    assert readers.write(ON)["changed"] is True
    predicted = readers.follow(ON, check_mode=True)
    assert predicted["changed"] is True
    assert predicted["pods"][0]["seen"] == {AGENTS: "false", PERCENTAGE: "0"}
    assert predicted["diff"][0]["after"] == {
        pod: {AGENTS: "true", PERCENTAGE: "10"} for pod in readers.pods
    }

    followed = readers.follow(ON)
    assert followed.get("failed") is None, followed
    assert readers.run() == [(True, 10)] * 2
    assert names(readers.place) == readers.pods
    assert followed["diff"] == predicted["diff"]
    assert followed["reached_after"] > 0
    assert max(pod["at"] for pod in followed["pods"]) == followed["reached_after"]

    assert readers.write(ON)["changed"] is False
    for check_mode in (True, False):
        assert readers.follow(ON, check_mode=check_mode)["changed"] is False


def test_the_kill_switch_reaches_every_pod_while_it_runs_and_says_how_fast(readers, monkeypatch):
    # For so long pods that are off already are watched: units tell what that is for.
    monkeypatch.setattr(consumers, "SETTLE", 2.0)
    readers.write(ON)
    readers.follow(ON)
    predicted = readers.kill(check_mode=True)
    assert predicted["changed"] is True
    assert readers.run() == [(True, 10)] * 2

    began = time.monotonic()
    killed = readers.kill()
    took = time.monotonic() - began
    assert killed.get("failed") is None, killed
    assert readers.run() == [(False, 0)] * 2
    assert names(readers.place) == readers.pods
    (consumer,) = killed["consumers"]
    assert (consumer["restarted"], consumer["replaced"], consumer["problem"]) == (False, [], "")
    assert 0 < killed["reached_after"] <= round(took, 2)  # the product rounds to hundredths
    assert f"Every pod ran it {killed['reached_after']:.1f} s after" in killed["sentence"]
    assert readers.kill()["changed"] is False
    assert readers.write(ON)["reason"] == "KillSwitchSet"


def test_the_kill_switch_ends_a_pod_that_never_follows(place, fault, monkeypatch):
    readers = Readers(place)
    readers.write(ON)
    readers.follow(ON)
    deaf, well = readers.pods
    fault("node", "volumes-stale", deaf)
    ahead_after_pauses(monkeypatch, 400, lambda: not told(place, well)[AGENTS])
    killed = readers.kill(wait_timeout=600)
    assert killed.get("failed") is None, killed
    (consumer,) = killed["consumers"]
    assert consumer["replaced"] == [deaf]
    assert f"The volumes of {deaf} did not bring the flags within 400 s." in consumer["problem"]
    assert well in names(place)
    assert readers.run() == [(False, 0)] * 2


def test_pods_that_mount_the_flags_by_a_subpath_are_all_named(place, monkeypatch):
    place.run(feature_flags, flags=OFF)
    body = agent_core("files", replicas=2)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["volumeMounts"] = [
        {"name": FLAGS, "mountPath": f"{FLAGS_FOLDER}/{name}", "subPath": name} for name in OFF
    ]
    pods = start(place, body)
    place.run(feature_flags, flags=ON)
    ahead_after_pauses(monkeypatch, 600)
    left = place.run(feature_flags, **PROVEN, flags=ON, wait_timeout=600)
    assert "2 of 2 pods" in left["msg"]
    assert all(pod in left["msg"] for pod in pods)
    assert "does each mount it as a folder" in left["msg"]


def test_files_alone_and_a_command_are_asked_in_the_container(place, monkeypatch):
    readers = Readers(place)
    readers.write(ON)
    assert readers.follow(ON, probe={"files": FLAGS_FOLDER}).get("failed") is None
    command = ["cat", f"{FLAGS_FOLDER}/{PERCENTAGE}"]
    probe = {"command": command, "values": f"{{{PERCENTAGE}: @}}"}
    assert readers.follow({PERCENTAGE: 10}, probe=probe).get("failed") is None
    ahead_after_pauses(monkeypatch, 600)
    wrong = readers.follow({PERCENTAGE: 5}, probe=probe, wait_timeout=600)
    assert f"{PERCENTAGE} is '10' instead of '5'" in wrong["msg"]


def test_killed_between_the_write_and_the_last_pod_the_same_command_continues(place, fault):
    readers = Readers(place)
    readers.write(ON)
    readers.follow(ON)
    fault("node", "volumes-stale")
    process = place.start("kill_switch", **readers.order)
    try:
        until(lambda: place.read("configmaps", FLAGS)["data"][AGENTS] == "false")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    assert readers.run() == [(True, 10)] * 2
    fault("node", "volumes-stale", "nobody")
    assert readers.kill().get("failed") is None
    assert readers.run() == [(False, 0)] * 2
