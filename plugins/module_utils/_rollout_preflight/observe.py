# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read what a preflight judges: a dozen requests and one for each right, however many Deployments."""

from __future__ import annotations

import typing as t

from .._cluster import Cluster, Object
from .._errors import InputError, RefusedError
from .._rollout.failures import signs_of
from .._rollout.models import Deployment, Pod, ReplicaSet, current_replica_set
from .models import RIGHTS, Facts
from .references import references_of


def observe_facts(cluster: Cluster, names: t.Sequence[str] | None, *, release: str = "") -> Facts:
    found = {one["metadata"]["name"]: one for one in cluster.list_objects("Deployment")}
    missing = [name for name in names or () if name not in found]
    if missing:
        raise InputError(
            f"There is no Deployment {', '.join(map(repr, missing))} in namespace "
            f"{cluster.namespace!r}: correct 'names' or 'namespace'."
        )
    deployments = {name: found[name] for name in names or sorted(found)}
    unseen: list[str] = []

    def seen(kind: str) -> t.Sequence[Object]:
        try:
            return cluster.list_objects(kind)
        except RefusedError as exc:
            unseen.append(str(exc))
            return ()

    replica_sets = [ReplicaSet.from_json(one) for one in seen("ReplicaSet")]
    pods = [Pod.from_json(one) for one in seen("Pod")]
    return Facts(
        deployments=deployments,
        troubled={
            name: trouble
            for name, body in deployments.items()
            if (trouble := _trouble(Deployment.from_json(body), replica_sets, pods))
        },
        autoscalers=[
            one
            for one in seen("HorizontalPodAutoscaler")
            if one["spec"]["scaleTargetRef"]["name"] in deployments
        ],
        budgets=seen("PodDisruptionBudget"),
        quotas=seen("ResourceQuota"),
        held=_observe_held(cluster, deployments.values(), unseen),
        denied=[
            one
            for one in RIGHTS
            if not cluster.may(one.verb, one.resource, group=one.group, subresource=one.subresource)
        ],
        unseen=unseen,
        release=release,
    )


def _trouble(
    deployment: Deployment, replica_sets: t.Sequence[ReplicaSet], pods: t.Sequence[Pod]
) -> str:
    current = current_replica_set(deployment, replica_sets)
    mine = [pod for pod in pods if current and pod.owner == current.uid]
    signs = signs_of(mine, current)
    return f"{signs[0].where} {signs[0].reason} {signs[0].message}".strip() if signs else ""


def _observe_held(
    cluster: Cluster, bodies: t.Iterable[Object], unseen: list[str]
) -> dict[tuple[str, str], frozenset[str] | None]:
    """The keys of what pod templates refer to. The values of Secrets are not kept."""
    held: dict[tuple[str, str], frozenset[str] | None] = {}
    for reference in {
        (one.kind, one.name) for body in bodies for one in references_of(body["spec"]["template"])
    }:
        kind, name = reference
        try:
            found = cluster.read(kind, name)
        except RefusedError as exc:
            unseen.append(str(exc))
            continue
        held[reference] = None if found is None else _keys_of(found)
    return held


def _keys_of(body: Object) -> frozenset[str]:
    return frozenset(key for field in ("data", "binaryData") for key in body.get(field) or {})
