# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods a ReplicaSet makes or deletes next, and what its status says: pure decisions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from sandbox.kubernetes.controllers.objects import (
    Object,
    annotations_of,
    condition,
    copied,
    labels_of,
    metadata,
    owner_reference,
    pod_active,
    pod_available,
    pod_ready,
    random_suffix,
    replicas,
    seconds,
    terminating,
    timestamp,
)

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True)
class Failure:
    """Why pods could not be made or deleted, as the ReplicaFailure condition tells it."""

    reason: t.Literal["FailedCreate", "FailedDelete"]
    message: str


def missing(entry: Object, pods: t.Sequence[Object]) -> int:
    """Pods to make (positive) or to delete (negative)."""
    if terminating(entry):
        return 0
    return replicas(entry) - sum(1 for pod in pods if pod_active(pod))


def surplus(pods: t.Iterable[Object], count: int) -> list[Object]:
    """The `count` pods that are missed least.

    Unassigned, pending and not ready ones first, then cheap, young and often restarted ones: the
    documented order of scaling down. (Spreading over nodes does not matter on one node.)
    """
    return sorted((pod for pod in pods if pod_active(pod)), key=_rank)[:count]


def _rank(pod: Object) -> tuple[t.Any, ...]:
    status = pod.get("status") or {}
    ready = condition(status, "Ready") if pod_ready(pod) else None
    restarts = max(
        (c.get("restartCount", 0) for c in status.get("containerStatuses") or ()), default=0
    )
    return (
        bool(pod["spec"].get("nodeName")),
        _PHASES.get(status.get("phase", "Pending"), 1),
        ready is not None,
        _cost(pod),
        -seconds(ready["lastTransitionTime"]) if ready else 0.0,
        -restarts,
        -seconds(metadata(pod).get("creationTimestamp")),
        metadata(pod)["name"],
    )


def _cost(pod: Object) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def made_pod(entry: Object) -> Object:
    template = copied(entry["spec"]["template"])
    prefix = f"{metadata(entry)['name']}-"
    head: Object = {
        "name": prefix + random_suffix(),
        "generateName": prefix,
        "namespace": metadata(entry)["namespace"],
        "labels": (template.get("metadata") or {}).get("labels") or {},
        "ownerReferences": [owner_reference(entry, api_version="apps/v1", kind="ReplicaSet")],
    }
    notes = (template.get("metadata") or {}).get("annotations")
    if notes:
        head["annotations"] = notes
    return {"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": template["spec"]}


def set_status(
    entry: Object, pods: t.Sequence[Object], failure: Failure | None, now: float
) -> Object:
    """The ReplicaSet's status from the pods as they were seen before anything was made or deleted."""
    active = [pod for pod in pods if pod_active(pod)]
    wanted_labels = ((entry["spec"]["template"].get("metadata") or {}).get("labels") or {}).items()
    min_ready = int(entry["spec"].get("minReadySeconds") or 0)
    counters = {
        "fullyLabeledReplicas": sum(1 for pod in active if wanted_labels <= labels_of(pod).items()),
        "readyReplicas": sum(1 for pod in active if pod_ready(pod)),
        "availableReplicas": sum(1 for pod in active if pod_available(pod, min_ready, now)),
    }
    status: Object = {"replicas": len(active)}
    status |= {name: value for name, value in counters.items() if value}
    status["terminatingReplicas"] = sum(1 for pod in pods if terminating(pod))
    status["observedGeneration"] = metadata(entry).get("generation", 0)
    conditions = _conditions(entry, failure, now)
    return status | {"conditions": conditions} if conditions else status


def _conditions(entry: Object, failure: Failure | None, now: float) -> list[Object]:
    """A failure that stands keeps its first words; success takes it away."""
    before = (entry.get("status") or {}).get("conditions") or []
    others = [c for c in before if c["type"] != "ReplicaFailure"]
    if failure is None:
        return others
    standing = [c for c in before if c["type"] == "ReplicaFailure"]
    made = {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": timestamp(now),
        "reason": failure.reason,
        "message": failure.message,
    }
    return [*others, standing[0] if standing else made]


def available_in(entry: Object, pods: t.Iterable[Object], now: float) -> float | None:
    """Seconds until the next ready pod has been ready for minReadySeconds."""
    min_ready = int(entry["spec"].get("minReadySeconds") or 0)
    waits = [
        seconds((condition(pod["status"], "Ready") or {}).get("lastTransitionTime"))
        + min_ready
        - now
        for pod in pods
        if min_ready and pod_active(pod) and pod_ready(pod)
    ]
    due = [wait for wait in waits if wait > 0]
    return min(due) + 0.05 if due else None
