# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's status from the states of its containers: phase, conditions, containerStatuses."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field

from sandbox.kubernetes.controllers.objects import condition, timestamp

Object = dict[str, t.Any]


@dataclass
class ContainerState:
    name: str
    image: str
    state: Object = field(default_factory=lambda: waiting("ContainerCreating"))
    last_state: Object = field(default_factory=dict)
    ready: bool = False
    started: bool = False
    restarts: int = 0
    instance: int = 0
    """Counts starts, for the container's id."""


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(now: float) -> Object:
    return {"running": {"startedAt": timestamp(now)}}


def terminated(code: int, reason: str, *, started: float, finished: float) -> Object:
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": timestamp(started),
            "finishedAt": timestamp(finished),
        }
    }


def pod_status(
    pod: Object,
    containers: t.Sequence[ContainerState],
    *,
    initial: t.Sequence[ContainerState] = (),
    ip: str,
    started: float,
    now: float,
) -> Object:
    """The whole status the kubelet reports; times of conditions that did not change are kept."""
    before = pod.get("status") or {}
    status: Object = {
        "phase": phase(containers, pod["spec"].get("restartPolicy", "Always")),
        "conditions": _conditions(before, containers, initial, now),
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": timestamp(started),
        "containerStatuses": [_container_status(pod, container) for container in containers],
    }
    if initial:
        status["initContainerStatuses"] = [
            _container_status(pod, container) for container in initial
        ]
    if "qosClass" in before:
        status["qosClass"] = before["qosClass"]
    return status


def phase(containers: t.Sequence[ContainerState], policy: str) -> str:
    """Pending while a container never ran; Running while one runs or will run again."""
    if any("waiting" in c.state and not c.last_state for c in containers):
        return "Pending"
    ended = [c.state["terminated"] for c in containers if "terminated" in c.state]
    failed = any(state["exitCode"] for state in ended)
    restarted = policy == "Always" or (policy == "OnFailure" and failed)
    if len(ended) < len(containers) or restarted:
        return "Running"
    return "Failed" if failed else "Succeeded"


def _conditions(
    before: Object,
    containers: t.Sequence[ContainerState],
    initial: t.Sequence[ContainerState],
    now: float,
) -> list[Object]:
    # Native sidecars are not waited for, only counted; what ended well is ready.
    begun = [c.name for c in initial if not (c.started or "terminated" in c.state)]
    unready = [c.name for c in (*initial, *containers) if not c.ready]
    incomplete = {
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: [{' '.join(begun)}]",
    }
    words = {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }
    wanted: dict[str, Object] = {
        "Initialized": {"status": "False", **incomplete} if begun else {"status": "True"},
        "ContainersReady": {"status": "False", **words} if unready else {"status": "True"},
        "Ready": {"status": "False", **words} if unready else {"status": "True"},
    }
    scheduled = condition(before, "PodScheduled")
    made = [scheduled] if scheduled else []
    for kind, says in wanted.items():
        current = condition(before, kind)
        unchanged = current is not None and current["status"] == says["status"]
        since = current["lastTransitionTime"] if unchanged and current else timestamp(now)
        made.append({"type": kind, "lastProbeTime": None, "lastTransitionTime": since, **says})
    return made


def _container_status(pod: Object, container: ContainerState) -> Object:
    made = container.instance > 0
    return {
        "name": container.name,
        "state": container.state,
        "lastState": container.last_state,
        "ready": container.ready,
        "restartCount": container.restarts,
        "image": container.image,
        "imageID": _digest(container.image) if made else "",
        **({"containerID": _container_id(pod, container)} if made else {}),
        "started": container.started,
    }


def _digest(image: str) -> str:
    name = image.rpartition(":")[0]
    return f"docker.io/{name}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _container_id(pod: Object, container: ContainerState) -> str:
    seed = f"{pod['metadata']['uid']}/{container.name}/{container.instance}"
    return f"containerd://{hashlib.sha256(seed.encode()).hexdigest()}"
