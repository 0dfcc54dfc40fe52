"""When a Deployment is available, progresses, is complete or late, and in which words it says so."""

import copy
import typing as t

import pytest

from sandbox.kubernetes.controllers import rollout_status
from sandbox.kubernetes.controllers.objects import condition, seconds, timestamp

Object = dict[str, t.Any]
NOW = seconds("2026-11-24T09:00:00Z")


def progressing(reason: str, since: float = NOW, status: str = "True") -> Object:
    return rollout_status.made_condition(
        "Progressing", status, reason=reason, message="as before", now=since
    )


def deployment(*conditions: Object, deadline: int | None = 8, **counters: int) -> Object:
    spec: Object = {"replicas": 3, "strategy": {"type": "RollingUpdate"}}
    if deadline is not None:
        spec["progressDeadlineSeconds"] = deadline
    return {
        "metadata": {"name": "d", "generation": 2},
        "spec": spec,
        "status": {**counters, "conditions": list(conditions)},
    }


def replica_set(name: str, size: int, ready: int, **status: t.Any) -> Object:
    counters = {"replicas": size, "readyReplicas": ready, "availableReplicas": ready, **status}
    return {"metadata": {"name": name}, "spec": {"replicas": size}, "status": counters}


def judged(
    before: Object, new: Object | None, sets: list[Object], now: float = NOW
) -> tuple[str, str]:
    status = rollout_status.rollout_status(before, new, sets, now)
    found = condition(status, "Progressing") or {}
    return found.get("status", ""), found.get("reason", "")


UNDER_WAY = {"replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3}
DONE = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
UPDATED, AVAILABLE = progressing("ReplicaSetUpdated"), progressing("NewReplicaSetAvailable")


@pytest.mark.parametrize(
    ("before", "sizes", "after", "expected"),
    [
        (deployment(UPDATED, **UNDER_WAY), [(1, 0), (3, 3)], 8, ("True", "ReplicaSetUpdated")),
        (deployment(UPDATED, **UNDER_WAY), [(1, 0), (3, 3)], 8.1, ("False", "ProgressDeadlineExceeded")),
        (deployment(AVAILABLE, **DONE), [(3, 1)], 600, ("True", "NewReplicaSetAvailable")),
        (deployment(UPDATED, deadline=None), [(1, 0)], 0, ("", "")),
    ],
    ids=["the deadline", "beyond it", "a finished rollout is never late", "no deadline, no condition"],
)  # fmt: skip
def test_progress_is_judged(before, sizes, after, expected):
    """Of the new ReplicaSet and then of the others: how many pods it has, and how many are ready."""
    sets = [replica_set(str(number), *size) for number, size in enumerate(sizes)]

    assert judged(before, sets[0], sets, NOW + after) == expected


def test_each_step_of_progress_starts_the_deadline_anew():
    before = deployment(progressing("ReplicaSetUpdated"), readyReplicas=3)
    new = replica_set("new", 1, 1)

    status = rollout_status.rollout_status(
        before, new, [replica_set("old", 3, 3), new], now=NOW + 7
    )

    found = condition(status, "Progressing")
    assert found is not None
    assert found["lastUpdateTime"] == timestamp(NOW + 7)
    assert found["lastTransitionTime"] == timestamp(NOW)


@pytest.mark.parametrize(("good", "bad", "expected"), [
    ((3, 3), (0, 0), "ReplicaSetUpdated"),
    ((2, 2), (3, 0), "ProgressDeadlineExceeded"),
])  # fmt: skip
def test_an_undo_after_the_deadline_counts_as_progress_only_when_something_moved(
    good, bad, expected
):
    stale = progressing("ProgressDeadlineExceeded", status="False")
    counters = {"replicas": 5, "updatedReplicas": 3, "readyReplicas": 2, "availableReplicas": 2}
    before = deployment(stale, **counters)
    new, old = replica_set("good", *good), replica_set("bad", *bad, terminatingReplicas=1)
    old["status"]["replicas"] = bad[0] or 1

    assert judged(before, new, [old, new], NOW + 20)[1] == expected


@pytest.mark.parametrize(
    ("paused", "reason", "expected"),
    [
        (True, "ReplicaSetUpdated", "DeploymentPaused"),
        (False, "DeploymentPaused", "DeploymentResumed"),
        (True, "DeploymentPaused", None),
        (False, "ReplicaSetUpdated", None),
        (True, "ProgressDeadlineExceeded", None),
    ],
)
def test_pausing_and_resuming_are_told_once(paused, reason, expected):
    before = deployment(progressing(reason))
    before["spec"]["paused"] = paused

    found = rollout_status.pause_condition(before, NOW)

    assert (found["reason"] if found else None) == expected
    assert found is None or found["status"] == "Unknown"


def test_judging_changes_nothing_that_it_was_given():
    before = deployment(progressing("ReplicaSetUpdated"))
    kept = copy.deepcopy(before)

    rollout_status.rollout_status(before, None, [], NOW + 100)

    assert before == kept
