# SPDX-License-Identifier: GPL-3.0-or-later
"""The ReplicaSet controller: as many pods as wanted, no more and no fewer. What it decides is pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    annotations_of,
    condition,
    controller_of,
    copied,
    labels_of,
    metadata,
    owner_reference,
    pod_active,
    pod_available,
    pod_ready,
    replicas,
    seconds,
    selected,
    terminating,
    timestamp,
)
from sandbox.kubernetes.controllers.workloads import Workload, owned_object
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.lifecycle import random_suffix

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.controllers.objects import Cluster

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True)
class Failure:
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


# Pods made in one go before the next look: the real controller's burst.
BURST = 500


class ReplicaSetController(Workload):
    kind, resource = "ReplicaSet", "replicasets"

    def __init__(self, cluster: Cluster, faults: Faults) -> None:
        super().__init__(cluster)
        self._faults = faults
        self._events = Recorder(cluster, self.name)

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        keys = super().keys(resource, obj, previous)
        if resource == "replicasets" or controller_of(obj) is not None:
            return keys
        return {*keys, *self._adopters("replicasets", obj)}

    def reconcile(self, key: str) -> float | None:
        namespace, name = key.split("/")
        entry = self._cluster.find("replicasets", namespace, name)
        if entry is None:
            return None
        pods = self._claimed_pods(entry)
        failure, raised = self._settle_count(entry, pods)
        now = self._cluster.clock()
        status = set_status(entry, pods, failure, now)
        if status != (entry.get("status") or {}):
            self._write_status(namespace, name, status)
        if raised is not None:
            raise raised
        return available_in(entry, pods, now)

    def _claimed_pods(self, entry: Object) -> list[Object]:
        """Its pods: one that matches and has no controller is adopted, one that ceased to match let go."""
        selector, version = entry["spec"].get("selector"), self._cluster.store.version
        pods = self._cluster.controlled("pods", entry)
        for pod in pods:
            if not selected(selector, labels_of(pod)) and not terminating(pod):
                self._change_owner(pod, None, entry)
        for pod in self._cluster.uncontrolled("pods", metadata(entry)["namespace"]):
            if selected(selector, labels_of(pod)) and pod_active(pod) and not terminating(entry):
                owner = owner_reference(entry, api_version="apps/v1", kind="ReplicaSet")
                self._change_owner(pod, owner, entry)
        moved = self._cluster.store.version != version
        return self._cluster.controlled("pods", entry) if moved else pods

    def _change_owner(self, pod: Object, owner: Object | None, entry: Object) -> None:
        changed = copied(pod)
        owners = [
            reference
            for reference in metadata(changed).get("ownerReferences") or ()
            if reference["uid"] != metadata(entry)["uid"]
        ]
        metadata(changed)["ownerReferences"] = [*owners, owner] if owner else owners
        self._cluster.update("pods", changed)

    def _settle_count(
        self, entry: Object, pods: t.Sequence[Object]
    ) -> tuple[Failure | None, ApiError | None]:
        """Make or delete pods. A refusal is both told in the status and raised for a later try."""
        lacking = missing(entry, pods)
        try:
            for _ in range(min(lacking, BURST)):
                self._make_pod(entry)
            for pod in surplus(pods, -lacking) if lacking < 0 else ():
                self._cluster.delete("pods", pod)
                message = f"Deleted pod: {metadata(pod)['name']}"
                self._events.normal(entry, "SuccessfulDelete", message)
        except ApiError as exc:
            reason: t.Literal["FailedCreate", "FailedDelete"] = (
                "FailedCreate" if lacking > 0 else "FailedDelete"
            )
            doing = "creating" if lacking > 0 else "deleting"
            self._events.warning(entry, reason, f"Error {doing}: {exc.message}")
            return Failure(reason, exc.message), exc
        return None, None

    def _make_pod(self, entry: Object) -> None:
        prefix = f"{metadata(entry)['name']}-"
        head = {"name": prefix + random_suffix(), "generateName": prefix}
        pod = owned_object(
            entry, self.kind, self.group, entry["spec"]["template"], labels={}, **head
        )
        name = metadata(pod)["name"]
        app = metadata(pod)["labels"].get("app", "")
        if self._faults.active("node", "quota-exceeded", app):
            raise quota_refusal(name, len(self._cluster.all("pods", metadata(pod)["namespace"])))
        if self._faults.active("node", "webhook-unavailable", app):
            raise webhook_refusal()
        self._cluster.create("pods", pod)
        self._events.normal(entry, "SuccessfulCreate", f"Created pod: {name}")

    def _write_status(self, namespace: str, name: str, status: Object) -> None:
        current = self._cluster.find("replicasets", namespace, name)
        if current is not None:
            self._cluster.update_status("replicasets", {**current, "status": status})


def quota_refusal(name: str, used: int) -> ApiError:
    """What the API server answers when a ResourceQuota on pods is used up."""
    why = (
        f"exceeded quota: sandbox-fault, requested: pods=1, used: pods={used}, limited: pods={used}"
    )
    message = f'pods "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, {"name": name, "kind": "pods"})


def webhook_refusal() -> ApiError:
    """What the API server answers when a webhook with failurePolicy Fail is silent."""
    name = "pods.policy.example.com"
    url = "https://policy.policy-system.svc:443/pods?timeout=10s"
    return ApiError(
        500,
        "InternalError",
        f'Internal error occurred: failed calling webhook "{name}": failed to call webhook: '
        f'Post "{url}": context deadline exceeded',
    )
