# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout's preflight looks at: a dozen requests, however many Deployments."""

from __future__ import annotations

import itertools
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


REFERENCES = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "secret": "Secret",
}
"""The kind of object to which a field of a pod template refers."""
Held = t.Mapping[tuple[str, str], "frozenset[str] | None"]
"""By kind and name, the keys of a ConfigMap or Secret; None when it is not there."""


@dataclass(frozen=True)
class NamespaceFacts:
    """Everything that was seen of a namespace, as the server tells it.

    `held`: what pod templates refer to.
    `unseen`: what could not be looked at, and why.
    `release`: the one that is about to be rolled, empty when it is not given.
    """

    deployments: t.Mapping[str, Object]
    troubled: t.Mapping[str, str]
    """By name, what the current pods of a Deployment suffer from, in words."""
    autoscalers: t.Sequence[Object] = ()
    budgets: t.Sequence[Object] = ()
    quotas: t.Sequence[Object] = ()
    held: Held = field(default_factory=dict)
    unseen: t.Sequence[str] = ()
    release: str = ""


def environment_of(containers: t.Iterable[Object]) -> t.Iterator[Object]:
    """Where their variables come from."""
    for container in containers:
        yield from container.get("envFrom") or []
        for variable in container.get("env") or []:
            yield variable.get("valueFrom") or {}


def parts_of(volume: Object) -> list[Object]:
    """The volume, and what is projected into it."""
    return [volume, *((volume.get("projected") or {}).get("sources") or [])]


def references_of(template: Object) -> dict[tuple[str, str], frozenset[str]]:
    """By kind and name of what a pod template needs, the keys that it names one by one. Optional ones are left out."""
    spec = template["spec"]
    sources = [
        *environment_of([*(spec.get("initContainers") or []), *spec["containers"]]),
        *(part for volume in spec.get("volumes") or [] for part in parts_of(volume)),
    ]
    needed: dict[tuple[str, str], frozenset[str]] = {}
    for source, (place, kind) in itertools.product(sources, REFERENCES.items()):
        reference = source.get(place) or {}
        name = reference.get("name") or reference.get("secretName")
        if name and not reference.get("optional"):
            keys = {
                item["key"]
                for item in (*(reference.get("items") or []), reference)
                if "key" in item
            }
            needed[kind, name] = needed.get((kind, name), frozenset()) | keys
    return dict(sorted(needed.items()))


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
        autoscalers=listed("HorizontalPodAutoscaler"),
        budgets=listed("PodDisruptionBudget"),
        quotas=listed("ResourceQuota"),
        held=_observe_held(cluster, deployments.values(), unseen),
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


def _observe_held(cluster: Cluster, bodies: t.Iterable[Object], unseen: list[str]) -> Held:
    """The values of Secrets are not kept."""
    held: dict[tuple[str, str], frozenset[str] | None] = {}
    for kind, name in {key for body in bodies for key in references_of(body["spec"]["template"])}:
        try:
            body = cluster.read(kind, name)
        except RefusedError as exc:
            unseen.append(str(exc))
            continue
        parts = [body.get(part) or {} for part in ("data", "binaryData")] if body else []
        held[kind, name] = frozenset().union(*parts) if body else None
    return held
