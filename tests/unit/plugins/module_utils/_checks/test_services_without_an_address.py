"""Health of what listens nowhere: a program in its pods, a number of the monitoring server."""

import json
import typing as t

import pytest
from kubernetes.client.exceptions import ApiException

from ansible_collections.easymo.deploy.plugins.module_utils._checks import health, metrics
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    CheckError,
    NotKnownError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.pods import run_in_pods
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_calls import exit_of
from tests.fakes.cluster import MemoryCluster
from tests.fakes.controller import NAME, Controller
from tests.fakes.prometheus import prometheus
from tests.tables import cases
from tests.unit.plugins.module_utils._checks.ground import ground


class Programs(MemoryCluster):
    """`failing`: the pods in which a program ends with another code than 0, as the adapter tells it."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[tuple[str, str, t.Sequence[str]]] = []
        self.failing: set[str] = set()

    def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
        self.ran.append((pod, container, command))
        if pod in self.failing:
            raise RefusedError(f"Could not run {command[0]!r} in pod {pod!r}: it ended with code 3")
        return ""


@pytest.fixture
def cluster() -> Programs:
    cluster = Programs()
    Controller(cluster, "wallet:v1")
    return cluster


def pods_of(cluster: MemoryCluster) -> list[str]:
    return [name for kind, name in cluster.objects if kind == "Pod"]


def test_a_program_is_run_in_every_pod_of_the_deployment_and_in_no_other(cluster):
    pods = pods_of(cluster)
    labels = cluster.objects["Pod", pods[0]]["metadata"]["labels"]
    cluster.put("Pod", {"metadata": {"name": "a-job", "uid": "j", "labels": labels}, "status": {}})
    ending = cluster.objects["Pod", pods[0]]
    ending["metadata"]["deletionTimestamp"] = "2026-11-24T06:00:00Z"
    assert (
        run_in_pods(cluster, NAME, None, ["python", "-m", "health"])
        == "python ended with 0 in 2 pods"
    )
    assert sorted(cluster.ran) == [
        (pod, NAME, ["python", "-m", "health"]) for pod in sorted(pods[1:])
    ]


def test_one_pod_in_which_it_fails_is_named(cluster):
    cluster.failing = {pods_of(cluster)[1]}
    with pytest.raises(CheckError, match=rf"{pods_of(cluster)[1]}.* ended with code 3"):
        run_in_pods(cluster, NAME, "sidecar", ["check"])
    assert {container for _pod, container, _command in cluster.ran} == {"sidecar"}


def test_what_the_api_server_refuses_is_not_what_the_program_says(cluster, monkeypatch):
    def refuse(pod: str, container: str, command: t.Sequence[str]) -> str:
        raise RefusedError("cannot create resource pods/exec", status=403)

    monkeypatch.setattr(cluster, "execute", refuse)
    with pytest.raises(RefusedError):
        run_in_pods(cluster, NAME, None, ["check"])


def test_without_a_pod_or_a_deployment_nothing_is_well(cluster):
    for pod in pods_of(cluster):
        cluster.objects.pop(("Pod", pod))
    with pytest.raises(CheckError, match="has no pod to run 'check' in"):
        run_in_pods(cluster, NAME, None, ["check"])
    with pytest.raises(InputError, match="no Deployment 'walet'"):
        run_in_pods(cluster, "walet", None, ["check"])


def ask(answer: t.Any, **more: t.Any) -> str:
    with prometheus() as server:
        server.says("lag", answer)
        server.says("count", 3)
        options = {"query": "lag", "unit": "s", "pass": {"max": 60}, "volume": None, **more}
        return metrics.probe_metric({"prometheus": {"url": server.url}, **options}, 5)


def test_a_number_within_its_bounds_is_well():
    assert ask(7) == "7 s"


def test_a_number_beyond_them_is_not():
    with pytest.raises(CheckError, match="'lag' gives 61 s and should give at most 60") as caught:
        ask(61)
    assert not isinstance(caught.value, NotKnownError)


@pytest.mark.parametrize(("answer", "more", "why"), [
    ([], {}, "no series"),
    ({"http": 503, "status": "error", "errorType": "unavailable", "error": "starting"}, {},
     "answered 503: starting"),
    (7, {"volume": {"query": "count", "at_least": 5, "unit": "jobs"}}, "3 jobs of 5 needed"),
], ids=["no series", "a server that starts", "too few"])  # fmt: skip
def test_without_a_number_nothing_is_known(answer, more, why):
    with pytest.raises(NotKnownError, match=why):
        ask(answer, **more)


@pytest.mark.parametrize(("answer", "status"), [([], "hold"), (61, "fail"), (7, "pass")])
def test_what_is_not_known_holds_a_phase_and_fails_none(answer, status):
    with prometheus() as server:
        server.says("lag", answer)
        asked = {"query": "lag", "unit": "s", "pass": {"max": 60}, "volume": None}
        asked["prometheus"] = {"url": server.url}
        check = {"name": "indexer", "kind": "metric", "timeout": 5, "metric": asked}
        options = {"checks": [check], "wait_timeout": 0}
        assert health.play_health(options).status == status
        [row] = health.look_health(options, ground())
        assert (row.name, row.status) == ("indexer", status)


FAILED = {"status": "Failure", "message": 'exec: "check": executable file not found in $PATH'}


@cases(("status", "ended"), {
    "well": ({"status": "Success"}, (0, "")),
    "its own code": ({**FAILED, "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}},
                     (3, "")),
    "not started": ({**FAILED, "details": {"causes": [{"message": FAILED["message"]}]}},
                    (126, FAILED["message"])),
    "without causes": (FAILED, (126, FAILED["message"])),
})  # fmt: skip
def test_the_status_at_the_end_tells_the_code_or_why_there_is_none(status, ended):
    assert exit_of(json.dumps(status)) == ended


@pytest.mark.parametrize("status", ["", "{}", "not json"])
def test_a_connection_that_ends_before_the_program_tells_no_code(status):
    with pytest.raises(ApiException) as caught:
        exit_of(status)
    assert caught.value.status == 0
