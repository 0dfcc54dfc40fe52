# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where Deployments stand, all of them in three requests, as plain dictionaries for playbooks."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from .._cluster import CHANGE_CAUSE_ANNOTATION, RELEASE_ANNOTATION, Cluster
from .._errors import InputError
from .models import Deployment, Pod, ReplicaSet, current_replica_set, owned_by

Standing = dict[str, t.Any]


def observe_standings(cluster: Cluster, names: t.Sequence[str] | None) -> list[Standing]:
    found = map(Deployment.from_json, cluster.list_objects("Deployment"))
    by_name = {one.name: one for one in found}
    missing = [name for name in names or () if name not in by_name]
    if missing:
        raise InputError(
            f"There is no Deployment {', '.join(map(repr, missing))} in namespace "
            f"{cluster.namespace!r}: correct 'names' or 'namespace'."
        )
    replica_sets = [ReplicaSet.from_json(one) for one in cluster.list_objects("ReplicaSet")]
    pods = [Pod.from_json(one) for one in cluster.list_objects("Pod")]
    wanted = sorted(by_name) if names is None else names
    return [to_standing(by_name[name], replica_sets, pods) for name in wanted]


def to_standing(
    deployment: Deployment, replica_sets: t.Sequence[ReplicaSet], pods: t.Sequence[Pod]
) -> Standing:
    owned = {one.uid for one in owned_by(deployment, replica_sets)}
    current = current_replica_set(deployment, replica_sets)
    mine = [pod for pod in pods if pod.owner in owned]
    counts = asdict(deployment.counts)
    counts.pop("total")
    return {
        "name": deployment.name,
        "images": deployment.images,
        "revision": deployment.revision,
        "complete": deployment.complete,
        "paused": deployment.paused,
        "release": deployment.annotations.get(RELEASE_ANNOTATION, ""),
        "change_cause": deployment.annotations.get(CHANGE_CAUSE_ANNOTATION, ""),
        "replicas": {**counts, "terminating": sum(pod.deleting for pod in mine)},
        "replica_set": current.name if current else "",
        "conditions": [asdict(one) for one in deployment.conditions],
        "pods": [_pod_face(pod, current) for pod in mine],
    }


def _pod_face(pod: Pod, current: ReplicaSet | None) -> dict[str, t.Any]:
    return {
        "name": pod.name,
        "phase": pod.phase,
        "node": pod.node,
        "ready": pod.ready,
        "restarts": sum(one.restarts for one in pod.containers),
        "waiting": [one.reason for one in pod.containers if one.state == "waiting"],
        "current": current is not None and pod.owner == current.uid,
        "terminating": pod.deleting,
    }
