# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds of every rollout, whatever happens: the invariants I1 to I10, and a bad API server.

I6, that a run killed at any moment is taken up by the next, is the simulation's (tests/simulation). I7, that the kill
switch works irrespective of the lock, is the feature flags' to keep; I1 is tested with a guard of its own.
"""

from __future__ import annotations

import itertools
import re
import threading
import time

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import MonotonicClock
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    DeployError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.guard import Guard
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.plan import Wanted
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.results import RolloutResult
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.runner import Rollout, Settings
from sandbox.world import World
from tests.contract.rollout_cluster import SERVICE
from tests.contract.rollout_place import NEW, OLD, Stage, stage
from tests.waiting import until

DEPLOYMENT = f"deployment/{SERVICE}"


class Refusing:
    """A guard that says `reason` from its `refuses_from`-th question on."""

    def __init__(self, reason: str, refuses_from: int) -> None:
        self._error = ConflictError("The deploy lock is Ann's since 10:00.")
        self._error.reason = reason
        self._asked = itertools.count(1)
        self._refuses_from = refuses_from

    def check(self, *, fresh: bool = False) -> None:
        if fresh or next(self._asked) >= self._refuses_from:
            raise self._error


def guarded(at: Stage, image: str, guard: Guard) -> RolloutResult:
    rollout = Rollout(
        at.cluster,
        SERVICE,
        Wanted(state="released", container=SERVICE, image=image),
        None,
        settings=Settings(wait_timeout=40),
        clock=MonotonicClock(),
        report=lambda _text, _counts: None,
        guard=guard,
    )
    return rollout.carry_out(rollout.plan())


@pytest.mark.parametrize(
    ("reason", "refuses_from", "result", "image"),
    [
        pytest.param("LeaseLost", 1, "lease_lost", OLD, id="lost-before-the-patch"),
        pytest.param("Frozen", 1, "blocked", OLD, id="frozen-before-the-patch"),
        pytest.param("LeaseLost", 2, "lease_lost", f"{NEW}-nopull", id="lost-before-the-undo"),
        pytest.param("Frozen", 2, "rolled_back", OLD, id="a-freeze-forbids-no-undo"),
    ],
)
def test_i1_nothing_is_written_without_the_lock(
    at: Stage, reason: str, refuses_from: int, result: str, image: str
) -> None:
    with pytest.raises(DeployError) as caught:
        guarded(at, f"{NEW}-nopull", Refusing(reason, refuses_from))
    assert caught.value.details["result"] == result
    assert at.image == image


def test_i2_what_another_wrote_is_never_undone(at: Stage) -> None:
    at.pin()
    at.roll()
    at.kubectl("set", "env", DEPLOYMENT, "THEIRS=1", f"-c={SERVICE}")
    at.kubectl("set", "image", DEPLOYMENT, f"{SERVICE}={NEW}-unready")
    theirs = at.body()["spec"]["template"]
    assert at.roll(state="rolled_back")["result"] == "superseded"
    assert at.body()["spec"]["template"] == theirs


def test_i3_an_undo_returns_to_the_pin_and_not_to_the_revision_before(at: Stage) -> None:
    at.pin()
    pinned = at.body()
    at.kubectl("annotate", DEPLOYMENT, "theirs=kept")
    assert at.roll(NEW)["result"] == "succeeded"
    at.kubectl("scale", DEPLOYMENT, "--replicas=4")
    assert at.roll(f"{NEW}-nopull")["result"] == "rolled_back"
    after = at.body()
    assert after["spec"]["template"] == pinned["spec"]["template"]
    assert after["spec"]["replicas"] == 4
    annotations = after["metadata"]["annotations"]
    assert annotations["theirs"] == "kept"
    assert not [key for key in annotations if key.startswith("easymo.com/")]


@pytest.mark.parametrize("fault", ["errors", "throttled", "unauthorized", "slow", "gone", "down"])
def test_i4_an_api_server_that_stumbles_is_waited_for(at: Stage, fault: str) -> None:
    generation = at.generation

    def stumble() -> None:
        at.break_cluster(f"kubernetes.{fault}")
        time.sleep(2.5)
        clear(at)

    with at.meanwhile(lambda: at.image == NEW, stumble):
        result = at.roll()
    assert result["result"] == "succeeded", result
    assert at.generation == generation + 1
    # Nothing ends without asking the server itself, so the end was put off.
    assert fault in ("slow", "gone") or result["duration"] > 2


def clear(at: Stage) -> None:
    at.faults.write(())


@pytest.mark.parametrize("fault", ["unauthorized", "down"])
def test_i4_loss_of_sight_never_succeeds_and_never_undoes(at: Stage, fault: str) -> None:
    at.pin()
    with at.meanwhile(
        lambda: at.image == f"{NEW}-unready", lambda: at.break_cluster(f"kubernetes.{fault}")
    ):
        result = at.roll(f"{NEW}-unready", wait_timeout=2)
    clear(at)
    until(lambda: at.image == f"{NEW}-unready")
    assert result["result"] == "indeterminate"


def test_i4_a_record_that_is_deleted_midway_changes_nothing(at: Stage) -> None:
    at.pin()
    records = ("configmap", "--all")
    with at.meanwhile(lambda: at.image == f"{NEW}-crash", lambda: at.kubectl("delete", *records)):
        result = at.roll(f"{NEW}-crash", quorum="any")
    assert (result["result"], at.image) == ("rolled_back", OLD)


def test_i5_no_success_without_a_pod_unless_declared(at: Stage) -> None:
    with at.meanwhile(
        lambda: at.image == f"{NEW}-unready",
        lambda: at.kubectl("scale", DEPLOYMENT, "--replicas=0"),
    ):
        result = at.roll(f"{NEW}-unready")
    assert (result["result"], result["reason"]) == ("failed_no_undo", "NoReplicas")
    assert at.roll()["result"] == "blocked"
    assert at.roll(allow_no_replicas=True)["result"] == "succeeded"


def test_i8_pods_that_failed_before_are_told_of_and_not_counted(cluster: World) -> None:
    with stage(cluster) as at:
        at.kubectl("set", "image", DEPLOYMENT, f"{SERVICE}={OLD}-crash")
        until(lambda: crashed(at))
        result = at.roll(quorum="any")
    assert result["result"] == "succeeded", result
    assert result["failing_before"]


def crashed(at: Stage) -> bool:
    pods = at.cluster.list_objects("Pod")
    statuses = [one for pod in pods for one in pod["status"].get("containerStatuses") or []]
    return any(one["restartCount"] >= 2 for one in statuses)


def test_i9_flapping_readiness_does_not_outlive_the_deadline(cluster: World) -> None:
    with stage(cluster, minReadySeconds=3) as at:
        over = threading.Event()

        def flap() -> None:
            while not over.wait(1.0):
                with at.fault("node.never-ready", existing="true"):
                    over.wait(1.0)

        flapping = threading.Thread(target=flap)
        flapping.start()
        began = time.monotonic()
        result = at.roll(wait_timeout=8, undo_on_failure=False)
        lasted = time.monotonic() - began
        over.set()
        flapping.join()
    assert (result["result"], result["reason"]) == ("failed_no_undo", "Timeout")
    assert lasted < 8 + 5


def test_i10_evidence_is_of_pods_that_the_undo_ended(at: Stage) -> None:
    result = at.roll(f"{NEW}-crash", quorum="any")
    diagnosis = result["diagnosis"]
    names = {pod["name"] for pod in diagnosis["pods"]}
    until(lambda: not names & {one["metadata"]["name"] for one in at.cluster.list_objects("Pod")})
    [label, *_others] = [one for one in diagnosis["logs"] if one.endswith("previous")]
    assert diagnosis["logs"][label]
    assert diagnosis["events"]
    assert diagnosis["containers"][0]["probes"]["readinessProbe"]
    assert diagnosis["cause"] in result["msg"]


def test_a_registry_that_stumbles_fails_no_release(at: Stage) -> None:
    with at.meanwhile(lambda: at.image == NEW, lambda: (time.sleep(5), clear(at))):
        at.break_cluster("node.registry-unavailable")
        result = at.roll(quorum="any")
    assert result["result"] == "succeeded", result


def test_a_pod_that_is_evicted_fails_no_release(at: Stage) -> None:
    def evict() -> None:
        for pod in at.cluster.list_objects("Pod", label_selector=f"app={SERVICE}"):
            at.cluster.delete("Pod", pod["metadata"]["name"])

    with at.meanwhile(lambda: at.image == NEW, evict):
        assert at.roll()["result"] == "succeeded"


def test_scaling_meanwhile_is_left_alone(at: Stage) -> None:
    with at.meanwhile(
        lambda: at.image == NEW, lambda: at.kubectl("scale", DEPLOYMENT, "--replicas=5")
    ):
        result = at.roll(soak=2)
    assert result["result"] == "succeeded", result
    assert at.body()["spec"]["replicas"] == 5


def test_a_clock_that_jumps_changes_nothing(at: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = time.time
    jumps = itertools.cycle((0.0, 86_400.0, -86_400.0))
    monkeypatch.setattr(time, "time", lambda: wall() + next(jumps))
    assert at.roll(soak=1)["result"] == "succeeded"


def test_old_pods_are_counted_until_they_are_gone(at: Stage) -> None:
    result = at.roll(wait_for_old=True)
    assert (result["result"], result["replicas"]["old"]) == ("succeeded", 0)
    new = {pod["spec"]["containers"][0]["image"] for pod in at.cluster.list_objects("Pod")}
    assert new == {NEW}


def test_a_lone_crashing_pod_is_replaced_before_it_dooms(
    at: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with at.fault("kubernetes.forbidden", "delete pods"):
        kept = at.roll(f"{NEW}-crash", undo_on_failure=False)
    assert kept["reason"] == "CrashLoop", "whoever may not replace a pod judges by what was seen"
    result = at.roll(OLD)
    assert result["result"] == "succeeded", result
    capsys.readouterr()
    result = at.roll(f"{NEW}-crash")
    assert result["reason"] == "CrashLoop"
    replaced = re.findall(r"replacing pod (\S+),", capsys.readouterr().out)
    assert len(replaced) == 1
    seen = {pod["name"] for pod in result["diagnosis"]["pods"]}
    assert seen - {*replaced}, "what dooms it is the fresh pod's crash"
