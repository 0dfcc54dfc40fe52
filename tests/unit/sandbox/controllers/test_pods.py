"""ReplicaSets, scheduling and endpoints: which pods go first, where they fit, who gets traffic."""

import typing as t

import pytest

from sandbox.kubernetes.controllers import controller, endpointslices, replicaset
from sandbox.kubernetes.controllers.nodes import by_free_room, filter_reasons, refusal
from sandbox.kubernetes.controllers.objects import seconds, timestamp
from sandbox.kubernetes.quantities import parse
from tests.tables import cases

Object = dict[str, t.Any]
NOW = seconds("2026-11-24T09:00:00Z")


def pod(name: str, *, ready: bool = True, age: float = 100, **over: t.Any) -> Object:
    state = "True" if ready else "False"
    status: Object = {
        "phase": over.pop("phase", "Running"),
        "podIP": over.pop("ip", "127.20.0.2"),
        "conditions": [
            {"type": "Ready", "status": state, "lastTransitionTime": timestamp(NOW - age)}
        ],
        "containerStatuses": [{"restartCount": over.pop("restarts", 0)}],
    }
    metadata: Object = {
        "name": name,
        "namespace": "n",
        "uid": f"uid-{name}",
        "labels": {"app": "a"},
        "creationTimestamp": timestamp(NOW - age),
        "annotations": over.pop("annotations", {}),
    }
    if over.pop("leaving", False):
        metadata["deletionTimestamp"] = timestamp(NOW)
    spec = {"nodeName": over.pop("node", "sandbox-node"), "containers": over.pop("containers", [])}
    assert not over
    return {"metadata": metadata, "spec": spec, "status": status}


@cases(
    ("loser", "keeper"),
    {
        "unassigned": (pod("a", node=""), pod("b")),
        "pending": (pod("a", phase="Pending", ready=False), pod("b", ready=False)),
        "not ready": (pod("a", ready=False), pod("b")),
        "cheap": (pod("a", annotations={replicaset.DELETION_COST: "-1"}), pod("b")),
        "young": (pod("a", age=5), pod("b", age=50)),
        "restarted": (pod("a", restarts=3), pod("b")),
    },
)
def test_the_pod_that_is_missed_least_goes_first(loser, keeper):
    assert replicaset.surplus([keeper, loser], 1) == [loser]


def test_pods_on_their_way_out_are_neither_counted_nor_deleted_again():
    entry = {"metadata": {"name": "rs"}, "spec": {"replicas": 2}}
    pods = [pod("a"), pod("b", leaving=True)]

    assert replicaset.missing(entry, pods) == 1
    assert replicaset.surplus(pods, 5) == [pods[0]]


def test_a_failure_keeps_its_first_words_until_it_is_over():
    entry: Object = {
        "metadata": {"name": "rs", "generation": 1},
        "spec": {"replicas": 1, "template": {}},
    }
    first = replicaset.Failure("FailedCreate", "first words")

    entry["status"] = replicaset.set_status(entry, [], first, NOW)
    again = replicaset.Failure("FailedCreate", "other words")
    assert replicaset.set_status(entry, [], again, NOW + 5) == entry["status"]
    assert "conditions" not in replicaset.set_status(entry, [], None, NOW + 9)


def test_available_comes_min_ready_seconds_after_ready():
    entry: Object = {
        "metadata": {"name": "rs", "generation": 1},
        "spec": {"replicas": 1, "minReadySeconds": 10, "template": {}},
    }
    young = [pod("a", age=4)]

    assert "availableReplicas" not in replicaset.set_status(entry, young, None, NOW)
    assert replicaset.available_in(entry, young, NOW) == pytest.approx(6, abs=0.1)
    assert replicaset.set_status(entry, young, None, NOW + 6)["availableReplicas"] == 1


@pytest.mark.parametrize(
    ("text", "value"), [("250m", "0.25"), ("2", "2"), ("128Mi", "134217728"), ("1k", "1000")]
)
def test_quantities_are_read_in_their_base_unit(text, value):
    assert parse(text) == parse(value)


def node(cpu: str = "1", *, ready: str = "True") -> Object:
    return {
        "metadata": {"name": "sandbox-node"},
        "spec": {},
        "status": {
            "allocatable": {"cpu": cpu, "pods": "2"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def test_a_pod_fits_only_where_its_requests_are_left():
    wanted = pod("a", containers=[{"resources": {"requests": {"cpu": "600m"}}}])

    assert filter_reasons(wanted, node(), []) == []
    assert filter_reasons(wanted, node(), [wanted]) == ["Insufficient cpu"]
    assert filter_reasons(pod("b"), node(), [pod("c"), pod("d")]) == ["Too many pods"]
    assert filter_reasons(wanted, node(ready="False"), []) == ["node(s) had untolerated taint(s)"]


def test_nodes_with_fewest_pods_come_first_and_those_with_as_many_by_name():
    nodes = [{"metadata": {"name": name}} for name in ("c", "b", "a")]
    on_node = {"a": [pod("1")], "c": [pod("2")]}

    assert [n["metadata"]["name"] for n in by_free_room(nodes, on_node)] == ["b", "a", "c"]


def test_the_refusal_counts_the_reasons():
    told = refusal(1, ["Insufficient cpu"])

    assert told.startswith("0/1 nodes are available: 1 Insufficient cpu.")
    assert refusal(0, []) == "no nodes available to schedule pods"


def service(**spec: t.Any) -> Object:
    ports = [{"port": 80, "targetPort": "http", "name": "http"}]
    return {
        "metadata": {"name": "s", "namespace": "n"},
        "spec": {"selector": {"app": "a"}, "ports": ports, **spec},
    }


@cases(
    ("entry", "expected"),
    {
        "ready": (pod("a"), (True, True, False)),
        "unready": (pod("a", ready=False), (False, False, False)),
        "leaving": (pod("a", leaving=True), (False, True, True)),
    },
)
def test_traffic_goes_to_ready_pods_that_stay(entry, expected):
    found = endpointslices.endpoint(service(), entry)

    assert found is not None
    conditions = found["conditions"]
    assert tuple(conditions[n] for n in ("ready", "serving", "terminating")) == expected


def test_pods_without_address_or_finished_are_no_endpoints():
    assert endpointslices.endpoint(service(), pod("a", ip="")) is None
    assert endpointslices.endpoint(service(), pod("a", phase="Failed")) is None


def test_endpoints_keep_their_place_and_new_ones_come_last():
    first = endpointslices.endpoints(service(), [pod("b"), pod("c")], [])
    second = endpointslices.endpoints(service(), [pod("a"), pod("c"), pod("b")], first)

    assert [entry["targetRef"]["name"] for entry in second] == ["b", "c", "a"]


def test_a_named_port_is_looked_up_in_the_pods():
    offering = pod("a", containers=[{"ports": [{"name": "http", "containerPort": 8080}]}])

    assert endpointslices.ports(service(), [offering]) == [
        {"name": "http", "protocol": "TCP", "port": 8080}
    ]
    assert endpointslices.ports(service(), []) == []


def test_retries_double_from_five_milliseconds_and_stay_watchable():
    delays = [controller.backoff(failures) for failures in range(20)]

    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[-1] == controller.LAST_DELAY
