"""What can be had of a pod of the simulated world, beside its object: logs and commands, in the words of a kubelet."""

import typing as t

import pytest
from kubernetes.client.exceptions import ApiException

from tests.contract.rollout_cluster import deployment
from tests.simulation import plan
from tests.simulation.client import Execution, Session
from tests.simulation.world import NAMESPACE, World

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
ACTOR = "kubectl"


class Stage:
    """One pod whose image has this tag, after some minutes."""

    def __init__(self, tag: str, *faults: plan.Fault) -> None:
        self.world = World(plan.Plan(1, {}, (), faults), lambda _text: None)
        body = deployment(f"easymo/wallet:{tag}", replicas=1)
        self.world.store.create("deployments", body)
        self.world.plane.settle()
        self.pass_time(200.0)
        pod = self.world.store.records("pods", NAMESPACE)[0].body
        self.name, self.container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]

    def pass_time(self, seconds: float) -> None:
        self.world.scheduler.run(until=self.world.scheduler.now + seconds)

    def ask(self, what: t.Callable[[], t.Any]) -> tuple[int, str]:
        told: list[tuple[int, str]] = []

        def live() -> None:
            try:
                told.append((200, str(what())))
            except ApiException as exc:
                told.append((exc.status, str(exc.body or exc.reason)))

        self.world.start(ACTOR, "laptop", live, rate=1.0, ahead=0.0)
        self.pass_time(40.0)
        return told[0]

    def log(self, pod: str = "", **query: str) -> tuple[int, str]:
        path, session = f"{PODS}/{pod or self.name}/log", Session(self.world)
        asked = {"container": self.container, **query}
        return self.ask(
            lambda: session.request("GET", path, query_params=[*asked.items()]).read().decode()
        )

    def execute(self, pod: str = "") -> tuple[int, str]:
        return self.ask(lambda: Execution(self.world, f"{PODS}/{pod or self.name}").go())


def test_a_running_container_has_a_log_and_runs_commands():
    stage = Stage("v2.0.0")
    assert stage.log() == (200, "it runs\n")
    assert stage.execute() == (200, "")
    status, words = stage.log(previous="true")
    assert status == 400
    assert "previous terminated container" in words


def test_one_that_crashes_tells_of_it_and_of_the_time_before():
    stage = Stage("v2.0.0-crashes")
    assert stage.log() == stage.log(previous="true") == (200, "it crashes\n")
    status, words = stage.execute()
    assert (status, "container not found" in words) == (500, True)


def test_one_without_an_image_has_no_log():
    status, words = Stage("v2.0.0-absent").log()
    assert status == 400
    assert "is waiting to start: trying and failing to pull image" in words


def test_a_pod_that_is_not_there_is_not_found():
    stage = Stage("v2.0.0")
    assert stage.log("nobody")[0] == stage.execute("nobody")[0] == 404


@pytest.mark.parametrize(
    ("kind", "status"), [(plan.LOST, 0), (plan.THROTTLED, 429), (plan.ERROR, 500)]
)
def test_a_command_is_lost_as_any_call(kind, status):
    stage = Stage("v2.0.0", plan.Fault(ACTOR, kind, plan.EXEC, 2))
    assert [stage.execute()[0] for _time in range(3)] == [200, status, 200]
