"""Several Deployments in a cluster in memory, stopped and started: nothing is ever forgotten or undone twice."""

import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    REPLICAS_ANNOTATION,
    Object,
    Operation,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.modules import rollout
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.module_runner import run_module
from tests.tables import cases

COUNTS = {"agent-core": 3, "wallet-service": 2, "idle-service": 0}
NAMES = list(COUNTS)


class Fleet:
    """Deployments and their pods. A pod takes a second to start, and three to end."""

    def __init__(self) -> None:
        self.cluster, self.clock = MemoryCluster(), FakeClock()
        self.stubborn: set[str] = set()
        """Deployments whose pods neither end nor become ready."""
        for name, count in COUNTS.items():
            self.cluster.put("Deployment", deployment(name, count))
        self.settle()
        self.clock.listeners.append(self.tick)

    def settle(self) -> None:
        for _second in range(10):
            self.tick()
        self.cluster.writes.clear()

    def tick(self) -> None:
        for name in NAMES:
            body = self.cluster.objects.get(("Deployment", name))
            if body is not None:
                self._reconcile(name, body)

    def _reconcile(self, name: str, body: Object) -> None:
        wanted = body["spec"]["replicas"]
        pods = [
            pod
            for (kind, _name), pod in self.cluster.objects.items()
            if kind == "Pod" and pod["metadata"]["labels"]["app"] == name
        ]
        active = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        for number in range(wanted - len(active)):
            self.cluster.put("Pod", pod_of(name, len(pods) + number))
        for pod in active[wanted:]:
            pod["metadata"]["deletionTimestamp"] = "2026-11-24T09:00:00Z"
            pod["left"] = 3
        for pod in pods:
            if "left" in pod and name not in self.stubborn:
                pod["left"] -= 1
                if pod["left"] <= 0:
                    self.cluster.objects.pop(("Pod", pod["metadata"]["name"]))
        ready = 0 if name in self.stubborn else min(len(active), wanted)
        body["status"] = {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": min(len(active), wanted),
            "availableReplicas": ready,
        }

    def body(self, name: str) -> Object:
        return self.cluster.objects["Deployment", name]

    def counts(self) -> dict[str, int]:
        return {name: self.body(name)["spec"]["replicas"] for name in NAMES}

    def memories(self) -> dict[str, str | None]:
        return {
            name: (self.body(name)["metadata"].get("annotations") or {}).get(REPLICAS_ANNOTATION)
            for name in NAMES
        }

    def pods(self) -> int:
        return sum(kind == "Pod" for kind, _name in self.cluster.objects)


def deployment(name: str, replicas: int) -> Object:
    return {
        "metadata": {"name": name, "uid": f"u-{name}", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {}, "spec": {"containers": []}},
        },
    }


def pod_of(name: str, number: int) -> Object:
    metadata = {"name": f"{name}-{number}", "uid": f"p-{name}-{number}", "labels": {"app": name}}
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Running"}}


@pytest.fixture
def fleet(monkeypatch) -> Fleet:
    fleet = Fleet()
    monkeypatch.setattr(rollout, "cluster_for", lambda _module: fleet.cluster)
    monkeypatch.setattr(rollout, "MonotonicClock", lambda: fleet.clock)
    return fleet


@pytest.fixture
def scale(fleet) -> t.Callable[..., dict[str, t.Any]]:
    def run(state: str, **arguments: t.Any) -> dict[str, t.Any]:
        given = {
            "namespace": "easymo-prod",
            "deployments": NAMES,
            "state": state,
            "diff": True,
            **arguments,
        }
        return run_module(rollout, **given)

    return run


Scale = t.Callable[..., dict[str, t.Any]]
MEMORIES = {"agent-core": "3", "wallet-service": "2", "idle-service": "0"}
NO_MEMORIES = dict.fromkeys(NAMES)
NOBODY = dict.fromkeys(NAMES, 0)


def test_stopped_means_that_no_pod_is_left_and_every_count_remembered(fleet, scale):
    result = scale("stopped")
    assert result["changed"] is True
    assert (fleet.counts(), fleet.memories(), fleet.pods()) == (NOBODY, MEMORIES, 0)
    assert result["deployments"][0] == {
        "name": "agent-core",
        "before": 3,
        "after": 0,
        "remembered": 3,
        "changed": True,
    }


def test_running_brings_every_count_back_and_forgets_it(fleet, scale):
    scale("stopped")
    result = scale("running")
    assert result["changed"] is True
    assert (fleet.counts(), fleet.memories()) == (COUNTS, NO_MEMORIES)
    assert fleet.pods() == 5


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_a_second_run_writes_nothing(fleet, scale, state):
    scale("stopped")
    scale(state)
    fleet.cluster.writes.clear()
    before = (fleet.counts(), fleet.memories())
    assert scale(state)["changed"] is False
    assert (fleet.counts(), fleet.memories()) == before
    assert fleet.cluster.writes == []


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_check_mode_tells_what_the_real_run_returns_and_writes_nothing(fleet, scale, state):
    if state == "running":
        scale("stopped")
        fleet.cluster.writes.clear()
    before = (fleet.counts(), fleet.memories())
    predicted = scale(state, check=True)
    assert (fleet.counts(), fleet.memories(), fleet.cluster.writes) == (*before, [])
    real = scale(state)
    predicted.pop("invocation", None), real.pop("invocation", None)
    assert predicted == real


def test_what_this_module_did_not_stop_it_does_not_start(fleet, scale):
    fleet.body("agent-core")["spec"]["replicas"] = 0  # by somebody else
    fleet.settle()
    result = scale("running")
    assert result["changed"] is False
    assert fleet.counts()["agent-core"] == 0


def test_a_count_that_somebody_set_meanwhile_yields_to_the_memory(fleet, scale, monkeypatch):
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    scale("stopped")
    fleet.body("agent-core")["spec"]["replicas"] = 1
    scale("stopped")
    assert ["Somebody scaled agent-core" in warning for warning in warnings] == [True]
    assert (fleet.counts(), fleet.memories()) == (NOBODY, MEMORIES)


def test_an_interrupted_stop_goes_on_where_it_ended(fleet, scale):
    scale("stopped", deployments=["agent-core"])  # as far as a killed run came
    assert scale("stopped")["changed"] is True
    assert (fleet.counts(), fleet.memories()) == (NOBODY, MEMORIES)
    scale("running", deployments=["wallet-service"])
    scale("running")
    assert (fleet.counts(), fleet.memories()) == (COUNTS, NO_MEMORIES)


def test_one_that_is_missing_keeps_all_from_stopping_but_none_from_starting(fleet, scale):
    refused = scale("stopped", deployments=[*NAMES, "wallet-servcie"])
    assert "There is no Deployment 'wallet-servcie'" in refused["msg"]
    assert fleet.counts() == COUNTS
    scale("stopped")
    failed = scale("running", deployments=["wallet-servcie", *NAMES])
    assert "There is no Deployment 'wallet-servcie'" in failed["msg"]
    assert (fleet.counts(), fleet.memories()) == (COUNTS, NO_MEMORIES)


def test_a_memory_that_is_no_number_is_said_and_keeps_no_other_from_starting(fleet, scale):
    scale("stopped")
    fleet.body("agent-core")["metadata"]["annotations"][REPLICAS_ANNOTATION] = "three"
    failed = scale("running")
    assert "kubectl annotate --overwrite deployment/agent-core" in failed["msg"]
    assert fleet.counts() == {**COUNTS, "agent-core": 0}


def test_pods_that_do_not_end_are_told_and_their_counts_kept(fleet, scale):
    fleet.stubborn.add("wallet-service")
    failed = scale("stopped", wait_timeout=30)
    assert failed["reason"] == "NotReady"
    assert "wallet-service: 2 pods left, 2 of them ending" in failed["msg"]
    assert fleet.memories() == MEMORIES


def test_pods_that_do_not_become_available_are_told_after_all_were_started(fleet, scale):
    scale("stopped")
    fleet.stubborn.add("agent-core")
    failed = scale("running", wait_timeout=30)
    assert "agent-core: 0 of 3 available. The counts are set" in failed["msg"]
    assert fleet.counts() == COUNTS


def test_a_conflict_is_looked_at_again_and_the_newest_count_remembered(fleet, scale):
    def meanwhile() -> None:
        body = fleet.body("agent-core")
        body["spec"]["replicas"] = 5
        body["metadata"]["generation"] += 1

    fleet.cluster.before_write = meanwhile
    assert scale("stopped")["changed"] is True
    assert fleet.memories()["agent-core"] == "5"


def test_a_server_that_refuses_every_write_is_not_asked_for_ever(fleet, scale, monkeypatch):
    patch = fleet.cluster.patch

    def contended(
        kind: str, name: str, operations: t.Sequence[Operation], *, dry_run: bool = False
    ) -> Object:
        fleet.body(name)["metadata"]["generation"] += 1
        return patch(kind, name, operations, dry_run=dry_run)

    monkeypatch.setattr(fleet.cluster, "patch", contended)
    failed = scale("stopped")
    assert "was changed 5 times during our writes" in failed["msg"]
    assert fleet.counts() == COUNTS


@cases(
    ("state", "error", "left"),
    {
        "stopping-ends-at-once": ("stopped", RefusedError, "wallet-service, idle-service"),
        "starting-goes-on": ("running", RefusedError, "wallet-service"),
        "nobody-answers": ("running", UnreachableError, "wallet-service, idle-service"),
    },
)
def test_a_failure_midway_tells_which_are_where(fleet, scale, monkeypatch, state, error, left):
    if state == "running":
        scale("stopped")
    patch = fleet.cluster.patch

    def refusing(kind: str, name: str, *args: t.Any, **kwargs: t.Any) -> Object:
        if name == "wallet-service":
            raise error("The server said no.")
        return patch(kind, name, *args, **kwargs)

    monkeypatch.setattr(fleet.cluster, "patch", refusing)
    failed = scale(state)
    assert failed["msg"].startswith("The server said no. Of 3 Deployments")
    assert f", but not {left}." in failed["msg"]


def test_bad_input_is_refused_before_anything_is_read(fleet, scale):
    fleet.cluster.requests.clear()
    assert "'wait_timeout' is 0" in scale("stopped", wait_timeout=0)["msg"]
    assert fleet.cluster.requests == []
