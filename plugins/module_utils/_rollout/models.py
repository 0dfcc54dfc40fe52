# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, ReplicaSets and Pods, reduced to the fields that a rollout's decisions need."""

from __future__ import annotations

import contextlib
import enum
import re
import typing as t
from dataclasses import asdict, dataclass, field

from .._cluster import FIELD_MANAGER, Object, Texts, read_object
from .._decode import restored, under
from .._formats import read_json

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
PROGRESS_DEADLINE = 600.0
"""Seconds a Deployment may make no progress when it names none: the server's own default."""


@dataclass(frozen=True)
class Condition:
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_update: str = under("lastUpdateTime")


@dataclass(frozen=True)
class Owner:
    uid: str = ""
    kind: str = ""
    controller: bool = False


@dataclass(frozen=True)
class _Named:
    name: str


@dataclass(frozen=True, kw_only=True)
class ManagedFields:
    """An entry of managedFields. `containers`: the keys of a manager's own, such as `k:{"name":"web"}`, and fields."""

    manager: str = ""
    subresource: str = ""
    time: str = ""
    containers: t.Mapping[str, t.Mapping[str, t.Any]] | None = under(
        "fieldsV1.f:spec.f:template.f:spec.f:containers", default=None
    )

    @property
    def images(self) -> t.Iterator[str]:
        """The containers whose image it wrote.

        The API server records managers before webhooks change fields (patchResource: applyPatch, applyAdmission).
        """
        for key, owned in (self.containers or {}).items():
            if key.startswith("k:") and "f:image" in owned:
                with contextlib.suppress(ValueError):
                    yield restored(_Named, read_json(key.removeprefix("k:")), key).name


@dataclass(frozen=True, kw_only=True)
class ClusterObject:
    """What all of them have. `owners` are the objects that it is a part of."""

    name: str = under("metadata.name", required=True)
    uid: str = under("metadata.uid", required=True)
    namespace: str = under("metadata.namespace")
    created: str = under("metadata.creationTimestamp")
    labels: Texts = under("metadata.labels", default_factory=dict)  # noqa: RUF009 - frozen
    annotations: Texts = under("metadata.annotations", default_factory=dict)  # noqa: RUF009 - frozen
    owners: tuple[Owner, ...] = under("metadata.ownerReferences", default=())
    conditions: tuple[Condition, ...] = under("status.conditions", default=())

    @classmethod
    def from_json(cls, body: Object) -> t.Self:
        """Raises VerificationError for what no API server sends."""
        return read_object(cls, body, cls.__name__)

    @property
    def controller(self) -> Owner:
        """Without uid and kind where none owns it."""
        return next((owner for owner in self.owners if owner.controller), Owner())

    @property
    def owner(self) -> str:
        """The uid of its controller, "" without one."""
        return self.controller.uid

    @property
    def template_hash(self) -> str:
        return self.labels.get(HASH_LABEL, "")


@dataclass(frozen=True)
class Probe:
    """With the API's defaults; times in seconds."""

    failures: int = under("failureThreshold", default=3)
    successes: int = under("successThreshold", default=1)
    delay: int = under("initialDelaySeconds", default=0)
    period: int = under("periodSeconds", default=10)

    @property
    def seconds(self) -> int:
        return self.delay + self.period * max(self.failures, self.successes)


@dataclass(frozen=True)
class ContainerSpec:
    name: str
    image: str = ""
    startup: Probe | None = under("startupProbe", default=None)  # noqa: RUF009 - frozen
    readiness: Probe | None = under("readinessProbe", default=None)  # noqa: RUF009 - frozen


@dataclass(frozen=True, kw_only=True)
class PodTemplate:
    """`body`: the whole, which is compared and written as it is."""

    RAW: t.ClassVar[str] = "body"
    body: Object
    metadata: t.Mapping[str, t.Any] | None = None
    labels: Texts = under("metadata.labels", default_factory=dict)  # noqa: RUF009 - frozen
    containers: tuple[ContainerSpec, ...] = under("spec.containers", required=True)

    @property
    def images(self) -> dict[str, str]:
        """Image by container, without init containers."""
        return {container.name: container.image for container in self.containers}


class Operator(enum.Enum):
    IN, NOT_IN, EXISTS, MISSING = "In", "NotIn", "Exists", "DoesNotExist"


@dataclass(frozen=True)
class Expression:
    key: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selector:
    """A LabelSelector."""

    labels: Texts = under("matchLabels", default_factory=dict)  # noqa: RUF009 - frozen
    expressions: tuple[Expression, ...] = under("matchExpressions", default=())


@dataclass(frozen=True)
class ReplicaCounts:
    """Pods as the Deployment's status counts them. `total` holds no pod that is being ended."""

    desired: int = under("spec.replicas", default=1)
    updated: int = under("status.updatedReplicas", default=0)
    total: int = under("status.replicas", default=0)
    ready: int = under("status.readyReplicas", default=0)
    available: int = under("status.availableReplicas", default=0)

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


@dataclass(frozen=True, kw_only=True)
class Templated(ClusterObject):
    """What makes pods."""

    pod_template: PodTemplate = under("spec.template", required=True)  # noqa: RUF009 - frozen

    @property
    def template(self) -> Object:
        return self.pod_template.body

    @property
    def images(self) -> dict[str, str]:
        return self.pod_template.images


@dataclass(frozen=True, kw_only=True)
class Deployment(Templated):
    generation: int = under("metadata.generation", required=True)
    observed_generation: int = under("status.observedGeneration", default=0)
    pods: Selector = under("spec.selector", required=True)  # noqa: RUF009 - frozen
    paused: bool = under("spec.paused", default=False)
    counts: ReplicaCounts = under(whole=True, required=True)  # noqa: RUF009 - frozen
    progress_deadline: float = under("spec.progressDeadlineSeconds", default=PROGRESS_DEADLINE)
    min_ready: float = under("spec.minReadySeconds", default=0.0)
    managed: tuple[ManagedFields, ...] = under("metadata.managedFields", default=())

    @property
    def revision(self) -> str:
        return self.annotations.get(REVISION, "")

    @property
    def selector(self) -> str:
        return to_label_selector(self.pods)

    @property
    def own_fields(self) -> list[ManagedFields]:
        """Those that this collection wrote, without the status."""
        return [
            entry
            for entry in self.managed
            if entry.manager == FIELD_MANAGER and not entry.subresource
        ]

    @property
    def written(self) -> str:
        """When this collection last wrote it, by the server's clock; "" when it did not."""
        return max((entry.time for entry in self.own_fields), default="")

    @property
    def owned_images(self) -> frozenset[str]:
        """The containers whose image this collection wrote last, be it changed by admission webhooks."""
        return frozenset(image for entry in self.own_fields for image in entry.images)

    @property
    def resume(self) -> str:
        """The command that resumes a paused rollout."""
        where = f"-n {self.namespace} " if self.namespace else ""
        return f"kubectl {where}rollout resume deployment/{self.name}"

    def condition(self, wanted: str) -> Condition | None:
        return next((condition for condition in self.conditions if condition.type == wanted), None)

    @property
    def complete(self) -> bool:
        """The controller's own rule, stricter than `kubectl rollout status`."""
        counts = self.counts
        return (
            self.observed_generation >= self.generation
            and counts.updated == counts.total == counts.available == counts.desired
        )


@dataclass(frozen=True, kw_only=True)
class ReplicaSet(Templated):
    replicas: int = under("spec.replicas", default=0)

    @property
    def revision(self) -> int:
        text = self.annotations.get(REVISION, "")
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


@dataclass(frozen=True)
class StateDetail:
    reason: str = ""
    message: str = ""
    exit_code: int | None = under("exitCode", default=None)


@dataclass(frozen=True)
class ContainerStatus:
    """As the API has it."""

    name: str
    ready: bool = False
    restarts: int = under("restartCount", default=0)
    state: t.Mapping[str, StateDetail] = field(default_factory=dict)
    last_reason: str = under("lastState.terminated.reason")
    last_exit_code: int | None = under("lastState.terminated.exitCode", default=None)
    last_message: str = under("lastState.terminated.message")
    image_id: str = under("imageID")
    started: bool = True


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
    def of(cls, status: ContainerStatus) -> Container:
        state, detail = next(iter(status.state.items()), ("waiting", StateDetail()))
        return cls(
            name=status.name,
            ready=status.ready,
            restarts=status.restarts,
            state=state,
            reason=detail.reason,
            message=detail.message,
            exit_code=detail.exit_code,
            last_reason=status.last_reason,
            last_exit_code=status.last_exit_code,
            last_message=status.last_message,
            image_id=status.image_id,
            started=state == "running" and status.started,
        )


@dataclass(frozen=True, kw_only=True)
class Pod(ClusterObject):
    """`nominated_node`: where it will run once others have made room. `deleted`: when its grace ends, RFC 3339."""

    phase: str = under("status.phase")
    reason: str = under("status.reason")
    node: str = under("spec.nodeName")
    nominated_node: str = under("status.nominatedNodeName")
    deleted: str = under("metadata.deletionTimestamp")
    init_containers: tuple[ContainerStatus, ...] = under("status.initContainerStatuses", default=())
    main_containers: tuple[ContainerStatus, ...] = under("status.containerStatuses", default=())

    @property
    def deleting(self) -> bool:
        return bool(self.deleted)

    @property
    def ready(self) -> bool:
        return any(entry.type == "Ready" and entry.status == "True" for entry in self.conditions)

    @property
    def containers(self) -> tuple[Container, ...]:
        return tuple(map(Container.of, (*self.init_containers, *self.main_containers)))


def current_replica_set(
    deployment: Deployment, replica_sets: t.Iterable[ReplicaSet]
) -> ReplicaSet | None:
    """The ReplicaSet of the current template; None before the controller has made it.

    A controller may have observed the template and made no ReplicaSet yet: with strategy Recreate until all old pods
    are gone, and while paused or scaled. Source: FindNewReplicaSet of the Deployment controller.
    """
    wanted = _without_hash(deployment.pod_template)
    fitting = [
        replica_set
        for replica_set in owned_by(deployment, replica_sets)
        if _without_hash(replica_set.pod_template) == wanted
    ]
    return max(fitting, key=lambda replica_set: replica_set.revision, default=None)


def owned_by(
    deployment: Deployment, replica_sets: t.Iterable[ReplicaSet]
) -> tuple[ReplicaSet, ...]:
    return tuple(replica_set for replica_set in replica_sets if replica_set.owner == deployment.uid)


def _without_hash(template: PodTemplate) -> Object:
    """As the Deployment spells it; a ReplicaSet has one label more."""
    labels = {key: value for key, value in template.labels.items() if key != HASH_LABEL}
    return {**template.body, "metadata": {**(template.metadata or {}), "labels": labels}}


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
    containers = deployment.pod_template.containers
    probes = [filter(None, (container.startup, container.readiness)) for container in containers]
    return deployment.min_ready + max(
        (sum(probe.seconds for probe in both) for both in probes), default=0
    )


def images_of(template: Object) -> dict[str, str]:
    """By container, of a template that was stored or is to be written."""
    return read_object(PodTemplate, template, "pod template").images


def without_digest(image: str) -> str:
    """The image without the digest that an admission webhook added.

    Kyverno (verifyImages with mutateDigest) and the policy-controller of Sigstore add it in pod templates too.
    """
    name, _at, digest = image.partition("@")
    return name if digest.startswith("sha256:") else image


def is_same_image(current: str, written: str) -> bool:
    """Whether image `current` is `written`, perhaps with a digest added."""
    return current == written or ("@" not in written and without_digest(current) == written)


@dataclass(frozen=True)
class Event:
    """`kind` and `about` are the object's. `last_seen`: when it came last, which the newer API has elsewhere."""

    kind: str = under("involvedObject.kind")
    about: str = under("involvedObject.name")
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = under("count", default=1)
    last_seen: str = under("lastTimestamp", "eventTime")

    @classmethod
    def from_json(cls, body: Object) -> Event:
        return read_object(cls, body, "Event")


def last_seen(event: Object) -> str:
    """When it came last, as the API server has it; events of the newer API have another field than the others."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def to_label_selector(selector: Selector) -> str:
    """As the API's query parameter takes it."""
    parts = [f"{key}={value}" for key, value in selector.labels.items()]
    for expression in selector.expressions:
        key, values = expression.key, ",".join(expression.values)
        parts.append(
            {
                Operator.IN: f"{key} in ({values})",
                Operator.NOT_IN: f"{key} notin ({values})",
                Operator.EXISTS: key,
                Operator.MISSING: f"!{key}",
            }[expression.operator]
        )
    return ",".join(parts)


def selects(selector: Object | None, labels: t.Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels: an empty one does all, none at all none."""
    if selector is None:
        return False
    known = read_object(Selector, selector, "selector")
    exact = known.labels.items() <= labels.items()
    return exact and all(_holds(expression, labels) for expression in known.expressions)


def _holds(expression: Expression, labels: t.Mapping[str, str]) -> bool:
    value = labels.get(expression.key)
    return {
        Operator.IN: value in expression.values,
        Operator.NOT_IN: value not in expression.values,
        Operator.EXISTS: value is not None,
        Operator.MISSING: value is None,
    }[expression.operator]
