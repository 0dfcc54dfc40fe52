# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout waits for because it often passes, and for how long, through the API of a small cluster."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollout import failures, observer
from sandbox.world import World
from tests.contract.rollout_cluster import SERVICE
from tests.contract.rollout_place import NEW, OLD, Stage, stage

DWELL = 3.0
"""In place of the minutes that the rules give."""


@pytest.fixture
def at(cluster: World, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Stage]:
    rules = tuple(
        replace(rule, dwell=DWELL) if rule.dwell in (60, 120) else rule for rule in failures.RULES
    )
    monkeypatch.setattr(failures, "RULES", rules)
    monkeypatch.setattr(observer, "PROMISES_EVERY", 0.5)
    with stage(cluster) as made:
        yield made


def rolled_back(result: dict[str, t.Any], reason: str) -> bool:
    return (result["result"], result.get("reason")) == ("rolled_back", reason)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("node.webhook-unavailable", "WebhookUnavailable"),
        ("node.unschedulable", "Unschedulable"),
    ],
)
def test_what_lasts_dooms(at: Stage, fault: str, reason: str) -> None:
    with at.fault(fault):
        result = at.roll()
    assert rolled_back(result, reason), result
    assert at.image == OLD


@pytest.mark.parametrize("fault", ["node.webhook-unavailable", "node.unschedulable"])
def test_what_passes_does_not(at: Stage, fault: str) -> None:
    def pass_over() -> None:
        time.sleep(DWELL / 3)
        at.faults.write(())

    at.break_cluster(fault)
    with at.meanwhile(lambda: at.image == NEW, pass_over):
        result = at.roll()
    assert result["result"] == "succeeded", result


def test_a_replica_set_that_is_refused_dooms_and_is_undone(at: Stage) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "sets"},
        "spec": {"hard": {"count/replicasets.apps": "1"}},
    }
    at.place.kubectl("create", "-f", "-", stdin=json.dumps(quota))
    result = at.roll()
    assert rolled_back(result, "ReplicaSetRefused"), result
    assert "limited: count/replicasets.apps=1" in result["msg"]
    assert at.image == OLD


def test_pods_for_which_a_node_is_being_added_are_waited_for(at: Stage) -> None:
    def unscheduled() -> list[dict[str, t.Any]]:
        return [pod for pod in at.cluster.list_objects("Pod") if not pod["spec"].get("nodeName")]

    def add_a_node() -> None:
        [pod] = unscheduled()
        metadata = pod["metadata"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "scale-up", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "name": metadata["name"],
                "namespace": metadata["namespace"], "uid": metadata["uid"],
            },
            "type": "Normal",
            "reason": "TriggeredScaleUp",
            "message": "pod triggered scale-up: [{pool-1 2->3 (max: 5)}]",
            "source": {"component": "cluster-autoscaler"},
        }  # fmt: skip
        at.place.kubectl("create", "-f", "-", stdin=json.dumps(event))
        time.sleep(2 * DWELL)
        at.faults.write(())

    at.break_cluster("node.unschedulable")
    with at.meanwhile(lambda: bool(unscheduled()), add_a_node):
        result = at.roll()
    assert result["result"] == "succeeded", result


def test_a_scheduling_gate_holds_the_rollout_beyond_its_deadline(cluster: World) -> None:
    with stage(cluster, progressDeadlineSeconds=2) as at:

        def lift() -> None:
            time.sleep(8)
            at.faults.write(())

        at.break_cluster("node.gated")
        with at.meanwhile(lambda: at.image == NEW, lift):
            result = at.roll()
        assert result["result"] == "succeeded", result


@pytest.mark.parametrize("replicas", [5, 2], ids=["up", "down"])
def test_what_an_autoscaler_scales_meanwhile_is_followed_and_never_undone(
    at: Stage, replicas: int
) -> None:
    """It writes the count alone, by the subresource `scale`, at any moment (Kubernetes: Horizontal Pod Autoscaling)."""

    def autoscale(count: int) -> None:
        at.kubectl("scale", "deployment", SERVICE, f"--replicas={count}")

    at.pin()
    with at.meanwhile(lambda: at.image == NEW, lambda: autoscale(replicas)):
        result = at.roll()
    assert result["result"] == "succeeded", result
    assert result["replicas"]["desired"] == result["replicas"]["available"] == replicas
    autoscale(4)
    with at.meanwhile(lambda: at.image == OLD, lambda: autoscale(replicas)):
        result = at.roll(state="rolled_back", image=OLD)
    assert (result.get("msg"), at.image, at.body()["spec"]["replicas"]) == (None, OLD, replicas)
