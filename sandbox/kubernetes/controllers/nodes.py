# SPDX-License-Identifier: GPL-3.0-or-later
"""The node lifecycle controller: a node whose lease is not renewed is not ready, nor are its pods, which go in time."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.controllers.objects import (
    Object,
    condition,
    copied,
    metadata,
    seconds,
    terminating,
    timestamp,
)

if t.TYPE_CHECKING:
    from sandbox.kubernetes.controllers.cluster import Cluster

LEASES = "kube-node-lease"
# The real controller's --node-monitor-grace-period is 50 s; a lease is renewed every 10 s.
GRACE = 40.0
POLL_SECONDS = 5.0
TAINTS = {"False": "node.kubernetes.io/not-ready", "Unknown": "node.kubernetes.io/unreachable"}
"""By the status of a node's condition Ready."""


class NodeController:
    name = "node-controller"
    watched = ("nodes",)

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: dict[str, tuple[str, float]] = {}

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:  # noqa: ARG002
        return [t.cast("str", metadata(obj)["name"])]

    def reconcile(self, key: str) -> float | None:
        node = self._cluster.find("nodes", "", key)
        if node is None:
            self._seen.pop(key, None)
            self._collect_pods(key)
            return None
        now = self._cluster.clock()
        if self._silent_for(key, now) > GRACE:
            self._mark_unknown(node, now)
        ready = condition(node.get("status") or {}, "Ready")
        if ready is not None:
            self._taint(key, ready["status"])
        if ready is not None and ready["status"] != "True":
            self._mark_pods_unready(key, now)
            self._evict(key, TAINTS[ready["status"]], now - seconds(ready["lastTransitionTime"]))
        return POLL_SECONDS

    def _silent_for(self, name: str, now: float) -> float:
        """Seconds since the lease was last seen to change, by our own clock and not the node's."""
        lease = self._cluster.find("leases", LEASES, name)
        renewed = (lease or {"spec": {}})["spec"].get("renewTime", "")
        if self._seen.get(name, ("-", 0.0))[0] != renewed:
            self._seen[name] = (renewed, now)
        return now - self._seen[name][1]

    def _mark_unknown(self, node: Object, now: float) -> None:
        ready = condition(node.get("status") or {}, "Ready")
        if ready is None or ready["status"] == "Unknown":
            return
        changed = copied(node)
        for entry in changed["status"]["conditions"]:
            if entry["type"] == "Ready":
                entry.update(
                    status="Unknown",
                    reason="NodeStatusUnknown",
                    message="Kubelet stopped posting node status.",
                    lastTransitionTime=timestamp(now),
                )
        self._cluster.update_status("nodes", changed)

    def _taint(self, name: str, ready: str) -> None:
        """Nothing new is for a node that is not ready, and `kubectl describe` says so."""
        node = self._cluster.find("nodes", "", name)
        if node is None:
            return
        before = node["spec"].get("taints") or []
        wanted = [taint for taint in before if taint["key"] not in TAINTS.values()]
        if ready in TAINTS:
            wanted.append({"key": TAINTS[ready], "effect": "NoSchedule"})
        if wanted != before:
            changed = copied(node)
            changed["spec"]["taints"] = wanted
            self._cluster.update("nodes", changed)

    def _mark_pods_unready(self, node: str, now: float) -> None:
        """No traffic for a node nobody hears of; the kubelet sets it right when it is back."""
        for pod in self._pods_of(node):
            ready = condition(pod.get("status") or {}, "Ready")
            if ready is None or ready["status"] != "True":
                continue
            changed = copied(pod)
            for entry in changed["status"]["conditions"]:
                if entry["type"] == "Ready":
                    entry.update(status="False", lastTransitionTime=timestamp(now))
            self._cluster.update_status("pods", changed)

    def _evict(self, node: str, taint: str, lasts: float) -> None:
        """Pods that tolerate such a node no longer are deleted, and stay until its kubelet has ended them.

        The page "Taints and Tolerations": for 300 seconds each pod does that says nothing else.
        """
        for pod in self._pods_of(node):
            bears = [
                one.get("tolerationSeconds", float("inf"))
                for one in pod["spec"].get("tolerations") or ()
                if one.get("key") in (None, taint) and one.get("effect") in (None, "NoExecute")
            ]
            if not terminating(pod) and lasts > min(bears, default=0.0):
                self._cluster.delete("pods", pod)

    def _collect_pods(self, node: str) -> None:
        """Pods of a node that no longer exists are gone with it."""
        for pod in self._pods_of(node):
            self._cluster.delete("pods", pod, grace_seconds=0)

    def _pods_of(self, node: str) -> list[Object]:
        return [pod for pod in self._cluster.all("pods") if pod["spec"].get("nodeName") == node]
