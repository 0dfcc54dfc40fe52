# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Keep the evidence of a failed rollout before an undo deletes it. Never raises: an undo must not wait."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    Clock,
    Cluster,
    Object,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import redact
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.judge import Verdict
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import (
    Deployment,
    Pod,
    ReplicaSet,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observe import (
    observe_pods,
    observe_replica_set,
)

TIME_LIMIT = 20.0
LOG_LINES = 50
PODS = 3
EVENTS = 20

Diagnosis = dict[str, t.Any]


def diagnose(
    cluster: Cluster, deployment: Deployment, verdict: Verdict, *, container: str, clock: Clock
) -> Diagnosis:
    """Conditions, container states, last log lines and events, as far as they can be read in time."""
    found: Diagnosis = {
        "deployment": deployment.name,
        "image": deployment.images.get(container, ""),
        "reason": verdict.reason,
        "cause": verdict.sentence,
        "hint": verdict.hint,
        "conditions": [asdict(one) for one in deployment.conditions],
        "replica_set": {},
        "pods": [],
        "logs": {},
        "events": [],
        "missing": [],
    }
    cluster = cluster.until(clock.now() + TIME_LIMIT)
    try:
        replica_set = observe_replica_set(cluster, deployment)
        pods = observe_pods(cluster, deployment, replica_set)
    except DeployError as exc:
        return {**found, "missing": [str(exc)]}
    if replica_set is not None:
        found["replica_set"] = {
            "name": replica_set.name,
            "conditions": [asdict(one) for one in replica_set.conditions],
        }
    found["pods"] = [_pod_face(pod) for pod in pods]
    troubled = [pod for pod in pods if not pod.ready][:PODS] or [*pods[:1]]
    _gather(found, cluster, deployment, replica_set, troubled)
    return found


def _gather(
    found: Diagnosis,
    cluster: Cluster,
    deployment: Deployment,
    replica_set: ReplicaSet | None,
    pods: t.Sequence[Pod],
) -> None:
    for pod in pods:
        for container in pod.containers:
            if container.ready:
                continue
            for previous in (False, True) if container.restarts else (False,):
                label = f"{pod.name}/{container.name}" + (" previous" if previous else "")
                try:
                    text = cluster.log(
                        pod.name, container.name, tail_lines=LOG_LINES, previous=previous
                    )
                except DeployError as exc:
                    found["missing"].append(str(exc))
                else:
                    found["logs"][label] = redact(text).splitlines()
    uids = {deployment.name, *(pod.name for pod in pods)}
    uids |= {replica_set.name} if replica_set else set()
    for name in sorted(uids):
        try:
            selector = f"involvedObject.name={name}"
            events = cluster.list_objects("Event", field_selector=selector)
        except DeployError as exc:
            found["missing"].append(str(exc))
        else:
            found["events"] += [_event_face(one) for one in events]
    found["events"] = sorted(found["events"], key=lambda one: str(one["last_seen"]))[-EVENTS:]


def _pod_face(pod: Pod) -> dict[str, t.Any]:
    return {
        "name": pod.name,
        "phase": pod.phase,
        "reason": pod.reason,
        "node": pod.node,
        "ready": pod.ready,
        "containers": [asdict(one) for one in pod.containers],
    }


def _event_face(body: Object) -> dict[str, t.Any]:
    about = body.get("involvedObject") or {}
    return {
        "object": f"{about.get('kind', '')}/{about.get('name', '')}",
        "type": body.get("type", ""),
        "reason": body.get("reason", ""),
        "message": redact(body.get("message", "")),
        "count": body.get("count") or 1,
        "last_seen": body.get("lastTimestamp") or body.get("eventTime") or "",
    }
