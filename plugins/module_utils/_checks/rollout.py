# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against a rollout without downtime: every check, all problems at once, after a dozen requests."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass, field
from decimal import Decimal

from .._cluster import RELEASE_ANNOTATION, Cluster, Object
from .._errors import InputError, RefusedError
from .._kubernetes_client import KUBERNETES
from .._rollout.failures import signs_of
from .._rollout.models import (
    LAST_APPLIED,
    Deployment,
    Pod,
    ReplicaSet,
    current_replica_set,
    selects,
)

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
            f"{cluster.namespace!r}: correct 'services' or 'namespace'."
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


with KUBERNETES:
    from kubernetes.utils.quantity import parse_quantity


def resolve(value: t.Any, replicas: int, *, round_up: bool) -> int:
    """A number of pods, given as such or as a percentage of the replicas."""
    if isinstance(value, str) and value.endswith("%"):
        hundredths = int(value[:-1]) * replicas
        return -(-hundredths // 100) if round_up else hundredths // 100
    return int(value)


def surge_of(spec: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable of a Deployment's spec, in pods, as the controller counts them."""
    replicas = spec.get("replicas", 1)
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = resolve(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    # The controller lets one go when both come to none, for nothing could move otherwise.
    return (surge, unavailable) if surge or unavailable else (0, 1)


def demand(template: Object) -> dict[str, Decimal]:
    """What one pod takes, by the names that a quota may limit."""
    taken = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for container in template["spec"]["containers"]:
        resources = container.get("resources") or {}
        for side in ("requests", "limits"):
            for name, amount in (resources.get(side) or {}).items():
                for key in (f"{side}.{name}", *((name,) if side == "requests" else ())):
                    taken[key] = taken.get(key, Decimal(0)) + parse_quantity(amount)
    return taken


LEAST_HISTORY = 2
NO_DEADLINE = 2**31 - 1
FOREIGN = {
    "argocd.argoproj.io/": "Argo CD",
    "kustomize.toolkit.fluxcd.io/": "Flux",
    "helm.toolkit.fluxcd.io/": "Flux",
    "reloader.stakater.com/": "Reloader",
    "keel.sh/": "Keel",
}
"""Who else may write to a Deployment, by the beginning of an annotation or label."""

Problems = t.Iterator[tuple[str, str, str]]
"""Of a check the name, severity and message."""


def find_problems(facts: NamespaceFacts) -> list[RolloutProblem]:
    """Of everything that was seen, errors first."""
    problems = [RolloutProblem("", "Unseen", WARNING, note) for note in facts.unseen]
    problems += [
        RolloutProblem(name, *problem)
        for name, body in facts.deployments.items()
        for look in CHECKS
        for problem in look(body, facts)
    ]
    return sorted(problems, key=lambda problem: problem.severity != ERROR)


def _settings(body: Object, _facts: NamespaceFacts) -> Problems:
    """What it says of its own rollouts."""
    deployment, spec = Deployment.from_json(body), body["spec"]
    if deployment.paused:
        yield "Paused", ERROR, f"it is paused: run '{deployment.resume}'"
    kind = (spec.get("strategy") or {}).get("type", "RollingUpdate")
    if kind != "RollingUpdate":
        message = f"its strategy is {kind}, which stops all pods before new ones start"
        yield "Strategy", ERROR, message
    replicas, (_surge, unavailable) = spec.get("replicas", 1), surge_of(spec)
    if replicas and unavailable >= replicas:
        message = f"maxUnavailable lets {unavailable} of its {replicas} pods go at once: lower it"
        yield "MaxUnavailable", ERROR, message
    if replicas == 0:
        yield "Replicas", ERROR, "it has 0 replicas, so a rollout proves nothing"
    elif replicas == 1:
        yield "Replicas", WARNING, "it has one pod, so its node is a single point of failure"
    limit = spec.get("revisionHistoryLimit", 10)
    if limit < LEAST_HISTORY:
        lost = "nothing to return to" if limit < 1 else "one step back, and none after a second try"
        message = f"revisionHistoryLimit is {limit}, so 'kubectl rollout undo' has {lost}"
        yield "RevisionHistory", WARNING, message
    if spec.get("progressDeadlineSeconds", 600) == NO_DEADLINE:
        yield "ProgressDeadline", WARNING, "it has no progressDeadlineSeconds"
    if spec["template"]["spec"].get("terminationGracePeriodSeconds", 30) == 0:
        message = "terminationGracePeriodSeconds is 0, so requests are cut off when a pod ends"
        yield "TerminationGrace", WARNING, message


def _in_flight(body: Object, facts: NamespaceFacts) -> Problems:
    deployment = Deployment.from_json(body)
    if deployment.paused or deployment.complete:
        return
    counts, trouble = deployment.counts, facts.troubled.get(deployment.name)
    because = f": {trouble}" if trouble else ""
    if facts.release and deployment.annotations.get(RELEASE_ANNOTATION) == facts.release:
        goes_on = "its rollout of this release is incomplete and will continue"
        yield "InFlight", WARNING, f"{goes_on}, at {counts}{because}"
        return
    targets = [autoscaler["spec"]["scaleTargetRef"] for autoscaler in facts.autoscalers]
    mine = ("Deployment", deployment.name)
    scaled = any((target.get("kind"), target["name"]) == mine for target in targets)
    if scaled and counts.updated == counts.total and not trouble:
        yield "InFlight", WARNING, f"its autoscaler is scaling it, at {counts}"
    else:
        yield "InFlight", ERROR, f"another rollout is in flight or stuck, at {counts}{because}"


def _probes(body: Object, _facts: NamespaceFacts) -> Problems:
    containers = body["spec"]["template"]["spec"]["containers"]
    bare = [container for container in containers if not container.get("readinessProbe")]
    if len(bare) == len(containers):
        message = "no container has a readinessProbe, so pods get traffic before they can serve"
        yield "ReadinessProbe", ERROR, message
        return
    for container in bare:
        if container.get("ports"):
            message = f"container {container['name']} has ports and no readinessProbe"
            yield "ReadinessProbe", WARNING, message


def _pre_stop(body: Object, _facts: NamespaceFacts) -> Problems:
    """Of containers that take requests, as far as the manifest tells: how a program takes SIGTERM it does not say."""
    spec = body["spec"]["template"]["spec"]
    grace = spec.get("terminationGracePeriodSeconds", 30)
    for container in spec["containers"]:
        if not container.get("ports") and not container.get("readinessProbe"):
            continue
        hook = (container.get("lifecycle") or {}).get("preStop")
        slept = ((hook or {}).get("sleep") or {}).get("seconds")
        if not hook or slept == 0:
            yield (
                "PreStop",
                WARNING,
                f"container {container['name']} has no preStop, so it gets SIGTERM at once, while "
                "routers still send it requests: some fail, unless it keeps serving for some "
                "seconds. A preStop sleep of 3 seconds is enough",
            )
        elif slept is not None and slept >= grace > 0:
            yield (
                "PreStop",
                WARNING,
                f"the preStop of container {container['name']} sleeps {slept} s, as long as its "
                f"terminationGracePeriodSeconds of {grace}, so it is killed before it finishes "
                "its requests",
            )


def _budgets(body: Object, facts: NamespaceFacts) -> Problems:
    labels = body["spec"]["template"]["metadata"].get("labels") or {}
    mine = [budget for budget in facts.budgets if selects(budget["spec"].get("selector"), labels)]
    if len(mine) > 1:
        names = ", ".join(budget["metadata"]["name"] for budget in mine)
        message = f"several PodDisruptionBudgets ({names}) refuse evictions"
        yield "DisruptionBudget", WARNING, message
    replicas = body["spec"].get("replicas", 1)
    for budget in mine:
        spec, name = budget["spec"], budget["metadata"]["name"]
        least = resolve(spec.get("minAvailable", 0), replicas, round_up=True)
        most = resolve(spec.get("maxUnavailable", replicas), replicas, round_up=True)
        if replicas and (least >= replicas or most == 0):
            yield "DisruptionBudget", WARNING, f"{name} lets no pod be evicted, so no node drains"


def _quota(body: Object, facts: NamespaceFacts) -> Problems:
    surge, unavailable = surge_of(body["spec"])
    # Old pods make room for new ones when some may be unavailable: slower, yet it moves.
    severity, pods = WARNING if unavailable else ERROR, max(surge, 1)
    wanted = {key: amount * pods for key, amount in demand(body["spec"]["template"]).items()}
    for quota in facts.quotas:
        name, status = quota["metadata"]["name"], quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for key in sorted(wanted.keys() & hard.keys()):
            taken, limit = used.get(key, 0), hard[key]
            if parse_quantity(taken) + wanted[key] > parse_quantity(limit):
                short = f"quota {name} leaves no room: {taken} of {limit} {key} are used"
                yield "Quota", severity, f"{short}, and a rollout starts {pods} more pods first"


def _references(body: Object, facts: NamespaceFacts) -> Problems:
    for (kind, name), needed in references_of(body["spec"]["template"]).items():
        keys = facts.held.get((kind, name), needed)
        if keys is None:
            yield "References", ERROR, f"its pods need {kind} {name}, which is missing"
        elif missing := sorted(needed - keys):
            yield "References", ERROR, f"its pods need {', '.join(missing)} of {kind} {name}"


def _others(body: Object, _facts: NamespaceFacts) -> Problems:
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    marks = [*annotations, *(metadata.get("labels") or {})]
    for beginning, who in FOREIGN.items():
        if any(mark.startswith(beginning) for mark in marks):
            yield "OtherWriters", WARNING, f"{who} writes to it too, and may undo a release"
    if LAST_APPLIED in annotations:
        undone = "the next apply of an older manifest undoes a release"
        yield "OtherWriters", WARNING, f"it was made with 'kubectl apply': {undone}"


CHECKS: t.Sequence[t.Callable[[Object, NamespaceFacts], Problems]] = (
    _settings,
    _in_flight,
    _probes,
    _references,
    _quota,
    _budgets,
    _pre_stop,
    _others,
)
