"""Rollouts through the API of a small cluster: what depends on a server's own words, rights, events and outages.

How a rollout ends by what it sees is for tests/unit/plugins/module_utils/_rollout to say.
"""

import json
import re
import threading
import typing as t
from dataclasses import replace
from math import inf

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.evaluate import RolloutSnapshot
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observer import (
    RolloutObserver,
    observe_deployment,
)
from sandbox.faults import Fault
from tests.contract.rollout_cluster import SERVICE, deployment
from tests.contract.rollout_place import NEW, OLD, stage
from tests.waiting import until, until_next_second

DEPLOYMENT = f"deployment/{SERVICE}"


def test_lease_lost_to_a_later_epoch(at):
    at.hold_lock(epoch=7)
    assert at.roll(fence=7)["changed"]
    assert at.body()["metadata"]["annotations"]["easymo.com/fence"] == "7"
    at.hold_lock(epoch=8)
    assert at.roll(OLD, fence=7)["result"] == "lease_lost"
    # A lock that was deleted begins to count anew; what was written under a later one is left alone all the same.
    at.hold_lock(epoch=6)
    assert at.roll(OLD, fence=6)["result"] == "lease_lost"
    assert at.image == NEW


def test_rejected_by_the_server(at):
    for check_mode in (True, False):
        assert at.roll(" spaced", check_mode=check_mode)["result"] == "rejected"
    with at.fault("kubernetes.forbidden", "patch deployments"):
        result = at.roll()
        assert (result["result"], result["changed"]) == ("rejected", False)
        assert 'cannot patch resource "deployments"' in result["msg"]
    assert at.image == OLD


def test_a_failing_image_is_named_where_all_old_pods_go_first(cluster):
    """The controller has observed the template long before it makes a ReplicaSet for it."""
    with stage(cluster, strategy={"type": "Recreate"}) as at:
        at.pin()
        result = at.roll(f"{NEW}-nopull")
        assert (result["result"], result["reason"]) == ("rolled_back", "ImageNotFound")
        assert at.image == OLD


def test_the_diagnosis_tells_of_this_release_alone_and_its_newest_events_first(at):
    at.roll()
    earlier = at.kubectl("get", "replicasets", "-o", "name").split()
    at.kubectl("rollout", "undo", DEPLOYMENT)
    at.settle()
    until_next_second()
    events = at.roll(f"{NEW}-crash", release="2.0.1", quorum="any")["diagnosis"]["events"]
    times = [one["last_seen"] for one in events]
    assert times == sorted(times, reverse=True)
    mine = [one["message"] for one in events if one["object"] == DEPLOYMENT.capitalize()]
    assert any("Scaled up replica set" in message for message in mine), events
    sets = [name.rpartition("/")[2] for name in earlier]
    grown = [message for message in mine if "Scaled up" in message]
    assert not [one for one in grown if any(name in one for name in sets)], mine


@pytest.mark.parametrize("fault", ["errors", "throttled", "unauthorized", "slow", "gone", "down"])
def test_an_api_server_that_stumbles_is_waited_for(at, fault, monkeypatch):
    """It stumbles before the rollout can be complete, and until it was asked: no end is told without asking it."""
    generation, once = at.generation, KubernetesCluster.once
    answered: list[threading.Event] = []
    """Of each call since the fault, whether it got an answer."""

    def noted(*given: t.Any, **more: t.Any) -> bytes:
        done = threading.Event()
        answered.append(done)
        answer = once(*given, **more)
        done.set()
        return answer

    def stumble() -> None:
        at.faults.write([Fault("kubernetes", fault)])
        answered.clear()
        stumbles = fault not in ("slow", "gone")
        until(lambda: sum(call.is_set() != stumbles for call in answered) > 2 * stumbles)
        at.faults.write(())

    at.break_cluster("kubernetes.controllers-rest")
    with at.meanwhile(lambda: at.image == NEW, stumble):
        monkeypatch.setattr(KubernetesCluster, "once", noted)
        result = at.roll()
    assert result["result"] == "succeeded", result
    assert at.generation == generation + 1


def test_a_record_that_is_deleted_midway_changes_nothing(at):
    at.pin()
    records = ("configmap", "--all")
    with at.meanwhile(lambda: at.image == f"{NEW}-crash", lambda: at.kubectl("delete", *records)):
        result = at.roll(f"{NEW}-crash", quorum="any")
    assert (result["result"], at.image) == ("rolled_back", OLD)


def test_old_pods_are_counted_until_they_are_gone(at):
    result = at.roll(wait_for_old=True)
    assert (result["result"], result["replicas"]["old"]) == ("succeeded", 0)
    new = {pod["spec"]["containers"][0]["image"] for pod in at.cluster.list_objects("Pod")}
    assert new == {NEW}


def test_a_lone_crashing_pod_is_replaced_before_it_dooms(at, capsys):
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


def test_an_image_that_is_pushed_after_a_run_failed_is_pulled_by_the_next_run(at, capsys):
    """The kubelet would wait up to five minutes, and go on saying that there is no such image."""
    absent = Fault("node", "image-not-found", SERVICE)
    at.faults.write([absent])
    assert at.roll(undo_on_failure=False)["reason"] == "ImageNotFound"
    # It is there for new pods, and the kubelet of a pod that waits does not try again before that is replaced.
    pods = [pod["metadata"]["name"] for pod in at.cluster.list_objects("Pod")]
    at.faults.write([replace(absent, target=pod) for pod in pods])
    capsys.readouterr()
    result = at.roll()
    assert result["result"] == "succeeded", result
    replaced = r"replacing pod \S+, which an earlier run left in trouble"
    assert re.search(replaced, capsys.readouterr().out)


def test_pods_for_which_a_node_is_being_added_are_known_by_their_events(at):
    """How long they are waited for is for tests/unit/plugins/module_utils/_rollout/test_failures.py to say."""
    at.break_cluster("node.unschedulable")
    at.kubectl("set", "image", DEPLOYMENT, f"{SERVICE}={NEW}")
    deployment = observe_deployment(at.cluster, SERVICE)
    seen: list[RolloutSnapshot] = []

    def unscheduled() -> bool:
        with RolloutObserver(
            at.cluster, deployment, clock=at.cluster.clock, deadline=inf
        ) as observer:
            seen.append(observer.snapshot(deployment.generation, fresh=True))
        return any(
            condition.reason == "Unschedulable"
            for pod in seen[-1].pods or ()
            for condition in pod.conditions
        )

    until(unscheduled)
    assert not seen[-1].promised
    [pod] = seen[-1].pods
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "scale-up", "namespace": at.place.namespace},
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "name": pod.name,
            "namespace": at.place.namespace, "uid": pod.uid,
        },
        "type": "Normal",
        "reason": "TriggeredScaleUp",
        "message": "pod triggered scale-up: [{pool-1 2->3 (max: 5)}]",
        "source": {"component": "cluster-autoscaler"},
    }  # fmt: skip
    at.place.kubectl("create", "-f", "-", stdin=json.dumps(event))
    unscheduled()
    assert seen[-1].promised == {pod.uid}


def test_an_image_that_is_ready_and_fails_its_liveness_probe_does_not_pass(cluster):
    """Ready by one address, and killed by another after three failures 2 s apart."""
    template = deployment(OLD)["spec"]["template"]
    main = template["spec"]["containers"][0]
    main["livenessProbe"] = {**main["readinessProbe"], "periodSeconds": 2}
    main["readinessProbe"] = {"httpGet": {"path": "/metrics", "port": 8080}, "periodSeconds": 1}
    with stage(cluster, template=template, replicas=2) as at:
        result = at.roll(f"{NEW}-unhealthy", soak=120)
        assert (result["result"], result["reason"]) == ("rolled_back", "LivenessFailed"), result
        assert f"container {SERVICE} does not answer its livenessProbe" in result["msg"]
        assert "statuscode: 503" in result["msg"]
        assert "crash" not in result["msg"].lower()
        assert at.image == OLD


@pytest.mark.parametrize("replicas", [5, 2], ids=["up", "down"])
def test_what_an_autoscaler_scales_meanwhile_is_followed_and_never_undone(at, replicas):
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
