"""Several nodes, as kubectl sees them: pods are spread, and one node goes bad without the others."""

import json
import socket
import typing as t
from collections import Counter

import pytest

from sandbox.node.component import octet
from sandbox.world import World
from tests.contract.rollout_cluster import SERVICE, running_cluster
from tests.contract.rollout_place import Stage, stage
from tests.waiting import until

NODES = ("sandbox-node", "sandbox-node-2", "sandbox-node-3")
ROOM = 3
BAD = NODES[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> t.Iterator[World]:
    with running_cluster(
        tmp_path_factory.mktemp("nodes"), nodes=len(NODES), pods_per_node=ROOM
    ) as world:
        yield world


@pytest.fixture
def at(cluster) -> t.Iterator[Stage]:
    with stage(cluster) as made:
        yield made
    # The next test needs the room.
    until(lambda: not json.loads(made.kubectl("get", "pods", "-A", "-o", "json"))["items"])


def pods(at: Stage) -> list[dict[str, t.Any]]:
    listed = json.loads(at.kubectl("get", "pods", "-o", "json"))
    return [pod for pod in listed["items"] if "deletionTimestamp" not in pod["metadata"]]


def by_node(at: Stage, *, ready: bool | None = None) -> Counter[str]:
    """How many pods each node has; ready ones or others when asked for these."""
    found = pods(at)
    return Counter(
        pod["spec"].get("nodeName", "") for pod in found if ready is None or ready is is_ready(pod)
    )


def is_ready(pod: dict[str, t.Any]) -> bool:
    told = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
    return told.get("Ready") == "True"


def scale(at: Stage, replicas: int) -> None:
    at.kubectl("scale", f"deployment/{SERVICE}", f"--replicas={replicas}")


def reasons(at: Stage, node: str) -> set[str]:
    """Why containers of the node's pods wait."""
    return {
        one["state"]["waiting"]["reason"]
        for pod in pods(at)
        if pod["spec"].get("nodeName") == node
        for one in pod["status"].get("containerStatuses", ())
        if "waiting" in one["state"]
    }


def test_pods_are_spread_and_reached_on_every_node(at):
    scale(at, 6)
    at.settle()

    assert by_node(at) == dict.fromkeys(NODES, 2)
    wide = at.kubectl("get", "pods", "-o", "wide")
    assert all(f" {node} " in wide for node in NODES)
    ready = [line.split()[:2] for line in at.kubectl("get", "nodes").splitlines()[1:]]
    assert ready == [[node, "Ready"] for node in NODES]
    for pod in pods(at):
        logged = at.kubectl("logs", pod["metadata"]["name"], "-c", SERVICE)
        assert "started successfully" in logged


def test_a_node_takes_no_more_pods_than_it_has_room_for(at):
    scale(at, ROOM * len(NODES) + 1)
    until(lambda: sum(by_node(at, ready=True).values()) == ROOM * len(NODES))

    assert by_node(at) == {**dict.fromkeys(NODES, ROOM), "": 1}
    [waiting] = [pod for pod in pods(at) if not pod["spec"].get("nodeName")]
    told = at.kubectl("describe", "pod", waiting["metadata"]["name"])
    assert "0/3 nodes are available: 3 Too many pods." in told
    told = at.kubectl("describe", "node", BAD)
    assert f"Non-terminated Pods:          ({ROOM} in total)" in told


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({}, "CreateContainerError"), ({"images": "true"}, "ImagePullBackOff")],
    ids=["makes no containers", "is refused images"],
)
def test_on_a_bad_node_new_pods_fail_and_old_ones_serve(parameters, reason, at):
    with at.fault("node.node-bad", BAD, **parameters):
        scale(at, 6)
        until(lambda: reasons(at, BAD) == {reason})
        until(lambda: by_node(at, ready=True) == {**dict.fromkeys(NODES, 2), BAD: 1})
    until(lambda: by_node(at, ready=True) == dict.fromkeys(NODES, 2))


def test_a_node_that_is_not_ready_is_tainted_avoided_and_comes_back(at):
    def seen(node: str) -> str:
        return at.kubectl("get", "node", node, "--no-headers").split()[1]

    with at.fault("node.node-not-ready", BAD):
        until(lambda: seen(BAD) == "NotReady")
        until(lambda: by_node(at, ready=False) == {BAD: 1})
        assert seen(NODES[0]) == "Ready"
        until(
            lambda: (
                "node.kubernetes.io/not-ready:NoSchedule" in at.kubectl("describe", "node", BAD)
            ),
        )
        scale(at, 5)
        until(lambda: sum(by_node(at, ready=True).values()) == 4)
        assert by_node(at)[BAD] == 1
    until(lambda: seen(BAD) == "Ready" and not by_node(at, ready=False))
    assert "Taints:             <none>" in at.kubectl("describe", "node", BAD)


def test_a_run_whose_network_another_one_took_first_takes_the_next(tmp_path):
    world = World(tmp_path)
    number = octet(world)
    with socket.create_server((f"127.{number}.0.1", 8080)), running_cluster(tmp_path) as cluster:
        assert cluster.facts("node")["pod_subnet"] != f"127.{number}.0.0/16"
