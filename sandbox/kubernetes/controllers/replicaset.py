# SPDX-License-Identifier: GPL-3.0-or-later
"""The ReplicaSet controller: as many pods as wanted, no more and no fewer."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.controllers import replica_plan
from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    controller_of,
    copied,
    key_of,
    labels_of,
    metadata,
    owner_reference,
    pod_active,
    selected,
    terminating,
)
from sandbox.kubernetes.errors import ApiError

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.controllers.cluster import Cluster

# Pods made in one go before the next look: the real controller's burst.
BURST = 500


class ReplicaSetController:
    name = "replicaset-controller"
    watched = ("replicasets", "pods")

    def __init__(self, cluster: Cluster, faults: Faults) -> None:
        self._cluster = cluster
        self._faults = faults
        self._events = Recorder(cluster, self.name)

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        if resource == "replicasets":
            return [key_of(obj)]
        namespace = metadata(obj)["namespace"]
        owners = [controller_of(entry) for entry in (obj, previous) if entry is not None]
        found = {
            f"{namespace}/{owner['name']}"
            for owner in owners
            if owner and owner["kind"] == "ReplicaSet"
        }
        if controller_of(obj) is None:
            found |= {
                key_of(entry)
                for entry in self._cluster.all("replicasets", namespace)
                if selected(entry["spec"].get("selector"), labels_of(obj))
            }
        return found

    def reconcile(self, key: str) -> float | None:
        namespace, name = key.split("/")
        entry = self._cluster.find("replicasets", namespace, name)
        if entry is None:
            return None
        pods = self._claimed_pods(entry)
        failure, raised = self._settle_count(entry, pods)
        now = self._cluster.clock()
        status = replica_plan.set_status(entry, pods, failure, now)
        if status != (entry.get("status") or {}):
            self._write_status(namespace, name, status)
        if raised is not None:
            raise raised
        return replica_plan.available_in(entry, pods, now)

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
            kept
            for kept in metadata(changed).get("ownerReferences") or ()
            if kept["uid"] != metadata(entry)["uid"]
        ]
        metadata(changed)["ownerReferences"] = [*owners, owner] if owner else owners
        self._cluster.update("pods", changed)

    def _settle_count(
        self, entry: Object, pods: t.Sequence[Object]
    ) -> tuple[replica_plan.Failure | None, ApiError | None]:
        """Make or delete pods. A refusal is both told in the status and raised for a later try."""
        missing = replica_plan.missing(entry, pods)
        try:
            for _ in range(min(missing, BURST)):
                self._make(entry)
            for pod in replica_plan.surplus(pods, -missing) if missing < 0 else ():
                self._cluster.delete("pods", pod)
                told = f"Deleted pod: {metadata(pod)['name']}"
                self._events.normal(entry, "SuccessfulDelete", told)
        except ApiError as exc:
            reason: t.Literal["FailedCreate", "FailedDelete"] = (
                "FailedCreate" if missing > 0 else "FailedDelete"
            )
            doing = "creating" if missing > 0 else "deleting"
            self._events.warning(entry, reason, f"Error {doing}: {exc.message}")
            return replica_plan.Failure(reason, exc.message), exc
        return None, None

    def _make(self, entry: Object) -> None:
        pod = replica_plan.made_pod(entry)
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
