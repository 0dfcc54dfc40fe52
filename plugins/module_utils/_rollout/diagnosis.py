# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the evidence of a failed rollout before an undo deletes it. Never raises: an undo must not wait."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from .._cluster import Clock, Cluster, Object
from .._errors import DeployError, RefusedError
from .._redaction import redact
from .evaluate import Evaluation
from .models import Condition, Deployment, Event, Pod, ReplicaSet
from .observer import observe_pods, observe_replica_set

FEWER = 4
"""By how much fewer lines are asked for when they had too many bytes."""
LIMIT_BYTES = 256 * 1024
"""How much of a log is read, from its beginning: a start-up line stands there."""
PATIENCE = 15.0
"""Seconds a line may come later than readiness."""


def read_tail(
    cluster: Cluster,
    pod: str,
    container: str,
    *,
    lines: int,
    limit: int | None = None,
    previous: bool = False,
) -> tuple[str, str]:
    """The last `lines` of the log, and the end of a sentence about the cut.

    The server's limit of bytes cuts the end, which holds the cause. Fewer whole lines avoid that.
    """
    if limit is None:
        return cluster.log(pod, container, tail_lines=lines, previous=previous), ""
    wanted = lines
    while True:
        text = cluster.log(
            pod, container, tail_lines=wanted, limit_bytes=limit + 1, previous=previous
        )
        if len(text.encode()) <= limit:
            cut = f"had more than {limit} bytes in {lines} lines: the last {wanted} were read."
            return text, cut if wanted < lines else ""
        if wanted == 1:
            return text[:limit], f"ends in a line over {limit} bytes: only its beginning was read."
        wanted = max(wanted // FEWER, 1)


def find_log_line(
    cluster: Cluster, deployment: Deployment, container: str, line: str, *, clock: Clock
) -> list[str]:
    """The new pods whose log does not hold `line`; empty when all do."""
    end = clock.now() + PATIENCE
    cluster = cluster.until(end)
    pods = observe_pods(cluster, deployment, observe_replica_set(cluster, deployment))
    silent = [pod.name for pod in pods if not pod.deleting]
    while True:
        silent = [name for name in silent if line not in _log_of(cluster, name, container)]
        if not silent or clock.now() >= end:
            return silent
        clock.sleep(1.0)


def _log_of(cluster: Cluster, pod: str, container: str) -> str:
    """Empty for a pod that went, or does not run yet: it is asked again."""
    try:
        return cluster.log(pod, container, limit_bytes=LIMIT_BYTES)
    except RefusedError as exc:
        if exc.details.get("status") in (400, 404):
            return ""
        raise


TIME_LIMIT = 20.0
LOG_LINES = 50
PODS = 3
EVENTS = 20
SECONDS = len("2026-11-24T06:00:00")
"""As much of a time as all kinds of events have."""
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
SEEN_IN_PODS = frozenset(
    {
        "CrashLoop",
        "CannotStart",
        "LivenessFailed",
        "OutOfMemory",
        "RestartedInSoak",
        "StartupFailed",
    }
)
"""Reasons whose evidence is in the logs of the containers that show it; others may be in any."""

Diagnosis = dict[str, t.Any]


@dataclass(frozen=True)
class Extent:
    """How much is read: of each log the last lines and bytes, pods the sickest, events the newest."""

    log_lines: int = LOG_LINES
    log_bytes: int | None = None
    pods: int = PODS
    events: int = EVENTS
    seconds: float = TIME_LIMIT


SHORT = Extent()
"""So little that the record can keep it, and an undo does not wait."""


def diagnose(
    cluster: Cluster,
    deployment: Deployment,
    verdict: Evaluation,
    *,
    container: str,
    clock: Clock,
    extent: Extent = SHORT,
) -> Diagnosis:
    """Conditions, container states, last log lines and events, as far as they can be read in time."""
    diagnosis: Diagnosis = {
        "deployment": deployment.name,
        "image": deployment.images.get(container, ""),
        "image_digests": [],
        "containers": _container_faces(deployment),
        "reason": verdict.reason,
        "cause": verdict.sentence,
        "hint": verdict.hint,
        "conditions": [_condition_face(condition) for condition in deployment.conditions],
        "replica_set": {},
        "pods": [],
        "logs": {},
        "events": [],
        "missing": [],
    }
    end = clock.now() + extent.seconds
    cluster = cluster.until(end)
    try:
        replica_set = observe_replica_set(cluster, deployment)
        pods = observe_pods(cluster, deployment, replica_set)
    except DeployError as exc:
        return {**diagnosis, "missing": [str(exc)]}
    if replica_set is not None:
        diagnosis["replica_set"] = {
            "name": replica_set.name,
            "conditions": [_condition_face(condition) for condition in replica_set.conditions],
        }
    diagnosis["pods"] = [_pod_face(pod) for pod in pods]
    images = {
        status.image_id for pod in pods for status in pod.containers if status.name == container
    }
    diagnosis["image_digests"] = sorted(filter(None, images))
    troubled = sorted(pods, key=_health)[: extent.pods]
    _gather(
        diagnosis,
        cluster,
        deployment,
        replica_set,
        troubled,
        extent,
        late=lambda: clock.now() >= end,
    )
    return diagnosis


def _health(pod: Pod) -> tuple[bool, int]:
    """The sickest first: not ready, then the most restarts."""
    return pod.ready, -sum(container.restarts for container in pod.containers)


def _gather(
    diagnosis: Diagnosis,
    cluster: Cluster,
    deployment: Deployment,
    replica_set: ReplicaSet | None,
    pods: t.Sequence[Pod],
    extent: Extent,
    *,
    late: t.Callable[[], bool],
) -> None:
    """Read logs and events into `diagnosis`. No request is made once it is `late`."""
    for pod, container, previous in _logs_to_read(pods, diagnosis["reason"]):
        label = f"{pod}/{container}" + (" previous" if previous else "")
        if late():
            diagnosis["missing"].append(f"The log of {label} was not read in time.")
            continue
        try:
            text, cut = read_tail(
                cluster,
                pod,
                container,
                lines=extent.log_lines,
                limit=extent.log_bytes,
                previous=previous,
            )
        except DeployError as exc:
            diagnosis["missing"].append(str(exc))
        else:
            diagnosis["logs"][label] = redact(text).splitlines()
            diagnosis["missing"] += [f"The log of {label} {cut}"] if cut else []
    objects = [("Deployment", deployment.name), *(("Pod", pod.name) for pod in pods)]
    objects += [("ReplicaSet", replica_set.name)] if replica_set else []
    for kind, name in objects:
        if late():
            diagnosis["missing"].append(f"The events of {name} were not read in time.")
            continue
        try:
            selector = f"involvedObject.kind={kind},involvedObject.name={name}"
            listed = cluster.list_objects("Event", field_selector=selector)
            diagnosis["events"] += [_event_face(event) for event in listed]
        except DeployError as exc:
            diagnosis["missing"].append(str(exc))
    diagnosis["events"] = _of_this_release(diagnosis["events"], deployment, replica_set)[
        : extent.events
    ]


def _of_this_release(
    events: t.Iterable[dict[str, t.Any]], deployment: Deployment, replica_set: ReplicaSet | None
) -> list[dict[str, t.Any]]:
    """Events of this release, newest first. The server holds an hour of events, those of earlier templates too."""
    since, current = deployment.written[:SECONDS], replica_set.name if replica_set else ""

    def is_new(event: dict[str, t.Any]) -> bool:
        if event["object"] != f"Deployment/{deployment.name}":
            return True
        if since:
            return str(event["last_seen"])[:SECONDS] >= since
        return not current or current in event["message"]

    return sorted(filter(is_new, events), key=lambda event: str(event["last_seen"]), reverse=True)


def _logs_to_read(pods: t.Sequence[Pod], reason: str) -> t.Iterator[tuple[str, str, bool]]:
    """Pod, container and whether to read its previous run: containers not ready, then restarted, else all."""
    for pod in pods:
        for container in pod.containers:
            if container.ready and not container.restarts and reason in SEEN_IN_PODS:
                continue
            if container.state == "waiting" and not container.restarts:
                continue  # it never ran, so there is no log
            yield pod.name, container.name, False
            if container.restarts:
                yield pod.name, container.name, True


def _container_faces(deployment: Deployment) -> list[dict[str, t.Any]]:
    """The template's fields that most often explain a failure: image, limits and probes."""
    return [
        {
            "name": container["name"],
            "image": container.get("image", ""),
            "resources": container.get("resources") or {},
            "probes": {key: container[key] for key in PROBES if container.get(key)},
        }
        for container in deployment.template["spec"]["containers"]
    ]


def _condition_face(condition: Condition) -> dict[str, t.Any]:
    return {**asdict(condition), "message": redact(condition.message)}


def _pod_face(pod: Pod) -> dict[str, t.Any]:
    return {
        "name": pod.name,
        "phase": pod.phase,
        "reason": pod.reason,
        "node": pod.node,
        "ready": pod.ready,
        "containers": [
            {**asdict(container), "message": redact(container.message)}
            for container in pod.containers
        ],
    }


def _event_face(body: Object) -> dict[str, t.Any]:
    event = Event.from_json(body)
    return {
        "object": f"{event.kind}/{event.about}",
        "type": event.type,
        "reason": event.reason,
        "message": redact(event.message),
        "count": event.count or 1,
        "last_seen": event.last_seen,
    }
