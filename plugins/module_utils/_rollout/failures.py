# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes of pod failures, and the seconds that each must last before it fails a rollout.

The release is not at fault for a registry that hiccups, a secret that arrives late or a full node: these only wait.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .models import Condition, Container, Deployment, Pod, ReplicaSet

PULL = frozenset({"ErrImagePull", "ImagePullBackOff"})
START = frozenset({"RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun"})
BARE_BACK_OFF = re.compile(r'(Back-off pulling image "[^"]*")?')
CANNOT_START = re.compile(
    "executable file not found|no such file|permission denied|exec format", re.IGNORECASE
)
LOOKS_APART = 2.0
"""Seconds between two looks that count as two."""
NODE_TROUBLE = re.compile(
    r"Evicted|Preempt|NodeShutdown|NodeLost|NodeAffinity|Terminated|UnexpectedAdmissionError|OutOf"
)
"""Reasons of pods that ended because of their node."""


@dataclass(frozen=True)
class Sign:
    """One sign of trouble, as one pod or the new ReplicaSet shows it."""

    where: str
    """The pod, or the ReplicaSet when it cannot even make one."""
    container: str
    reason: str
    message: str
    restarts: int = 0
    pod: str = ""
    """The pod's uid, empty for a ReplicaSet."""
    node: str = ""
    promised: bool = False
    """Whether the pod has no node yet and will get one: others make room, or a node is being added."""


@dataclass(frozen=True)
class FailureRule:
    """A class of failure: signs of `reasons` whose message matches, lasting `dwell` seconds.

    `snapshots`: that many snapshots suffice too, before `dwell`; 0 for never. `restarts`: the least restarts of the
    container. A `dwell` of None never fails a rollout by itself. `node_bound`: a bad node alone can cause it, so a
    single pod of many is no proof. `promised`: the dwell of a pod with promised room. `held`: a scheduling gate holds
    the pods back, so a lack of progress is no stall.
    """

    name: str
    reasons: frozenset[str]
    dwell: float | None
    sentence: str
    hint: str
    message: str = ""
    snapshots: int = 0
    restarts: int = 0
    node_bound: bool = False
    promised: float | None = None
    held: bool = False


@dataclass(frozen=True)
class Suspicion:
    """One sign with its rule and the monotonic time of its first snapshot."""

    sign: Sign
    rule: FailureRule
    first_seen: float
    snapshots: int
    looked: float = 0.0
    """When it was counted as a look last."""

    def failing(self, now: float) -> bool:
        dwell = self.rule.promised if self.sign.promised else self.rule.dwell
        if dwell is None:
            return False
        enough_looks = 0 < self.rule.snapshots <= self.snapshots
        return enough_looks or now - self.first_seen >= dwell


RULES = (
    FailureRule(
        "InvalidImage",
        frozenset({"InvalidImageName", "ErrImageNeverPull", "SignatureValidationFailed"}),
        dwell=0,
        sentence="its image {image} can never be pulled ({message})",
        hint="Correct the image's name.",
    ),
    FailureRule(
        "ImageNotFound",
        PULL,
        message=r"not found|manifest unknown|no match for platform|does not exist",
        dwell=15,
        snapshots=2,
        sentence="its image {image} is not in the registry ({message})",
        hint="Push the image, or correct its tag.",
    ),
    FailureRule(
        "ImagePullDenied",
        PULL,
        message=r"unauthorized|denied|authentication required|forbidden",
        dwell=45,
        sentence="the registry refuses its image {image} ({message})",
        hint="Check the imagePullSecrets of the Deployment.",
        node_bound=True,
    ),
    FailureRule(
        "ConfigMissing",
        frozenset({"CreateContainerConfigError"}),
        message=r"^(?!.*failed to sync)",
        dwell=30,
        sentence="container {container} cannot be configured ({message})",
        hint="Create that ConfigMap, Secret or key.",
    ),
    FailureRule(
        "CannotStart",
        START,
        message=CANNOT_START.pattern,
        dwell=15,
        snapshots=2,
        sentence="container {container} cannot start ({message})",
        hint="Check the image's command and platform.",
        node_bound=True,
    ),
    FailureRule(
        "OutOfMemory",
        frozenset({"OOMKilled"}),
        dwell=0,
        restarts=2,
        sentence="container {container} was killed for its memory {restarts} times",
        hint="Raise its memory limit, or find the leak.",
        node_bound=True,
    ),
    FailureRule(
        "CrashLoop",
        frozenset({"CrashLoopBackOff", "Restarted"}),
        dwell=0,
        restarts=2,
        sentence="container {container} crashed {restarts} times ({message})",
        hint="Read its log.",
        node_bound=True,
    ),
    FailureRule(
        "Unschedulable",
        frozenset({"Unschedulable"}),
        dwell=120,
        sentence="no node accepts its pods ({message})",
        hint="Add a node, or lower what the pods request.",
        promised=300,
    ),
    FailureRule(
        "Gated",
        frozenset({"SchedulingGated"}),
        dwell=None,
        sentence="its pods are held back by scheduling gates ({message})",
        hint="Find who set the gates: a person or a controller lifts them.",
        held=True,
    ),
    FailureRule(
        "ReplicaSetRefused",
        frozenset({"ReplicaSetCreateError"}),
        dwell=60,
        sentence="the cluster refuses its ReplicaSet ({message})",
        hint="Check quotas and admission webhooks.",
    ),
    FailureRule(
        "QuotaExceeded",
        frozenset({"FailedCreate"}),
        message=r"exceeded quota",
        dwell=30,
        sentence="the namespace's quota has no room for its new pods ({message})",
        hint="Raise the quota, or free some of it.",
    ),
    FailureRule(
        "WebhookUnavailable",
        frozenset({"FailedCreate"}),
        message=r"failed calling webhook|timeout|timed out|connection refused",
        dwell=60,
        sentence="an admission webhook does not answer ({message})",
        hint="Check that webhook.",
    ),
    FailureRule(
        "PodsRefused",
        frozenset({"FailedCreate"}),
        message=r"PodSecurity|LimitRange|denied|forbidden|not found",
        dwell=15,
        snapshots=2,
        sentence="the cluster refuses its new pods ({message})",
        hint="Change the pod template to what the cluster allows.",
    ),
    FailureRule(
        "ImagePullTrouble",
        PULL | {"RegistryUnavailable", "ImageInspectError"},
        dwell=None,
        sentence="its image {image} cannot be pulled yet ({message})",
        hint="Check the registry: this often passes.",
    ),
    FailureRule(
        "Waiting",
        START
        | {
            "CreateContainerConfigError",
            "CreatePodSandboxError",
            "FailedCreate",
            "PostStartHookError",
        },
        dwell=None,
        sentence="its pods do not start yet ({reason}: {message})",
        hint="Check the pods' events.",
    ),
)


def signs_of(
    pods: t.Iterable[Pod],
    replica_set: ReplicaSet | None = None,
    promised: t.Collection[str] = (),
    crashes: int = 2,
) -> list[Sign]:
    """Signs of failure of the new pods. `promised`: uids of the pods that a new node is being added for.

    `crashes`: of a container, as many as are a sign.
    Pods that are terminating or were evicted by their node are no evidence about the release.
    """
    signs = []
    if replica_set is not None:
        signs = [
            Sign(replica_set.name, "", condition.reason, condition.message)
            for condition in replica_set.conditions
            if condition.type == "ReplicaFailure" and condition.status == "True"
        ]
    for pod in pods:
        if not counts(pod):
            continue
        signs += [
            Sign(
                pod.name,
                "",
                condition.reason,
                condition.message,
                pod=pod.uid,
                promised=bool(pod.nominated_node) or pod.uid in promised,
            )
            for condition in pod.conditions
            if condition.type == "PodScheduled" and condition.status == "False"
        ]
        signs += [
            sign
            for container in pod.containers
            for sign in _container_signs(pod, container, crashes)
        ]
    return signs


def refusal_sign(deployment: Deployment, stale: Condition | None) -> Sign | None:
    """That the controller cannot even make a ReplicaSet, unless it could not before."""
    condition = deployment.condition("Progressing")
    if condition is None or condition.reason != "ReplicaSetCreateError" or condition == stale:
        return None
    return Sign(deployment.name, "", condition.reason, condition.message)


def counts(pod: Pod) -> bool:
    """Whether what happens to a pod may be laid to the release."""
    disrupted = any(
        condition.type == "DisruptionTarget" and condition.status == "True"
        for condition in pod.conditions
    )
    return not (pod.deleting or disrupted or NODE_TROUBLE.match(pod.reason))


def rule_for(sign: Sign, restarts: int | None = None) -> FailureRule | None:
    """Its class. `restarts`: so many are enough, whatever the rule says."""
    for rule in RULES:
        if (
            sign.reason in rule.reasons
            and re.search(rule.message, sign.message, re.IGNORECASE)
            and sign.restarts >= min(rule.restarts, restarts or rule.restarts)
        ):
            return rule
    return None


def suspect(
    signs: t.Iterable[Sign], before: t.Mapping[tuple[str, str, str], Suspicion], now: float
) -> dict[tuple[str, str, str], Suspicion]:
    """Update the suspicions: a sign that remains keeps its age, a sign that is gone is dropped."""
    current = {}
    for shown in signs:
        sign = _recalled(shown, before)
        rule = rule_for(sign)
        if rule is None:
            continue
        key = (sign.where, sign.container, rule.name)
        known = before.get(key) or Suspicion(sign, rule, now, 0, float("-inf"))
        counted = now - known.looked >= LOOKS_APART
        current[key] = Suspicion(
            sign=sign,
            rule=rule,
            first_seen=known.first_seen,
            snapshots=known.snapshots + counted,
            looked=now if counted else known.looked,
        )
    return current


def _recalled(sign: Sign, before: t.Mapping[tuple[str, str, str], Suspicion]) -> Sign:
    """The sign with its last known cause: older kubelets omit the cause between two image pulls."""
    if sign.reason != "ImagePullBackOff" or not BARE_BACK_OFF.fullmatch(sign.message):
        return sign
    for (where, container, _rule), known in before.items():
        if (where, container) == (sign.where, sign.container) and known.sign.reason in PULL:
            return replace(sign, message=known.sign.message)
    return sign


def _container_signs(pod: Pod, container: Container, crashes: int) -> t.Iterator[Sign]:
    killed = "OOMKilled" in (container.last_reason, container.reason)
    code = container.exit_code if container.exit_code is not None else container.last_exit_code
    ending = f"exit code {code}" if code is not None else container.message
    # A restart is counted once the container runs again: one that lies ended counts as one more.
    times = container.restarts + (container.state == "terminated")

    def sign(reason: str, message: str, restarts: int) -> Sign:
        return Sign(pod.name, container.name, reason, message, restarts, pod.uid, pod.node)

    if killed:
        yield sign("OOMKilled", ending, times)
    elif container.last_reason in START and CANNOT_START.search(container.last_message):
        # The kubelet counts what the runtime could not start as a container that ended. It has no log.
        yield sign(container.last_reason, container.last_message, times)
    elif times and (container.reason == "CrashLoopBackOff" or times >= crashes):
        yield sign("Restarted", ending, times)
    elif container.state == "waiting" and container.reason:
        yield sign(container.reason, container.message, container.restarts)
