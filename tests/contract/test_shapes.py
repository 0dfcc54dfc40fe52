"""Deployments as found in the wild, through preflight, rollout and return: nothing but the image may change."""

import copy
import json
import typing as t
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._checks.rollout import (
    find_problems,
    observe_facts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    OWN_ANNOTATIONS,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import REVISION
from ansible_collections.easymo.deploy.plugins.modules import release, rollout
from sandbox.world import World
from tests import kubernetes_api
from tests.contract.rollout_cluster import running_cluster
from tests.integration.conftest import Place, Result

Body = dict[str, t.Any]
FOLDER = Path(__file__).with_name("shapes")
OLD, NEW = "v1.9.0", "v2.0.0"
AT_ONCE = 4


@dataclass(frozen=True)
class Expected:
    """What preflight says, errors and some of its warnings, and how the rollout ends."""

    errors: frozenset[str] = frozenset()
    warnings: frozenset[str] = frozenset()
    result: str = "succeeded"


EXPECTED: dict[str, Expected] = {
    "no-probes": Expected(frozenset({"ReadinessProbe"}), frozenset({"PreStop"})),
    "plain": Expected(frozenset({"ReadinessProbe"}), frozenset({"Replicas"})),
    "recreate": Expected(frozenset({"Strategy"}), frozenset({"Replicas", "PreStop"})),
    "all-at-once": Expected(frozenset({"MaxUnavailable"})),
    "host-network": Expected(frozenset({"MaxUnavailable"})),
    "paused": Expected(frozenset({"Paused"}), result="paused"),
    "asleep": Expected(frozenset({"Replicas"}), result="blocked"),
    "no-history": Expected(warnings=frozenset({"RevisionHistory"})),
    "no-deadline": Expected(warnings=frozenset({"ProgressDeadline"})),
    "disruption-budget": Expected(warnings=frozenset({"DisruptionBudget", "PreStop"})),
    "many-writers": Expected(warnings=frozenset({"OtherWriters", "PreStop"})),
}
WELL_BEHAVED = ("exec-probe", "lifecycle-hooks")
"""Of these nothing is said at all."""


def documents() -> list[Body]:
    """Whole objects, and Deployments of which the file has what is unusual about them."""
    read = [
        document if "kind" in document else deployment(**document)
        for path in sorted(FOLDER.glob("*.yml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    # 2,000 variables, some 150 kB of template: what grows where nobody looks.
    variables = [
        {"name": f"FEATURE_{number:04}", "value": f"{'x' * 40}-{number}"} for number in range(2000)
    ]
    return [
        *read,
        deployment("huge-environment", spec={"replicas": 1}, container={"env": variables}),
    ]


def deployment(name: str, beside: t.Sequence[Body] = (), **unusual: Body) -> Body:
    """`unusual`: by part of it what it has besides, in another way, or not at all (null)."""
    parts = {
        part: merged(usual, unusual.get(part, {})) for part, usual in usual_parts(name).items()
    }
    pod = {"containers": [parts["container"], *beside], **parts["pod"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": parts["metadata"],
        "spec": {**parts["spec"], "template": {"metadata": parts["template"], "spec": pod}},
    }


READINESS = {
    "httpGet": {"path": "/livez", "port": 8080},
    "periodSeconds": 1,
    # By default a busy machine's answer after a second counts as none, and the pod as unready.
    "timeoutSeconds": 60,
}


def usual_parts(name: str) -> dict[str, Body]:
    labels = {"app": name}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}},
        "template": {"labels": labels},
        "pod": {"terminationGracePeriodSeconds": 2},
        "container": {
            "name": name,
            "image": f"easymo/wallet-service:{OLD}",
            "ports": [{"containerPort": 8080}],
            "readinessProbe": READINESS,
        },
    }


def merged(usual: t.Any, unusual: t.Any) -> t.Any:
    if not isinstance(usual, dict) or not isinstance(unusual, dict):
        return unusual
    both = usual | {key: merged(usual.get(key), value) for key, value in unusual.items()}
    return {key: value for key, value in both.items() if value is not None}


SHAPES = [one["metadata"]["name"] for one in documents() if one["kind"] == "Deployment"]
SOAKED = [one["metadata"]["name"] for one in documents() if "livenessProbe" in json.dumps(one)]
"""The others would soak for as long as their readiness probe may take, a minute each."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> t.Iterator[Place]:
    """One namespace with all of them, rolled out, as a chart's tool applies them."""
    with running_cluster(tmp_path_factory.mktemp("shapes")) as world:
        yield filled(world)


def filled(world: World) -> Place:
    place = Place(world.facts("kubernetes")["kubeconfig"], f"shapes-{uuid.uuid4().hex[:6]}")
    kubernetes_api.create_namespace(place.kubeconfig, place.namespace)
    listed = {"apiVersion": "v1", "kind": "List", "items": documents()}
    how = ("--server-side", "--field-manager=helm", "--validate=false")
    place.kubectl("apply", *how, "-f", "-", stdin=json.dumps(listed))
    for name in SHAPES:
        place.rolled_out(name)
    place.kubectl("rollout", "pause", "deployment/paused")
    return place


def seen(place: Place, name: str) -> Body:
    return place.read("deployments", name)


def image_of(body: Body, name: str) -> Body:
    containers = body["spec"]["template"]["spec"]["containers"]
    return next(one for one in containers if one["name"] == name)


def foreign(body: Body) -> Body:
    """What of a Deployment no rollout writes: all of its spec but the template, labels, others' annotations."""
    ours = (*OWN_ANNOTATIONS, FENCE_ANNOTATION, REVISION)
    annotations = body["metadata"].get("annotations") or {}
    return {
        "spec": {key: value for key, value in body["spec"].items() if key != "template"},
        "labels": body["metadata"]["labels"],
        "annotations": {k: v for k, v in annotations.items() if k not in ours},
    }


def written(template: Body) -> str:
    return json.dumps(template, sort_keys=True)


def ran(place: Place, name: str, **params: t.Any) -> Result:
    soak = None if name in SOAKED else 0
    given = {"name": name, "release": f"2.0.0-{name}", "wait_timeout": 120, "soak": soak, **params}
    return place.run(rollout, **given)


@pytest.mark.parametrize("name", SHAPES)
def test_preflight_says_what_stands_against_it(place, name):
    cluster = KubernetesCluster(Connection(place.namespace, kubeconfig=place.kubeconfig))
    problems = find_problems(observe_facts(cluster, [name]))
    expected = EXPECTED.get(name, Expected())
    by_severity: dict[str, set[str]] = {"error": set(), "warning": set()}
    for problem in problems:
        by_severity[problem.severity].add(problem.check)
    assert by_severity["error"] == expected.errors, problems
    assert by_severity["warning"] >= expected.warnings, problems
    if name in WELL_BEHAVED:
        assert not problems
    if name != "disruption-budget":
        assert "DisruptionBudget" not in by_severity["warning"], "that budget is another's"


def roll_and_return(place: Place, name: str) -> None:
    before, expected = seen(place, name), EXPECTED.get(name, Expected())
    image = image_of(before, name)["image"].replace(OLD, NEW)
    version = f"2.0.0-{name}"
    place.run(release, name=version, phase="microservices", phase_status="running")
    pinned = place.run(release, name=version, pin={"deployments": [name]})
    assert pinned["changed"], pinned

    rolled = ran(place, name, image=image)
    assert rolled["result"] == expected.result, rolled
    after = seen(place, name)
    wanted = copy.deepcopy(before["spec"]["template"])
    if expected.result == "succeeded":
        image_of({"spec": {"template": wanted}}, name)["image"] = image
    assert written(after["spec"]["template"]) == written(wanted)
    assert foreign(after) == foreign(before)
    assert ran(place, name, image=image)["changed"] is False

    told = place.run(rollout, name=name, state="rolled_back", release=version, check_mode=True)
    back = ran(place, name, state="rolled_back")
    assert back["result"] == ("rolled_back" if rolled["changed"] else "no_change"), back
    assert told["changed"] == back["changed"]
    assert told["taken_away"] == back["taken_away"] == []
    returned = seen(place, name)
    assert written(returned["spec"]["template"]) == written(before["spec"]["template"])
    assert foreign(returned) == foreign(before)
    assert ran(place, name, state="rolled_back")["result"] == "no_change"


@pytest.fixture(scope="module")
def rolled(place) -> t.Iterator[dict[str, Future[None]]]:
    """Each shape's way there and back, a few side by side: a rollout mostly waits for pods."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {name: threads.submit(roll_and_return, place, name) for name in SHAPES}


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_rolled_and_returned_and_nothing_else_of_it_changes(rolled, name):
    rolled[name].result()


def test_init_containers_end_and_native_sidecars_go_on(place):
    for name, words in (
        ("native-sidecar", ["terminated", "running"]),
        ("init-containers", ["terminated"] * 2),
    ):
        place.rolled_out(name)
        pod = place.read("pods", selector=f"app={name}")["items"][0]["status"]
        found = pod["initContainerStatuses"]
        assert [next(iter(one["state"])) for one in found] == words
        assert all(one["ready"] for one in found)
        conditions = {one["type"]: one["status"] for one in pod["conditions"]}
        assert (conditions["Initialized"], conditions["Ready"]) == ("True", "True")
