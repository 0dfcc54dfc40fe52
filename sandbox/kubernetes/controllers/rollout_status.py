# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Deployment's status says: counters, conditions and when a rollout progressed, completed or timed out."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.controllers.objects import (
    Object,
    condition,
    counter,
    metadata,
    replicas,
    seconds,
    timestamp,
)
from sandbox.kubernetes.controllers.rollout_plan import max_unavailable, total, total_status

TIMED_OUT = "ProgressDeadlineExceeded"
NEW_AVAILABLE = "NewReplicaSetAvailable"
PAUSED = "DeploymentPaused"

# The real controller's "no deadline": the largest int32.
NO_DEADLINE = 2**31 - 1


def made_condition(kind: str, status: str, *, reason: str, message: str, now: float) -> Object:
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": timestamp(now),
        "lastTransitionTime": timestamp(now),
        "reason": reason,
        "message": message,
    }


def set_condition(status: Object, wanted: Object) -> bool:
    """Put a condition last, unless one of the same status and reason stands already."""
    current = condition(status, wanted["type"])
    if current and (current["status"], current.get("reason")) == (
        wanted["status"],
        wanted["reason"],
    ):
        return False
    if current and current["status"] == wanted["status"]:
        wanted = {**wanted, "lastTransitionTime": current["lastTransitionTime"]}
    drop_condition(status, wanted["type"])
    status["conditions"] = [*(status.get("conditions") or []), wanted]
    return True


def drop_condition(status: Object, kind: str) -> None:
    if "conditions" in status:
        status["conditions"] = [entry for entry in status["conditions"] if entry["type"] != kind]


def has_deadline(deployment: Object) -> bool:
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    return deadline is not None and deadline != NO_DEADLINE


def counted_status(
    deployment: Object, new: Object | None, sets: t.Sequence[Object], now: float
) -> Object:
    """Counters and the Available condition; the other conditions as they were. Zeros are left out."""
    available = total_status(sets, "availableReplicas")
    counters = {
        "observedGeneration": metadata(deployment).get("generation", 0),
        "replicas": total_status(sets, "replicas"),
        "updatedReplicas": counter(new, "replicas") if new else 0,
        "readyReplicas": total_status(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(sets) - available),
    }
    status: Object = {name: value for name, value in counters.items() if value}
    # Told even when zero: its absence would mean that the server does not count them.
    status["terminatingReplicas"] = total_status(sets, "terminatingReplicas")
    before = deployment.get("status") or {}
    if before.get("collisionCount"):
        status["collisionCount"] = before["collisionCount"]
    status["conditions"] = list(before.get("conditions") or [])
    if available >= replicas(deployment) - max_unavailable(deployment):
        state, reason = "True", "MinimumReplicasAvailable"
        message = "Deployment has minimum availability."
    else:
        state, reason = "False", "MinimumReplicasUnavailable"
        message = "Deployment does not have minimum availability."
    set_condition(
        status, made_condition("Available", state, reason=reason, message=message, now=now)
    )
    return status


def complete(deployment: Object, status: Object) -> bool:
    wanted = replicas(deployment)
    counters = ("updatedReplicas", "replicas", "availableReplicas")
    return all((status.get(name) or 0) == wanted for name in counters) and (
        status.get("observedGeneration", 0) >= metadata(deployment).get("generation", 0)
    )


def progressing(deployment: Object, status: Object) -> bool:
    """Whether anything moved since the stored status: more new, ready or available, or fewer old pods."""

    def old_replicas(of: Object) -> int:
        return int(of.get("replicas") or 0) - int(of.get("updatedReplicas") or 0)

    before = deployment.get("status") or {}
    return old_replicas(status) < old_replicas(before) or any(
        (status.get(name) or 0) > (before.get(name) or 0)
        for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )


def timed_out(deployment: Object, status: Object, now: float) -> bool:
    current = condition(status, "Progressing")
    if not has_deadline(deployment) or current is None or current.get("reason") == NEW_AVAILABLE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    deadline = int(deployment["spec"]["progressDeadlineSeconds"])
    return seconds(current["lastUpdateTime"]) + deadline < now


def rollout_status(
    deployment: Object, new: Object | None, sets: t.Sequence[Object], now: float
) -> Object:
    """The status during a rollout: `counted_status`, and what became of progress and of pod creation."""
    status = counted_status(deployment, new, sets, now)
    if not has_deadline(deployment):
        drop_condition(status, "Progressing")
    current = condition(deployment.get("status") or {}, "Progressing")
    settled = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current.get("reason") == NEW_AVAILABLE
    )
    if has_deadline(deployment) and not settled:
        _judge_progress(deployment, new, status, now)
    failure = _replica_failure(new, sets)
    if failure:
        set_condition(status, failure)
    else:
        drop_condition(status, "ReplicaFailure")
    return status


def _judge_progress(deployment: Object, new: Object | None, status: Object, now: float) -> None:
    subject = (
        f'ReplicaSet "{metadata(new)["name"]}"'
        if new
        else f'Deployment "{metadata(deployment)["name"]}"'
    )
    current = condition(deployment.get("status") or {}, "Progressing")

    def judged(state: str, reason: str, words: str) -> Object:
        message = f"{subject} {words}"
        return made_condition("Progressing", state, reason=reason, message=message, now=now)

    if complete(deployment, status):
        set_condition(status, judged("True", NEW_AVAILABLE, "has successfully progressed."))
    elif progressing(deployment, status):
        moved = judged("True", "ReplicaSetUpdated", "is progressing.")
        if current and current["status"] == "True":
            moved["lastTransitionTime"] = current["lastTransitionTime"]
        # Removed first, so that each step of progress refreshes lastUpdateTime: the deadline starts anew.
        drop_condition(status, "Progressing")
        set_condition(status, moved)
    elif timed_out(deployment, status, now):
        set_condition(status, judged("False", TIMED_OUT, "has timed out progressing."))


def _replica_failure(new: Object | None, sets: t.Sequence[Object]) -> Object | None:
    """The new ReplicaSet's failure, else any; so a failure can come from an old one, as in the real thing."""
    for entry in [*([new] if new else []), *sets]:
        failure = condition(entry.get("status") or {}, "ReplicaFailure")
        if failure:
            return {**failure, "lastUpdateTime": failure["lastTransitionTime"]}
    return None


def pause_condition(deployment: Object, now: float) -> Object | None:
    """The Progressing condition that pausing or resuming calls for, if it is not there yet."""
    current = condition(deployment.get("status") or {}, "Progressing")
    if not has_deadline(deployment) or (current and current.get("reason") == TIMED_OUT):
        return None
    stands = current is not None and current.get("reason") == PAUSED
    paused = bool(deployment["spec"].get("paused"))
    if paused == stands:
        return None
    reason, message = (
        (PAUSED, "Deployment is paused")
        if paused
        else ("DeploymentResumed", "Deployment is resumed")
    )
    return made_condition("Progressing", "Unknown", reason=reason, message=message, now=now)


def deadline_in(deployment: Object, status: Object, now: float) -> float | None:
    """Seconds until the progress deadline should be looked at again; None when there is nothing to wait for."""
    current = condition(status, "Progressing")
    if not has_deadline(deployment) or current is None or complete(deployment, status):
        return None
    if current.get("reason") in (TIMED_OUT, NEW_AVAILABLE):
        return None
    deadline = int(deployment["spec"]["progressDeadlineSeconds"])
    left = seconds(current["lastUpdateTime"]) + deadline - now
    return max(0.05, left + 0.5)
