# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, ReplicaSets and Pods, reduced to the fields that a rollout's decisions need."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass

from .._cluster import FIELD_MANAGER, Object

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
PROGRESS_DEADLINE = 600.0
"""Seconds a Deployment may make no progress when it names none: the server's own default."""


@dataclass(frozen=True)
class Condition:
    type: str
    status: str
    reason: str
    message: str
    last_update: str

    @classmethod
    def from_json(cls, body: Object) -> Condition:
        return cls(
            type=body["type"],
            status=body["status"],
            reason=body.get("reason", ""),
            message=body.get("message", ""),
            last_update=body.get("lastUpdateTime", ""),
        )


@dataclass(frozen=True)
class ReplicaCounts:
    """Pods as the Deployment's status counts them. `total` holds no pod that is being ended."""

    desired: int
    updated: int
    total: int
    ready: int
    available: int

    @property
    def serving(self) -> bool:
        """Whether as many pods as are wanted are available, new or old."""
        return 0 < self.desired <= self.available

    def shown(self) -> dict[str, int]:
        """The counts for results and progress."""
        return {name: count for name, count in asdict(self).items() if name != "total"}

    def __str__(self) -> str:
        old = max(self.total - self.updated, 0)
        leaving = f", {old} old left" if old else ""
        return f"{self.updated} of {self.desired} updated, {self.available} available{leaving}"


@dataclass(frozen=True)
class Deployment:
    name: str
    uid: str
    generation: int
    observed_generation: int
    revision: str
    annotations: t.Mapping[str, str]
    selector: str
    paused: bool
    template: Object
    counts: ReplicaCounts
    conditions: tuple[Condition, ...]
    progress_deadline: float = PROGRESS_DEADLINE
    min_ready: float = 0.0
    written: str = ""
    """When this collection last wrote it, by the server's clock; "" when it did not."""
    owned_images: frozenset[str] = frozenset()
    """The containers whose image this collection wrote last, be it changed by admission webhooks."""
    namespace: str = ""

    @property
    def resume(self) -> str:
        """The command that resumes a paused rollout."""
        where = f"-n {self.namespace} " if self.namespace else ""
        return f"kubectl {where}rollout resume deployment/{self.name}"

    @classmethod
    def from_json(cls, body: Object) -> Deployment:
        metadata, spec, status = body["metadata"], body["spec"], body.get("status", {})
        annotations, own = metadata.get("annotations") or {}, _own_fields(metadata)
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata["generation"],
            observed_generation=status.get("observedGeneration", 0),
            revision=annotations.get(REVISION, ""),
            annotations=annotations,
            selector=to_label_selector(spec["selector"]),
            paused=bool(spec.get("paused", False)),
            template=spec["template"],
            counts=ReplicaCounts(
                desired=spec.get("replicas", 1),
                updated=status.get("updatedReplicas", 0),
                total=status.get("replicas", 0),
                ready=status.get("readyReplicas", 0),
                available=status.get("availableReplicas", 0),
            ),
            conditions=_conditions(status),
            progress_deadline=spec.get("progressDeadlineSeconds") or PROGRESS_DEADLINE,
            min_ready=spec.get("minReadySeconds") or 0.0,
            written=max((str(entry.get("time", "")) for entry in own), default=""),
            owned_images=frozenset(_owned_images(own)),
            namespace=metadata.get("namespace", ""),
        )

    def condition(self, wanted: str) -> Condition | None:
        return next((condition for condition in self.conditions if condition.type == wanted), None)

    @property
    def images(self) -> dict[str, str]:
        """Image by container, without init containers."""
        return images_of(self.template)

    @property
    def complete(self) -> bool:
        """The controller's own rule, stricter than `kubectl rollout status`."""
        counts = self.counts
        return (
            self.observed_generation >= self.generation
            and counts.updated == counts.total == counts.available == counts.desired
        )


@dataclass(frozen=True)
class ReplicaSet:
    name: str
    uid: str
    owner: str
    revision: int
    template_hash: str
    replicas: int
    images: t.Mapping[str, str]
    template: Object
    conditions: tuple[Condition, ...]
    created: str

    @classmethod
    def from_json(cls, body: Object) -> ReplicaSet:
        metadata, spec = body["metadata"], body["spec"]
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            owner=owner_of(metadata),
            revision=int((metadata.get("annotations") or {}).get(REVISION, 0)),
            template_hash=(metadata.get("labels") or {}).get(HASH_LABEL, ""),
            replicas=spec.get("replicas", 0),
            images=images_of(spec["template"]),
            template=spec["template"],
            conditions=_conditions(body.get("status", {})),
            created=metadata.get("creationTimestamp", ""),
        )


@dataclass(frozen=True)
class Container:
    """One container's status. `state` is waiting, running or terminated; `reason` says why."""

    name: str
    ready: bool
    restarts: int
    state: str
    reason: str
    message: str
    exit_code: int | None
    last_reason: str
    last_exit_code: int | None
    last_message: str = ""
    image_id: str = ""
    """The image's digest as the node resolved it, once it was pulled."""
    started: bool = False
    """Whether it runs, and its startup probe has passed if it has one."""

    @classmethod
    def from_json(cls, body: Object) -> Container:
        state, detail = next(iter((body.get("state") or {"waiting": {}}).items()))
        last = (body.get("lastState") or {}).get("terminated") or {}
        return cls(
            name=body["name"],
            ready=bool(body.get("ready", False)),
            restarts=body.get("restartCount", 0),
            state=state,
            reason=detail.get("reason", ""),
            message=detail.get("message", ""),
            exit_code=detail.get("exitCode"),
            last_reason=last.get("reason", ""),
            last_exit_code=last.get("exitCode"),
            last_message=last.get("message", ""),
            image_id=body.get("imageID", ""),
            started=state == "running" and body.get("started") is not False,
        )


@dataclass(frozen=True)
class Pod:
    name: str
    uid: str
    owner: str
    template_hash: str
    phase: str
    reason: str
    node: str
    deleting: bool
    ready: bool
    conditions: tuple[Condition, ...]
    containers: tuple[Container, ...]
    nominated_node: str = ""
    """Where it will run once others have made room."""

    @classmethod
    def from_json(cls, body: Object) -> Pod:
        metadata, status = body["metadata"], body.get("status", {})
        conditions = _conditions(status)
        statuses = [
            *(status.get("initContainerStatuses") or []),
            *(status.get("containerStatuses") or []),
        ]
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            owner=owner_of(metadata),
            template_hash=(metadata.get("labels") or {}).get(HASH_LABEL, ""),
            phase=status.get("phase", ""),
            reason=status.get("reason", ""),
            node=body.get("spec", {}).get("nodeName", ""),
            deleting=bool(metadata.get("deletionTimestamp")),
            ready=any(
                condition.type == "Ready" and condition.status == "True" for condition in conditions
            ),
            conditions=conditions,
            containers=tuple(map(Container.from_json, statuses)),
            nominated_node=status.get("nominatedNodeName") or "",
        )


def current_replica_set(
    deployment: Deployment, replica_sets: t.Iterable[ReplicaSet]
) -> ReplicaSet | None:
    """The ReplicaSet of the current template; None before the controller has made it.

    A controller may have observed the template and made no ReplicaSet yet: with strategy Recreate until all old pods
    are gone, and while paused or scaled. Source: FindNewReplicaSet of the Deployment controller.
    """
    wanted = _without_hash(deployment.template)
    fitting = [
        replica_set
        for replica_set in owned_by(deployment, replica_sets)
        if _without_hash(replica_set.template) == wanted
    ]
    return max(fitting, key=lambda replica_set: replica_set.revision, default=None)


def owned_by(
    deployment: Deployment, replica_sets: t.Iterable[ReplicaSet]
) -> tuple[ReplicaSet, ...]:
    return tuple(replica_set for replica_set in replica_sets if replica_set.owner == deployment.uid)


def _without_hash(template: Object) -> Object:
    """As the Deployment spells it; a ReplicaSet has one label more."""
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def old_pods(replica_set: ReplicaSet | None, pods: t.Iterable[Pod]) -> list[Pod]:
    """The pods that do not run the current template, those that are ending included."""
    current = replica_set.uid if replica_set else ""
    return [
        pod
        for pod in pods
        if pod.owner != current and pod.template_hash and pod.phase not in ("Succeeded", "Failed")
    ]


def ready_budget(deployment: Deployment) -> float:
    """Seconds that a pod which never becomes ready is given by its own probes, in the slowest container."""
    return deployment.min_ready + max(
        (
            _probe_seconds(container.get("startupProbe"))
            + _probe_seconds(container.get("readinessProbe"))
            for container in deployment.template["spec"]["containers"]
        ),
        default=0.0,
    )


def _probe_seconds(probe: Object | None) -> float:
    if not probe:
        return 0.0
    tries = max(probe.get("failureThreshold", 3), probe.get("successThreshold", 1))
    return float(probe.get("initialDelaySeconds", 0) + probe.get("periodSeconds", 10) * tries)


def _own_fields(metadata: Object) -> list[Object]:
    """The managedFields entries of this collection, without those of the status."""
    return [
        entry
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")
    ]


def _owned_images(own: t.Iterable[Object]) -> t.Iterator[str]:
    """The API server records managers before webhooks change fields (patchResource: applyPatch, applyAdmission)."""
    for entry in own:
        fields = entry.get("fieldsV1") or {}
        for path in ("f:spec", "f:template", "f:spec", "f:containers"):
            fields = fields.get(path) or {}
        for key, owned in fields.items():
            if key.startswith("k:") and "f:image" in owned:
                yield json.loads(key.removeprefix("k:"))["name"]


def images_of(template: Object) -> dict[str, str]:
    return {
        container["name"]: container.get("image", "")
        for container in template["spec"]["containers"]
    }


def without_digest(image: str) -> str:
    """The image without the digest that an admission webhook added.

    Kyverno (verifyImages with mutateDigest) and the policy-controller of Sigstore add it in pod templates too.
    """
    name, _at, digest = image.partition("@")
    return name if digest.startswith("sha256:") else image


def is_same_image(current: str, written: str) -> bool:
    """Whether image `current` is `written`, perhaps with a digest added."""
    return current == written or ("@" not in written and without_digest(current) == written)


def last_seen(event: Object) -> str:
    """When it came last, as the API server has it; events of the newer API have another field than the others."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def owner_of(metadata: Object) -> str:
    """The uid of the controller that owns an object, empty without one."""
    return str(_controller(metadata).get("uid", ""))


def controller_kind(metadata: Object) -> str:
    """The kind of that controller, empty without one."""
    return str(_controller(metadata).get("kind", ""))


def _controller(metadata: Object) -> Object:
    owners = metadata.get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})


def to_label_selector(selector: Object) -> str:
    """A LabelSelector as the API's query parameter takes it."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        values = ",".join(expression.get("values") or [])
        parts.append(
            {
                "In": f"{expression['key']} in ({values})",
                "NotIn": f"{expression['key']} notin ({values})",
                "Exists": expression["key"],
                "DoesNotExist": f"!{expression['key']}",
            }[expression["operator"]]
        )
    return ",".join(parts)


def selects(selector: Object | None, labels: t.Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels: an empty one does all, none at all none."""
    if selector is None:
        return False
    exact = (selector.get("matchLabels") or {}).items() <= labels.items()
    return exact and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _holds(expression: Object, labels: t.Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[str(expression["operator"])]


def _conditions(status: Object) -> tuple[Condition, ...]:
    return tuple(map(Condition.from_json, status.get("conditions") or []))
