# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduler and the node lifecycle controller.

A pod gets a ready node with room for what it requests, or is told why not. A node whose lease is not renewed is not
ready, nor are its pods, which go in time.
"""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from fractions import Fraction

from sandbox.kubernetes.controllers.controller import Controller
from sandbox.kubernetes.controllers.events import scheduler_event
from sandbox.kubernetes.controllers.objects import (
    Object,
    condition,
    copied,
    key_of,
    labels_of,
    metadata,
    seconds,
    terminating,
    timestamp,
)
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.quantities import parse

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.controllers.objects import Cluster

LEASES = "kube-node-lease"
# The real controller's --node-monitor-grace-period is 50 s; a lease is renewed every 10 s.
GRACE = 40.0
POLL_SECONDS = 5.0
TAINTS = {"False": "node.kubernetes.io/not-ready", "Unknown": "node.kubernetes.io/unreachable"}
"""By the status of a node's condition Ready."""


class NodeController(Controller):
    name = "node-controller"
    watched = ("nodes",)

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
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
        changed = _with_ready(
            node,
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
            changed = _with_ready(pod, status="False", lastTransitionTime=timestamp(now))
            self._cluster.update_status("pods", changed)

    def _evict(self, node: str, taint: str, lasts: float) -> None:
        """Pods that tolerate such a node no longer are deleted, and stay until its kubelet has ended them.

        The page "Taints and Tolerations": for 300 seconds each pod does that says nothing else.
        """
        for pod in self._pods_of(node):
            bears = [
                toleration.get("tolerationSeconds", float("inf"))
                for toleration in pod["spec"].get("tolerations") or ()
                if toleration.get("key") in (None, taint)
                and toleration.get("effect") in (None, "NoExecute")
            ]
            if not terminating(pod) and lasts > min(bears, default=0.0):
                self._cluster.delete("pods", pod)

    def _collect_pods(self, node: str) -> None:
        for pod in self._pods_of(node):
            self._cluster.delete("pods", pod, grace_seconds=0)

    def _pods_of(self, node: str) -> list[Object]:
        return [pod for pod in self._cluster.all("pods") if pod["spec"].get("nodeName") == node]


def _with_ready(obj: Object, **words: str) -> Object:
    changed = copied(obj)
    (condition(changed["status"], "Ready") or {}).update(words)
    return changed


# How soon a pod that fits nowhere is looked at again, beside every change of a node or a pod.
RETRY = 1.0
GATED = "Scheduling is blocked due to non-empty scheduling gates"


def requested(pod: Object) -> dict[str, Fraction]:
    """What a pod takes from a node: the sum of its containers' requests, and one pod."""
    wanted = {"pods": Fraction(1)}
    for container in pod["spec"].get("containers") or ():
        requests = (container.get("resources") or {}).get("requests") or {}
        for name, value in requests.items():
            wanted[name] = wanted.get(name, Fraction(0)) + parse(value)
    return wanted


def filter_reasons(pod: Object, node: Object, on_node: t.Iterable[Object]) -> list[str]:
    """Why a pod cannot run on a node, in the scheduler's words; none: it fits."""
    ready = condition(node.get("status") or {}, "Ready")
    if ready is None or ready["status"] != "True":
        return ["node(s) had untolerated taint(s)"]
    if node["spec"].get("unschedulable"):
        return ["node(s) were unschedulable"]
    used: dict[str, Fraction] = {}
    for other in on_node:
        for name, value in requested(other).items():
            used[name] = used.get(name, Fraction(0)) + value
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    reasons = []
    for name, value in requested(pod).items():
        if used.get(name, Fraction(0)) + value > parse(allocatable.get(name, 0)):
            reasons.append("Too many pods" if name == "pods" else f"Insufficient {name}")
    return reasons


def by_free_room(nodes: t.Iterable[Object], on_node: t.Mapping[str, t.Sized]) -> list[Object]:
    return sorted(
        nodes,
        key=lambda node: (len(on_node.get(metadata(node)["name"], ())), metadata(node)["name"]),
    )


def refusal(nodes: int, reasons: t.Sequence[str]) -> str:
    if not nodes:
        return "no nodes available to schedule pods"
    counted = ", ".join(f"{count} {why}" for why, count in sorted(Counter(reasons).items()))
    preemption = (
        f"preemption: 0/{nodes} nodes are available: "
        f"{nodes} No preemption victims found for incoming pod."
    )
    return f"0/{nodes} nodes are available: {counted}. no new claims to deallocate, {preemption}"


class Scheduler(Controller):
    name = "default-scheduler"
    watched = ("pods", "nodes")

    def __init__(self, cluster: Cluster, faults: Faults) -> None:
        super().__init__(cluster)
        self._faults = faults
        self._waiting: set[str] = set()
        """Pods without a node: looking at all pods whenever one goes grows with their square."""

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        if resource == "pods" and not terminating(obj):
            if obj["spec"].get("nodeName"):
                return []
            self._waiting.add(key_of(obj))
            return [key_of(obj)]
        # A node that changed or a pod that goes may make room for whoever waits.
        return sorted(self._waiting) if previous is not None else []

    def reconcile(self, key: str) -> float | None:
        namespace, name = key.split("/")
        pod = self._cluster.find("pods", namespace, name)
        if pod is None or terminating(pod) or pod["spec"].get("nodeName"):
            self._waiting.discard(key)
            return None
        app = labels_of(pod).get("app", "")
        if self._faults.active("node", "gated", app):
            self._report_unscheduled(pod, "SchedulingGated", GATED)
            return RETRY
        nodes = self._cluster.all("nodes")
        reasons: list[str] = []
        if self._faults.active("node", "unschedulable", app):
            reasons = ["Insufficient cpu"] * len(nodes)
        else:
            on_node = self._pods_by_node()
            for node in by_free_room(nodes, on_node):
                on_this = filter_reasons(pod, node, on_node[metadata(node)["name"]])
                if not on_this:
                    self._bind(pod, metadata(node)["name"])
                    self._waiting.discard(key)
                    return None
                reasons += on_this
        self._report_unscheduled(pod, "Unschedulable", refusal(len(nodes), reasons))
        return RETRY

    def _pods_by_node(self) -> defaultdict[str, list[Object]]:
        """Who takes room on each node: whoever has not ended, those on their way out too."""
        by_node: defaultdict[str, list[Object]] = defaultdict(list)
        for pod in self._cluster.all("pods"):
            if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                by_node[pod["spec"].get("nodeName") or ""].append(pod)
        return by_node

    def _bind(self, pod: Object, node: str) -> None:
        bound = copied(pod)
        bound["spec"]["nodeName"] = node
        bound = self._cluster.store.update("pods", bound, subresource="binding")
        self._set_scheduled(bound, {"status": "True"})
        message = f"Successfully assigned {key_of(pod)} to {node}"
        self._record(pod, "Normal", "Scheduled", message, "Binding")

    def _report_unscheduled(self, pod: Object, reason: str, message: str) -> None:
        standing = condition(pod.get("status") or {}, "PodScheduled")
        if standing and standing["status"] == "False" and standing.get("message") == message:
            return
        self._set_scheduled(pod, {"status": "False", "reason": reason, "message": message})
        if reason == "SchedulingGated":
            return
        self._record(pod, "Warning", "FailedScheduling", message, "Scheduling")

    def _set_scheduled(self, pod: Object, words: Object) -> None:
        changed = copied(pod)
        status = changed.setdefault("status", {})
        others = [c for c in status.get("conditions") or () if c["type"] != "PodScheduled"]
        made = {
            "type": "PodScheduled",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(self._cluster.clock()),
            **words,
        }
        status["conditions"] = [made, *others]
        self._cluster.update_status("pods", changed)

    def _record(self, pod: Object, kind: str, reason: str, message: str, action: str) -> None:
        now = self._cluster.clock()
        event = scheduler_event(pod, kind, reason, message, now=now, action=action)
        try:
            self._cluster.create("events", event)
        except ApiError:
            return  # a courtesy; the pod is scheduled all the same
