import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollout.failures import (
    Sign,
    Suspicion,
    rule_for,
    signs_of,
    suspect,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Pod
from tests.tables import cases


def only(suspicions: t.Mapping[t.Any, Suspicion]) -> Suspicion:
    assert len(suspicions) == 1
    return next(iter(suspicions.values()))


def sign(reason: str, message: str = "", restarts: int = 0) -> Sign:
    return Sign("pod-1", "wallet-service", reason, message, restarts)


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (sign("InvalidImageName"), "InvalidImage"),
        (sign("ErrImagePull", "manifest unknown"), "ImageNotFound"),
        (sign("ImagePullBackOff", 'Back-off pulling image "x": not found'), "ImageNotFound"),
        (sign("ErrImagePull", "pull access denied, unauthorized"), "ImagePullDenied"),
        (sign("ErrImagePull", "503 Service Unavailable"), "ImagePullTrouble"),
        (sign("ErrImagePull", "429 toomanyrequests"), "ImagePullTrouble"),
        (sign("CreateContainerConfigError", 'configmap "flags" not found'), "ConfigMissing"),
        (sign("CreateContainerConfigError", "failed to sync configmap cache"), "Waiting"),
        (sign("RunContainerError", "exec format error"), "CannotStart"),
        (sign("OOMKilled", restarts=2), "OutOfMemory"),
        (sign("Restarted", "exit code 1", restarts=2), "CrashLoop"),
        (sign("Restarted", "exit code 0", restarts=1), None),
        (sign("Unschedulable", "0/3 nodes are available"), "Unschedulable"),
        (sign("FailedCreate", "exceeded quota: q"), "QuotaExceeded"),
        (sign("FailedCreate", "failed calling webhook: timeout"), "WebhookUnavailable"),
        (sign("FailedCreate", "violates PodSecurity"), "PodsRefused"),
        (sign("ReplicaSetCreateError", "exceeded quota: sets"), "ReplicaSetRefused"),
        (sign("SchedulingGated"), "Gated"),
        (sign("ContainerCreating"), None),
    ],
)
def test_signs_are_classed(shown, name):
    rule = rule_for(shown)
    assert (rule.name if rule else None) == name


@pytest.mark.parametrize(
    ("shown", "never_until", "failing_at"),
    [
        (sign("ErrImagePull", "not found"), None, 15),
        (sign("ErrImagePull", "unauthorized"), 44, 45),
        (sign("CreateContainerConfigError", "key not found"), 29, 30),
        (sign("Unschedulable"), 119, 120),
        (sign("FailedCreate", "exceeded quota"), 29, 30),
        (sign("FailedCreate", "failed calling webhook: context deadline exceeded"), 59, 60),
        (sign("ReplicaSetCreateError", "exceeded quota: sets"), 59, 60),
        (replace(sign("Unschedulable"), promised=True), 299, 300),
        (sign("SchedulingGated"), 10_000, None),
        (sign("ErrImagePull", "i/o timeout"), 10_000, None),
    ],
)
def test_each_class_dwells_as_long_as_it_should(shown, never_until, failing_at):
    first = suspect([shown], {}, 0.0)
    suspicion = only(first)
    assert not suspicion.failing(0.0)
    if never_until is not None:
        assert not suspicion.failing(never_until)
    if failing_at is not None:
        assert suspicion.failing(failing_at)


def test_looks_in_quick_succession_count_as_one():
    shown = sign("ErrImagePull", "not found")
    suspicions: dict[tuple[str, str, str], Suspicion] = {}
    for now in (0.0, 0.5, 1.0, 1.5):
        suspicions = suspect([shown], suspicions, now)
        assert not only(suspicions).failing(now)
    assert only(suspect([shown], suspicions, 2.0)).failing(2.0)


@pytest.mark.parametrize(
    ("status", "promised", "expected"),
    [({}, (), False), ({"nominatedNodeName": "n1"}, (), True), ({}, ("1",), True)],
    ids=["no-room", "others-make-room", "a-node-is-added"],
)
def test_a_pod_that_gets_a_node_soon_is_waited_for(status, promised, expected):
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    body = {
        "metadata": {"name": "p", "uid": "1"},
        "status": {"conditions": [unscheduled], **status},
    }
    [shown] = signs_of([Pod.from_json(body)], None, promised)
    assert shown.promised is expected


def test_the_cause_of_a_pull_is_remembered_while_the_kubelet_only_says_that_it_waits():
    first = suspect([sign("ErrImagePull", "unauthorized")], {}, 0.0)
    waiting = sign("ImagePullBackOff", 'Back-off pulling image "x:v1"')
    later = only(suspect([waiting], suspect([waiting], first, 2.0), 45.0))
    assert (later.rule.name, later.failing(45.0)) == ("ImagePullDenied", True)


@pytest.mark.parametrize("reason", ["InvalidImageName", "CrashLoopBackOff"])
@cases(
    "left",
    {
        "shutdown": {"status": {"reason": "NodeShutdown"}},
        "no-room": {"status": {"reason": "OutOfcpu"}},
        "not-admitted": {"status": {"reason": "UnexpectedAdmissionError"}},
        "evicted": {"status": {"reason": "Evicted"}},
        "disrupted": {"status": {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}},
        "ending": {"metadata": {"deletionTimestamp": "2026-11-24T14:44:17Z"}},
    },
)
def test_what_leaves_or_what_a_node_did_to_a_pod_is_not_laid_to_the_release(left, reason):
    container = {"name": "c", "restartCount": 3, "state": {"waiting": {"reason": reason}}}
    body: dict[str, dict[str, t.Any]] = {
        "metadata": {"name": "p", "uid": "1"},
        "status": {"phase": "Pending", "containerStatuses": [container]},
    }
    assert signs_of([Pod.from_json(body)], None)
    for part, fields in left.items():
        body[part] |= fields
    assert signs_of([Pod.from_json(body)], None) == []


def test_what_the_runtime_could_not_start_is_no_crash():
    """As a kubelet of 1.36 tells it between two tries."""
    message = 'exec: "/bin/serverr": stat /bin/serverr: no such file or directory'
    ended = {"terminated": {"reason": "StartError", "exitCode": 128, "message": message}}
    for reason in ("CrashLoopBackOff", "RunContainerError"):
        waiting = {"waiting": {"reason": reason, "message": message}}
        container = {"name": "c", "restartCount": 3, "state": waiting, "lastState": ended}
        body = {"metadata": {"name": "p", "uid": "1"}, "status": {"containerStatuses": [container]}}
        [shown] = signs_of([Pod.from_json(body)], None)
        assert rule_for(shown).name == "CannotStart"  # type: ignore[union-attr]
        assert shown.message == message


def test_a_sign_that_went_and_came_back_starts_anew():
    shown = sign("Unschedulable")
    gone = suspect([], suspect([shown], {}, 0.0), 60.0)
    suspicion = only(suspect([shown], gone, 119.0))
    assert not suspicion.failing(130.0)
