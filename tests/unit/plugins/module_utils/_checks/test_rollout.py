import copy
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.rollout import (
    NamespaceFacts,
    find_problems,
)

NAME = "wallet-service"
Body = dict[str, t.Any]


def fit() -> Body:
    """A Deployment that nothing stands against."""
    container = {
        "name": NAME,
        "image": "easymo/wallet-service:v1",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "resources": {"requests": {"cpu": "250m"}},
        "envFrom": [{"configMapRef": {"name": "config"}}],
        "env": [
            {"name": "K", "valueFrom": {"secretKeyRef": {"name": "secrets", "key": "token"}}},
            {
                "name": "O",
                "valueFrom": {"secretKeyRef": {"name": "x", "key": "y", "optional": True}},
            },
        ],
    }
    counts = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
    labels = {"app": NAME}
    return {
        "metadata": {"name": NAME, "uid": "u", "generation": 1},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        "status": {"observedGeneration": 1, **counts},
    }


HELD = {("ConfigMap", "config"): frozenset({"a"}), ("Secret", "secrets"): frozenset({"token"})}


def problems(body: Body, **facts: t.Any) -> list[tuple[str, str]]:
    seen = NamespaceFacts(**{"deployments": {NAME: body}, "troubled": {}, "held": HELD, **facts})
    return [(one.check, one.severity) for one in find_problems(seen)]


def changed(path: str, value: t.Any) -> Body:
    body = copy.deepcopy(fit())
    *parents, last = path.split(".")
    place: t.Any = body
    for part in parents:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return body


def test_nothing_stands_against_one_that_is_fit():
    assert problems(fit()) == []


CONTAINER = "spec.template.spec.containers.0"
ROLLING = "spec.strategy.rollingUpdate"


@pytest.mark.parametrize(("path", "value", "check", "severity"), [
    ("spec.strategy.type", "Recreate", "Strategy", "error"),
    (f"{ROLLING}.maxUnavailable", "100%", "MaxUnavailable", "error"),
    (f"{ROLLING}.maxUnavailable", 3, "MaxUnavailable", "error"),
    (f"{CONTAINER}.readinessProbe", None, "ReadinessProbe", "error"),
    ("spec.paused", True, "Paused", "error"),
    ("status.availableReplicas", 2, "InFlight", "error"),
    ("metadata.generation", 2, "InFlight", "error"),
    ("spec.revisionHistoryLimit", 1, "RevisionHistory", "warning"),
    ("spec.progressDeadlineSeconds", 2147483647, "ProgressDeadline", "warning"),
    ("spec.template.spec.terminationGracePeriodSeconds", 0, "TerminationGrace", "warning"),
    (f"{CONTAINER}.lifecycle", None, "PreStop", "warning"),
    (f"{CONTAINER}.lifecycle.preStop.sleep.seconds", 0, "PreStop", "warning"),
    (f"{CONTAINER}.lifecycle.preStop.sleep.seconds", 30, "PreStop", "warning"),
    ("metadata.annotations", {"reloader.stakater.com/auto": "true"}, "OtherWriters", "warning"),
    ("metadata.annotations", {"argocd.argoproj.io/tracking-id": "x"}, "OtherWriters", "warning"),
    ("metadata.annotations", {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
     "OtherWriters", "warning"),
])  # fmt: skip
def test_each_flaw_is_found(path, value, check, severity):
    assert problems(changed(path, value)) == [(check, severity)]


def test_who_stops_at_once_is_named_with_what_to_do():
    body = changed(f"{CONTAINER}.lifecycle", None)
    idle = {"name": "batch", "image": "easymo/batch:v1"}
    body["spec"]["template"]["spec"]["containers"].append(idle)
    [found] = find_problems(NamespaceFacts(deployments={NAME: body}, troubled={}, held=HELD))
    assert str(found).startswith(f"{NAME}: container {NAME} has no preStop")
    assert "SIGTERM" in found.message


@pytest.mark.parametrize("hook", [{"exec": {"command": ["sleep", "5"]}}, {"httpGet": {"port": 1}}])
def test_any_other_hook_will_do(hook):
    assert problems(changed(f"{CONTAINER}.lifecycle.preStop", hook)) == []


@pytest.mark.parametrize(("replicas", "severity"), [(0, "error"), (1, "warning")])
def test_too_few_pods(replicas, severity):
    body = changed("spec.replicas", replicas)
    body["status"] = {
        "observedGeneration": 1,
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": replicas,
    }
    assert problems(body) == [("Replicas", severity)]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({("ConfigMap", "config"): None}, "ConfigMap config, which is missing"),
        ({("Secret", "secrets"): frozenset({"other"})}, "need token of Secret secrets"),
    ],
)
def test_what_pods_cannot_start_without_is_named(held, words):
    facts = NamespaceFacts(deployments={NAME: fit()}, troubled={}, held={**HELD, **held})
    [problem] = find_problems(facts)
    assert (problem.check, problem.severity) == ("References", "error")
    assert words in problem.message


def quota(hard: str, used: str, name: str = "requests.cpu") -> Body:
    status = {"hard": {name: hard}, "used": {name: used}}
    return {"metadata": {"name": "q"}, "status": status}


@pytest.mark.parametrize(
    ("limit", "unavailable", "found"),
    [
        (quota("1", "750m"), 0, []),
        (quota("1", "800m"), 0, [("Quota", "error")]),
        (quota("1", "800m"), 1, [("Quota", "warning")]),
        (quota("3", "3", "pods"), 0, [("Quota", "error")]),
        (quota("1Gi", "1Gi", "requests.memory"), 0, []),
    ],
)
def test_a_quota_must_leave_room_for_the_surge(limit, unavailable, found):
    body = changed(f"{ROLLING}.maxUnavailable", unavailable)
    assert problems(body, quotas=[limit]) == found


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"minAvailable": 2}, []),
        ({"minAvailable": "100%"}, [("DisruptionBudget", "warning")]),
        ({"maxUnavailable": 0}, [("DisruptionBudget", "warning")]),
    ],
)
def test_a_budget_that_lets_nothing_go(spec, found):
    selector = {"matchLabels": {"app": NAME}}
    budget = {"metadata": {"name": "b"}, "spec": {"selector": selector, **spec}}
    other = {"metadata": {"name": "o"}, "spec": {"selector": {"matchLabels": {"app": "x"}}}}
    assert problems(fit(), budgets=[budget, other]) == found


@pytest.mark.parametrize(
    ("selector", "is_its"),
    [
        pytest.param({"matchLabels": {"app": NAME}}, True, id="its label"),
        pytest.param({}, True, id="everything"),
        pytest.param(None, False, id="no selector"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": [NAME, "x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
    ],
)
def test_a_budget_is_its_own_by_labels_and_by_expressions(selector, is_its):
    budget = {"metadata": {"name": "b"}, "spec": {"maxUnavailable": 0, "selector": selector}}
    assert bool(problems(fit(), budgets=[budget])) is is_its


def test_errors_come_first_and_what_was_not_seen_is_told():
    facts = NamespaceFacts(
        deployments={NAME: changed("spec.strategy.type", "Recreate")},
        troubled={},
        held=HELD,
        unseen=["Could not list ResourceQuota objects."],
    )
    found = [(one.severity, str(one)) for one in find_problems(facts)]
    assert [severity for severity, _text in found] == ["error", "warning"]
    assert found[1][1] == "Could not list ResourceQuota objects."


@pytest.mark.parametrize(
    ("release", "severity"),
    [("2.0.0", "warning"), ("2.0.1", "error"), ("", "error")],
    ids=["its own", "another", "nobody says which"],
)
def test_an_unfinished_rollout_of_the_same_release_is_taken_up(release, severity):
    body = changed("status.updatedReplicas", 1)
    body["metadata"]["annotations"] = {"easymo.com/release": "2.0.0"}
    assert problems(body, release=release) == [("InFlight", severity)]


@pytest.mark.parametrize(("path", "more", "found"), [
    ("status.availableReplicas", {}, ("InFlight", "warning")),
    ("status.updatedReplicas", {}, ("InFlight", "error")),
    ("status.availableReplicas", {"troubled": {NAME: "it crashes"}}, ("InFlight", "error")),
], ids=["more of the same pods", "old and new pods", "pods in trouble"])  # fmt: skip
def test_what_an_autoscaler_adds_is_no_other_rollout(path, more, found):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    autoscalers = [{"metadata": {"name": "cpu"}, "spec": {"scaleTargetRef": target}}]
    assert problems(changed(path, 1), autoscalers=autoscalers, **more) == [found]
