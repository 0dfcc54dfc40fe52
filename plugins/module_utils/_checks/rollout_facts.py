# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout's preflight looks at: a dozen requests and one for each right, however many Deployments."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._cluster import Cluster, Object
from .._errors import InputError, RefusedError
from .._rollout.failures import signs_of
from .._rollout.models import Deployment, Pod, ReplicaSet, current_replica_set

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class RolloutProblem:
    """`deployment` is empty for what concerns them all."""

    deployment: str
    check: str
    severity: str
    message: str

    def __str__(self) -> str:
        return f"{self.deployment}: {self.message}" if self.deployment else self.message


@dataclass(frozen=True)
class ConfigReference:
    """A ConfigMap or Secret that a pod template needs; `keys` are those it names one by one."""

    kind: str
    name: str
    keys: frozenset[str]


@dataclass(frozen=True)
class Right:
    """One verb on one resource, and what a rollout does with it."""

    verb: str
    group: str
    resource: str
    subresource: str
    purpose: str
    severity: str = ERROR

    def __str__(self) -> str:
        path = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {path}{f'.{self.group}' if self.group else ''}"


RIGHTS = (
    Right("get", "apps", "deployments", "", "read a Deployment"),
    Right("list", "apps", "deployments", "", "see Deployments"),
    Right("watch", "apps", "deployments", "", "follow a rollout in few requests", WARNING),
    Right("patch", "apps", "deployments", "", "release, restart and undo"),
    Right("list", "apps", "replicasets", "", "tell new pods from old ones"),
    Right("list", "", "pods", "", "tell why a rollout fails"),
    Right("watch", "", "pods", "", "follow a rollout in few requests", WARNING),
    Right("delete", "", "pods", "", "replace a pod on a bad node", WARNING),
    Right("get", "", "pods", "log", "find start-up lines and show why pods crash"),
    Right("list", "", "events", "", "show why pods do not start", WARNING),
    Right("get", "", "configmaps", "", "read the release record and its pins"),
)
"""What the rollout module asks of the server."""


@dataclass(frozen=True)
class NamespaceFacts:
    """Everything that was seen of a namespace, as the server tells it.

    `held`: by kind and name, the keys of what pod templates refer to; None when it is not there.
    `unseen`: what could not be looked at, and why.
    `release`: the one that is about to be rolled, empty when it is not given.
    """

    deployments: t.Mapping[str, Object]
    troubled: t.Mapping[str, str]
    """By name, what the current pods of a Deployment suffer from, in words."""
    autoscalers: t.Sequence[Object] = ()
    budgets: t.Sequence[Object] = ()
    quotas: t.Sequence[Object] = ()
    held: t.Mapping[tuple[str, str], frozenset[str] | None] = field(default_factory=dict)
    denied: t.Sequence[Right] = ()
    unseen: t.Sequence[str] = ()
    release: str = ""


References = t.Iterator[tuple[str, str, frozenset[str]]]


def references_of(template: Object) -> list[ConfigReference]:
    """Without those that are marked optional, one for each object."""
    spec = template["spec"]
    merged: dict[tuple[str, str], frozenset[str]] = {}
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        for kind, name, keys in _of_container(container):
            merged[kind, name] = merged.get((kind, name), frozenset()) | keys
    for volume in spec.get("volumes") or []:
        for kind, name, keys in _of_volume(volume):
            merged[kind, name] = merged.get((kind, name), frozenset()) | keys
    return [ConfigReference(kind, name, keys) for (kind, name), keys in sorted(merged.items())]


def _of_container(container: Object) -> References:
    for source in container.get("envFrom") or []:
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            yield from _needed(kind, source.get(key), "name")
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            yield from _needed(kind, source.get(key), "name")


def _of_volume(volume: Object) -> References:
    yield from _needed("ConfigMap", volume.get("configMap"), "name")
    yield from _needed("Secret", volume.get("secret"), "secretName")
    for source in (volume.get("projected") or {}).get("sources") or []:
        yield from _needed("ConfigMap", source.get("configMap"), "name")
        yield from _needed("Secret", source.get("secret"), "name")


def _needed(kind: str, source: Object | None, name: str) -> References:
    if not source or source.get("optional") or not source.get(name):
        return
    keys = {item["key"] for item in source.get("items") or []}
    if source.get("key"):
        keys.add(source["key"])
    yield kind, source[name], frozenset(keys)


def observe_facts(cluster: Cluster, names: t.Sequence[str], *, release: str = "") -> NamespaceFacts:
    by_name = {body["metadata"]["name"]: body for body in cluster.list_objects("Deployment")}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise InputError(
            f"There is no Deployment {', '.join(map(repr, missing))} in namespace "
            f"{cluster.namespace!r}: correct 'names' or 'namespace'."
        )
    deployments = {name: by_name[name] for name in names}
    unseen: list[str] = []

    def listed(kind: str) -> t.Sequence[Object]:
        try:
            return cluster.list_objects(kind)
        except RefusedError as exc:
            unseen.append(str(exc))
            return ()

    replica_sets = [ReplicaSet.from_json(body) for body in listed("ReplicaSet")]
    pods = [Pod.from_json(body) for body in listed("Pod")]
    return NamespaceFacts(
        deployments=deployments,
        troubled={
            name: trouble
            for name, body in deployments.items()
            if (trouble := _trouble(Deployment.from_json(body), replica_sets, pods))
        },
        autoscalers=[
            scaler
            for scaler in listed("HorizontalPodAutoscaler")
            if scaler["spec"]["scaleTargetRef"]["name"] in deployments
        ],
        budgets=listed("PodDisruptionBudget"),
        quotas=listed("ResourceQuota"),
        held=_observe_held(cluster, deployments.values(), unseen),
        denied=[
            right
            for right in RIGHTS
            if not cluster.may(
                right.verb, right.resource, group=right.group, subresource=right.subresource
            )
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
        (reference.kind, reference.name)
        for body in bodies
        for reference in references_of(body["spec"]["template"])
    }:
        kind, name = reference
        try:
            body = cluster.read(kind, name)
        except RefusedError as exc:
            unseen.append(str(exc))
            continue
        held[reference] = None if body is None else _keys_of(body)
    return held


def _keys_of(body: Object) -> frozenset[str]:
    return frozenset(key for part in ("data", "binaryData") for key in body.get(part) or {})
