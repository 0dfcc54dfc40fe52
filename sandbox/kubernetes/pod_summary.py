# SPDX-License-Identifier: GPL-3.0-or-later
"""The STATUS that `kubectl get pods` prints for a pod: CrashLoopBackOff, Terminating, Init:0/1, Running."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.errors import Object
from sandbox.kubernetes.quantities import since


def pod_cells(pod: Object) -> list[t.Any]:
    spec, status, metadata = pod.get("spec", {}), pod.get("status", {}), pod["metadata"]
    statuses = status.get("containerStatuses") or []
    ready = sum(1 for item in statuses if item.get("ready"))
    gates = spec.get("readinessGates") or []
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or ()}
    passed = sum(1 for gate in gates if conditions.get(gate["conditionType"]) == "True")
    return [
        metadata["name"],
        f"{ready}/{len(spec.get('containers', ()))}",
        summary(pod),
        restarts(statuses),
        since(metadata.get("creationTimestamp")),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{passed}/{len(gates)}" if gates else "<none>",
    ]


def restarts(statuses: t.Sequence[Object]) -> str:
    """`4 (1s ago)`: how often, and when the last time was."""
    count = sum(item.get("restartCount", 0) for item in statuses)
    ended = [
        item["lastState"]["terminated"].get("finishedAt", "")
        for item in statuses
        if (item.get("lastState") or {}).get("terminated")
    ]
    return f"{count} ({since(max(ended))} ago)" if count and any(ended) else str(count)


def summary(pod: Object) -> str:
    status = pod.get("status", {})
    reason = status.get("reason") or status.get("phase", "Unknown")
    statuses = status.get("containerStatuses") or []
    reason = initializing(pod) or worst_container(statuses, reason, is_ready(status))
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def is_ready(status: Object) -> bool:
    conditions = status.get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def initializing(pod: Object) -> str:
    """`Init:...` while an init container has not succeeded, else nothing."""
    statuses = pod.get("status", {}).get("initContainerStatuses") or []
    for index, item in enumerate(statuses):
        state = item.get("state") or {}
        ended, waits = state.get("terminated"), state.get("waiting")
        if ended and ended.get("exitCode") == 0:
            continue
        if ended:
            return f"Init:{ended.get('reason') or ended_word(ended)}"
        if waits and waits.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waits['reason']}"
        return f"Init:{index}/{len(pod.get('spec', {}).get('initContainers', statuses))}"
    return ""


def worst_container(statuses: t.Sequence[Object], reason: str, pod_ready: bool) -> str:
    """The first container that waits or has ended gives its reason, read from the last to the first."""
    running = False
    for item in reversed(statuses):
        state = item.get("state") or {}
        ended, waits = state.get("terminated"), state.get("waiting")
        if waits and waits.get("reason"):
            reason = waits["reason"]
        elif ended:
            reason = ended.get("reason") or ended_word(ended)
        elif item.get("ready") and state.get("running"):
            running = True
    if reason == "Completed" and running:
        return "Running" if pod_ready else "NotReady"
    return reason


def ended_word(ended: Object) -> str:
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"
