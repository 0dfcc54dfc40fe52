# SPDX-License-Identifier: GPL-3.0-or-later
"""The subresources scale and eviction."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes import patches, selectors
from sandbox.kubernetes.controllers.objects import pod_ready, terminating
from sandbox.kubernetes.errors import ApiError, Object, bad_request
from sandbox.kubernetes.writing import Writer

if t.TYPE_CHECKING:
    from sandbox.kubernetes.store import Store


def scale_of(obj: Object) -> Object:
    metadata, spec = obj["metadata"], obj["spec"]
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Object = {"replicas": obj.get("status", {}).get("replicas", 0)}
    status["selector"] = selectors.to_text(spec.get("selector"))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in shown if key in metadata},
        # Go leaves out a zero here, and clients read it as one.
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": status,
    }


def change_scale(writer: Writer, obj: Object, body: t.Any, content_type: str | None) -> Object:
    """PUT (`content_type` None) or PATCH of the scale: only spec.replicas is taken over."""
    scale = scale_of(obj)
    if not isinstance(body, dict) and content_type != patches.JSON_PATCH:
        raise bad_request("a Scale is an object")
    if content_type is None:
        wanted = t.cast("Object", body)
    elif content_type == patches.JSON_PATCH:
        wanted = patches.apply_json_patch(scale, body)
    else:
        wanted = patches.apply_merge_patch(scale, body)
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        shown = f'"{replicas}"' if isinstance(replicas, str) else replicas
        words = f"spec.replicas: Invalid value: {shown}: must be greater than or equal to 0"
        name = obj["metadata"]["name"]
        raise ApiError(422, "Invalid", f'Scale.autoscaling "{name}" is invalid: {words}')
    metadata = wanted.get("metadata") or {}
    obj["spec"]["replicas"] = replicas
    if metadata.get("resourceVersion"):
        obj["metadata"]["resourceVersion"] = metadata["resourceVersion"]
    return scale_of(writer.replace(obj))


def evict(store: Store, pod: Object, eviction: Object, *, dry_run: bool) -> None:
    """Delete a pod unless a disruption budget needs it (429)."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    for budget in store.list("poddisruptionbudgets", namespace):
        labels = pod["metadata"].get("labels") or {}
        if selectors.matches(budget.get("spec", {}).get("selector"), labels):
            check_budget(store, namespace, budget)
    options = eviction.get("deleteOptions") or {}
    grace = options.get("gracePeriodSeconds")
    store.delete("pods", namespace, name, grace_seconds=grace, dry_run=dry_run)


def check_budget(store: Store, namespace: str, budget: Object) -> None:
    spec = budget["spec"]
    matching = [
        record.body
        for record in store.records("pods", namespace)
        if selectors.matches(spec["selector"], record.body["metadata"].get("labels") or {})
    ]
    healthy = sum(1 for body in matching if pod_ready(body) and not terminating(body))
    if "minAvailable" in spec:
        needed = share(spec["minAvailable"], len(matching))
    else:
        needed = len(matching) - share(spec.get("maxUnavailable", 1), len(matching))
    if healthy - 1 < needed:
        message = "Cannot evict pod as it would violate the pod's disruption budget."
        words = (
            f"The disruption budget {budget['metadata']['name']} needs {needed} healthy pods and"
            f" has {healthy} currently"
        )
        cause = {"reason": "DisruptionBudget", "message": words}
        raise ApiError(429, "TooManyRequests", message, {"causes": [cause]})


def share(amount: int | str, total: int) -> int:
    if isinstance(amount, int):
        return amount
    return -(-int(amount.rstrip("%")) * total // 100)
