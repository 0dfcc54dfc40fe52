# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read one Deployment with its ReplicaSets and Pods, in as few requests as a decision needs."""

from __future__ import annotations

import typing as t

from .._cluster import Cluster, Object
from .._errors import InputError
from .models import (
    HASH_LABEL,
    Deployment,
    Pod,
    ReplicaSet,
    controller_kind,
    current_replica_set,
)


def find_deployment(cluster: Cluster, name: str) -> Deployment | None:
    body = cluster.read("Deployment", name)
    return None if body is None else Deployment.from_json(body)


def observe_deployment(cluster: Cluster, name: str) -> Deployment:
    deployment = find_deployment(cluster, name)
    if deployment is None:
        raise InputError(
            f"There is no Deployment {name!r} in namespace {cluster.namespace!r}: correct 'name' or "
            "'namespace', or create it first."
        )
    return deployment


def desired_replicas(cluster: Cluster, deployment: Deployment) -> int:
    """As they are now, which an autoscaler may change at any time; as they were of one that is gone."""
    return (find_deployment(cluster, deployment.name) or deployment).counts.desired


def observe_replica_set(cluster: Cluster, deployment: Deployment) -> ReplicaSet | None:
    """The ReplicaSet of the current template."""
    found = cluster.list_objects("ReplicaSet", label_selector=deployment.selector)
    return current_replica_set(deployment, map(ReplicaSet.from_json, found))


def observe_pods(
    cluster: Cluster, deployment: Deployment, replica_set: ReplicaSet | None
) -> tuple[Pod, ...]:
    """The pods of `replica_set`, and none without one."""
    if replica_set is None:
        return ()
    selector = f"{deployment.selector},{HASH_LABEL}={replica_set.template_hash}"
    found = map(Pod.from_json, cluster.list_objects("Pod", label_selector=selector))
    return tuple(pod for pod in found if pod.owner == replica_set.uid)


def observe_all_pods(cluster: Cluster, deployment: Deployment) -> t.Sequence[Pod]:
    """Old and ending ones too."""
    return [Pod.from_json(one) for one in list_pods(cluster, deployment)]


def list_pods(cluster: Cluster, deployment: Deployment) -> list[Object]:
    """What the Deployment's selector finds, without the pods of a Job or another controller that has its labels."""
    pods = cluster.list_objects("Pod", label_selector=deployment.selector)
    return [pod for pod in pods if controller_kind(pod["metadata"]) in ("", "ReplicaSet")]
