import copy
import typing as t
from datetime import UTC, datetime

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.pods import (
    REACHED,
    STALE,
    UNKNOWN,
    Asker,
    FlagsProbe,
    PodState,
    differences,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.proof import (
    SETTLE,
    follow,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller

AGENTS = "FEATURE_AI_AGENTS"
EXPECTED = {AGENTS: "true"}
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENDPOINT = FlagsProbe.from_options(
    {"http": {"port": 8080, "path": "/flags", "scheme": "http"}, "values": "flags"}
)


def test_a_difference_names_key_expected_and_seen():
    assert differences({AGENTS: "false"}, EXPECTED) == f"{AGENTS} is 'false' instead of 'true'"
    assert differences({}, EXPECTED) == f"{AGENTS} is unset instead of 'true'"
    assert differences({AGENTS: "true", "X": "y"}, EXPECTED) == ""


class Readers:
    """Three pods of a Deployment that tell their flags at an endpoint."""

    def __init__(self) -> None:
        self.cluster, self.clock = MemoryCluster(), FakeClock()
        Controller(self.cluster, "easymo/wallet-service:v1")
        self.deployment = Deployment.from_json(self.cluster.objects["Deployment", NAME])
        self.pods = [name for kind, name in self.cluster.objects if kind == "Pod"]
        self.set_flags(dict.fromkeys(self.pods, "false"))
        about = (EXPECTED, self.clock, lambda: NOON, self.clock.now(), ENDPOINT)
        self.asker = Asker(self.cluster, self.deployment, *about)
        self.reports: list[str] = []

    def set_flags(self, values: dict[str, str]) -> None:
        for pod, value in values.items():
            self.cluster.answers[pod] = f'{{"flags": {{"{AGENTS}": {value}}}}}'

    def ask(self) -> list[PodState]:
        return self.asker.ask()

    def follow(self, patience: float = 60, settle: float = 0.0) -> tuple[dict[str, PodState], str]:
        followed = follow(
            self.asker,
            deadline=self.clock.now() + patience,
            report=self.reports.append,
            settle=settle,
        )
        return {pod.pod: pod for pod in followed.pods}, followed.problem


def test_every_pod_is_asked_at_its_endpoint():
    readers = Readers()
    readers.set_flags({readers.pods[1]: "true"})
    assert [pod.state for pod in readers.ask()] == [STALE, REACHED, STALE]
    readers.cluster.answers[readers.pods[1]] = '{"flags": {}}'
    assert readers.ask()[1].detail == f"{AGENTS} is unset instead of 'true'"


@pytest.mark.parametrize("kind", ["Job", "StatefulSet", "DaemonSet"])
def test_a_pod_of_another_controller_with_the_same_labels_is_not_asked(kind):
    readers = Readers()
    other = copy.deepcopy(readers.cluster.objects["Pod", readers.pods[0]])
    owner = {"kind": kind, "name": "migrate", "uid": "j-1", "controller": True}
    other["metadata"] |= {"name": "migrate-x", "uid": "p-1", "ownerReferences": [owner]}
    readers.cluster.put("Pod", other)
    readers.set_flags({"migrate-x": "false"})
    assert [pod.pod for pod in readers.ask()] == readers.pods


def test_a_pod_whose_application_knows_no_such_path_is_not_taken_for_one_that_went():
    readers = Readers()
    del readers.cluster.answers[readers.pods[0]]
    assert [pod.state for pod in readers.ask()] == [UNKNOWN, STALE, STALE]


def test_a_look_in_which_a_pod_went_is_taken_again_for_its_successor():
    readers = Readers()
    cluster, proxy, (old, *others) = readers.cluster, readers.cluster.proxy, readers.pods

    def went_meanwhile(pod: str, port: int, path: str, *, tls: bool = False) -> str:
        if pod == old and ("Pod", old) in cluster.objects:
            body = cluster.objects.pop(("Pod", old))
            del cluster.answers[old]
            names = {**body["metadata"], "name": "successor", "uid": "another"}
            cluster.put("Pod", {**body, "metadata": names})
            readers.set_flags({"successor": "true"})
        return proxy(pod, port, path, tls=tls)

    cluster.proxy = went_meanwhile  # type: ignore[method-assign]
    states = {pod.pod: pod.state for pod in readers.ask()}
    assert states == {"successor": REACHED, **dict.fromkeys(others, STALE)}


def test_pods_that_follow_are_told_by_when_each_was_first_seen_to():
    readers = Readers()
    moments = {2.0: readers.pods[0], 9.0: readers.pods[1], 30.0: readers.pods[2]}
    ask_pods, began = readers.asker.ask, readers.clock.now()

    def ask() -> list[PodState]:
        passed = readers.clock.now() - began
        readers.set_flags({pod: "true" for at, pod in moments.items() if passed >= at})
        return ask_pods()

    readers.asker.ask = ask  # type: ignore[method-assign]
    pods, note = readers.follow()
    assert [pods[pod].at for pod in readers.pods] == [2.0, 9.0, 30.0]
    assert note == ""
    assert readers.reports == [f"{count} of 3 pods run the flags" for count in range(3)]


def test_the_kubelet_is_told_of_pods_that_are_behind_and_of_no_other():
    readers = Readers()
    readers.set_flags({readers.pods[0]: "true"})
    metadata = readers.cluster.objects["Pod", readers.pods[1]]["metadata"]
    metadata["annotations"] = {"owner": "somebody"}
    pods, _ = readers.follow(patience=25)
    assert pods[readers.pods[1]].state == STALE
    marks = [
        readers.cluster.objects["Pod", pod]["metadata"].get("annotations") for pod in readers.pods
    ]
    assert not marks[0]
    assert (marks[1] or {}).keys() == {"owner", "easymo.com/flags-synced-at"}
    assert (marks[2] or {}).keys() == {"easymo.com/flags-synced-at"}
    assert readers.cluster.writes == ["patch Pod"] * 6, "two pods, every ten seconds"


def test_a_pod_to_which_an_older_write_is_still_on_its_way_is_followed_until_ours_comes():
    """It has the flags of before that write, and they are those that are wanted."""
    readers = Readers()
    readers.set_flags(dict.fromkeys(readers.pods, "true"))
    ask_pods, began = readers.asker.ask, readers.clock.now()

    def ask() -> list[PodState]:
        passed = readers.clock.now() - began
        older = 3.0 <= passed < 20.0
        readers.set_flags({readers.pods[0]: "false" if older else "true"})
        return ask_pods()

    readers.asker.ask = ask  # type: ignore[method-assign]
    pods, _ = readers.follow(settle=SETTLE)
    assert {pod.state for pod in pods.values()} == {REACHED}
    assert pods[readers.pods[0]].at >= 20.0
    assert pods[readers.pods[1]].at == 0.0
    assert readers.clock.now() - began <= 21.0
    assert readers.cluster.writes.count("patch Pod") >= 6, "each is told at once, and again"


def test_pods_that_keep_the_flags_are_believed_after_a_while():
    readers = Readers()
    readers.set_flags(dict.fromkeys(readers.pods, "true"))
    began = readers.clock.now()
    pods, _ = readers.follow(settle=SETTLE)
    assert SETTLE <= readers.clock.now() - began <= SETTLE + 1
    assert {pod.at for pod in pods.values()} == {0.0}
    assert readers.reports == [
        "3 of 3 pods run the flags, and are watched for 15 s: do they keep them?"
    ]


def test_a_pod_that_changed_meanwhile_is_told_with_the_next_look_and_keeps_no_other_waiting():
    readers = Readers()
    patch, refused = readers.cluster.patch, [readers.pods[0]]

    def busy(kind: str, name: str, *rest: t.Any, **options: t.Any) -> t.Any:
        if name in refused:
            refused.remove(name)
            raise ConflictError("the object has been modified")
        return patch(kind, name, *rest, **options)

    readers.cluster.patch = busy  # type: ignore[method-assign]
    _, note = readers.follow(patience=2)
    assert note == ""
    for pod in readers.pods:
        assert readers.cluster.objects["Pod", pod]["metadata"].get("annotations"), pod


def test_two_writes_within_a_second_are_told_by_two_values():
    readers = Readers()
    values = set()
    for _ in range(2):
        readers.follow(patience=1)
        marks = readers.cluster.objects["Pod", readers.pods[0]]["metadata"]["annotations"]
        values.add(marks["easymo.com/flags-synced-at"])
    assert len(values) == 2


def test_without_the_right_it_waits_all_the_same_and_says_so():
    readers = Readers()
    began = readers.clock.now()

    def refuse(*_arguments: object, **_options: object) -> t.NoReturn:
        raise RefusedError("pods is forbidden")

    readers.cluster.patch = refuse  # type: ignore[method-assign]
    _, note = readers.follow(patience=5)
    assert note.startswith("The kubelet was not told to hurry")
    assert readers.clock.now() - began >= 5
