import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.health import (
    client_settings,
    judge_answer,
    same,
    without_query,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import CheckError
from ansible_collections.easymo.deploy.plugins.module_utils._checks.pods import judge_pods, parted
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from tests.fakes.cluster import MemoryCluster
from tests.fakes.controller import NAME, Controller

HEALTH = json.dumps(
    {"status": "ok", "rollout_percentage": 1, "checks": {"redis": {"status": "ok"}}, "list": [3]}
)


def judge(status: int = 200, body: str = HEALTH, /, **options: t.Any) -> None:
    asked = {
        "url": "https://x/y?token=secret",
        "method": "GET",
        "status": [200],
        "json": {},
        "holds": [],
    }
    judge_answer({**asked, "text": None, **options}, status, body)


def test_what_is_expected_passes():
    judge(
        json={"status": "ok", "checks.redis.status": "ok", "rollout_percentage": "1", "list[0]": 3}
    )


@pytest.mark.parametrize(("status", "text", "options", "why"), [
    (503, HEALTH, {}, "answered 503 and not 200"),
    (204, "", {"status": [200, 201]}, "answered 204 and not 200 or 201"),
    (200, HEALTH, {"json": {"checks.redis.status": "fail"}}, "'ok' and not 'fail'"),
    (200, HEALTH, {"json": {"checks.openai.status": "ok"}}, "has no checks.openai.status"),
    (200, HEALTH, {"holds": ["status", "version"]}, "does not hold version"),
    (200, HEALTH, {"holds": ["rollout_percentage > `1`"]},
     "does not hold rollout_percentage > `1`"),
    (200, HEALTH, {"holds": ["length(status) > `1`", "to_number(`1`) > status"]}, "> status"),
    (200, "<html>", {"json": {"a": 1}}, "is not JSON"),
    (200, "<html>", {"holds": ["a"]}, "is not JSON"),
    (200, "hello", {"text": "world"}, "does not contain 'world'"),
])  # fmt: skip
def test_what_is_not_as_expected_is_told(status, text, options, why):
    with pytest.raises(CheckError, match=why) as caught:
        judge(status, text, **options)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "held", [["status"], ["checks.*.status"], ["rollout_percentage >= `1`"], ["list[?@ == `3`]"]]
)
def test_what_holds_passes(held):
    judge(holds=held)


def test_an_expression_that_is_none_is_a_mistake_of_whoever_wrote_it():
    with pytest.raises(InputError, match=r"'a\.\.b' is not JMESPath"):
        judge(holds=["a..b"])


@pytest.mark.parametrize(
    ("found", "wanted", "equal"),
    [
        (1, "1", True),
        (True, "true", True),
        (True, 1, False),
        (None, "None", True),
        ("a", "b", False),
    ],
)
def test_values_are_equal_when_they_are_written_the_same(found, wanted, equal):
    assert same(found, wanted) is equal


def test_urls_are_shown_without_what_may_be_secret():
    assert without_query("https://me:pw@x:1/y?token=s#f") == "https://x:1/y"


def pod(name: str, **changed: t.Any) -> dict[str, t.Any]:
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"restartCount": 7, "state": {"running": {}}}],
    }
    metadata = {"name": name, **changed.pop("metadata", {})}
    return {"metadata": metadata, "status": {**status, **changed}}


def lost(**ready: str) -> dict[str, t.Any]:
    """As the node controller leaves it: its kubelet said last that all is well."""
    found = pod(
        "b",
        conditions=[{"type": "Ready", "status": "False", **ready}],
        containerStatuses=[{"restartCount": 0, "ready": True, "state": {"running": {}}}],
    )
    return {**found, "spec": {"nodeName": "node-2"}}


def waiting(reason: str) -> list[dict[str, t.Any]]:
    return [{"restartCount": 3, "state": {"waiting": {"reason": reason}}}]


def test_ready_pods_are_well():
    assert judge_pods([pod("a"), pod("b")], "prod") == "2 pods ready"


def test_pods_that_end_or_are_done_do_not_count():
    ending = pod("b", metadata={"deletionTimestamp": "2025-11-11T06:00:00Z"}, phase="Failed")
    assert judge_pods([pod("a"), ending, pod("c", phase="Succeeded")], "prod") == "1 pods ready"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (pod("b", containerStatuses=waiting("CrashLoopBackOff")), "b is in CrashLoopBackOff"),
        (pod("b", initContainerStatuses=waiting("ErrImagePull")), "b is in ErrImagePull"),
        (pod("b", phase="Pending"), "b is Pending"),
        (pod("b", conditions=[{"type": "Ready", "status": "False"}]), "b is not ready"),
        (pod("b", conditions=None), "b is not ready"),
        (lost(), "b has no known state: its node 'node-2' seems to be unreachable"),
        (lost(reason="ReadinessGatesNotReady"), "b is not ready"),
    ],
)
def test_a_pod_that_is_not_well_is_named(bad, why):
    with pytest.raises(CheckError, match=f"1 of 2 pods .* {why}"):
        judge_pods([pod("a"), bad], "prod")


def test_what_is_wrong_with_pods_of_others_is_told_and_fails_nothing():
    broken = pod("solo-7d4f", containerStatuses=waiting("CrashLoopBackOff"))
    told = judge_pods(
        [pod("a")], "prod", [pod("postgres-0"), broken, pod("job", phase="Succeeded")]
    )
    assert told == "1 pods ready; of others: solo-7d4f is in CrashLoopBackOff (3 restarts)"


def test_the_pods_of_a_deployment_are_those_that_it_owns_and_not_those_with_its_labels():
    cluster = MemoryCluster()
    Controller(cluster, "wallet:v1-crash")
    for name, owner in (
        ("migrate-wallet-x2x", "job-1"),
        ("wallet-0", "stateful-set-1"),
        ("bare", ""),
    ):
        owners = [{"uid": owner, "controller": True}] if owner else []
        metadata = {"name": name, "uid": name, "labels": {"app": NAME}, "ownerReferences": owners}
        cluster.put("Pod", {"metadata": metadata})
    mine, others = parted(cluster, cluster.list_objects("Pod"), [NAME, "not-there"])
    assert {one["metadata"]["labels"]["pod-template-hash"] for one in mine}
    assert [one["metadata"]["name"] for one in others] == ["migrate-wallet-x2x", "wallet-0", "bare"]
    with pytest.raises(CheckError, match="3 of 3 pods"):
        judge_pods(mine, "prod", others)


def test_no_pod_at_all_is_not_well():
    with pytest.raises(CheckError, match="no pod"):
        judge_pods([], "prod")


def test_kafka_is_verified_when_it_speaks_tls():
    options = {
        "bootstrap": "k:9093",
        "tls": True,
        "ca_cert": "/ca",
        "username": "u",
        "password": "p",
        "sasl_mechanism": "PLAIN",
    }
    settings = client_settings(options)
    assert settings["security.protocol"] == "SASL_SSL"
    assert settings["ssl.ca.location"] == "/ca"
    assert "enable.ssl.certificate.verification" not in settings
