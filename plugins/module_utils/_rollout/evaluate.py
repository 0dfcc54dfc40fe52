# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate one snapshot of a rollout: complete, failing, superseded or in progress. Pure.

Decides too whether failing pods are the fault of the release or of one node.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._cluster import Object
from .._redaction import redact
from .failures import (
    Sign,
    Suspicion,
    counts,
    refusal_sign,
    rule_for,
    signs_of,
    suspect,
)
from .models import Condition, Deployment, Pod, ReplicaSet, ready_budget

MOST_REPLACED = 5
"""Pods that one rollout ends to see what a fresh one does: the scheduler may choose the bad node again."""


@dataclass(frozen=True)
class Replacement:
    """A new pod that was ended so that another takes its place, perhaps on another node."""

    suspicion: Suspicion
    """The failure that the pod showed. It still counts as evidence."""
    known: frozenset[str]
    """The uids of the new pods when it was ended: any other is fresh."""


@dataclass(frozen=True)
class QuorumVerdict:
    """`proof` dooms; `suspect` names a pod to be replaced before it can; neither: wait on."""

    proof: Suspicion | None = None
    suspect: Suspicion | None = None


UNDECIDED = QuorumVerdict()


def find_proof(
    failing: t.Sequence[Suspicion],
    pods: t.Sequence[Pod],
    *,
    quorum: str,
    replaced: t.Sequence[Replacement] = (),
    nodes: t.Collection[str] = (),
) -> QuorumVerdict:
    """Decide by `quorum` whether the suspicions that lasted long enough fail the rollout.

    `any`: a single suspicion suffices. `all`: every new pod must show a suspicion. `nodes`: a single suspicion
    suffices when no node can have caused it; else see `_by_nodes`. Argument `nodes`: nodes of all pods, old ones too.
    """
    if quorum == "nodes":
        ended = {replacement.suspicion.sign.pod for replacement in replaced}
        failing = [suspicion for suspicion in failing if suspicion.sign.pod not in ended]
        pods = [pod for pod in pods if pod.uid not in ended]
    elif not failing:
        return UNDECIDED
    if quorum == "any":
        return QuorumVerdict(proof=failing[0])
    for suspicion in failing:
        if not suspicion.sign.pod or (quorum == "nodes" and not suspicion.rule.node_bound):
            return QuorumVerdict(proof=suspicion)
    if quorum == "all":
        everywhere = {suspicion.sign.pod for suspicion in failing} >= _counted(pods)
        return QuorumVerdict(proof=failing[0]) if everywhere else UNDECIDED
    return _by_nodes(failing, pods, replaced, nodes)


def _by_nodes(
    failing: t.Sequence[Suspicion],
    pods: t.Sequence[Pod],
    replaced: t.Sequence[Replacement],
    nodes: t.Collection[str],
) -> QuorumVerdict:
    """Two nodes prove, at one time or one after the other; one node has its pod replaced.

    Once all new pods are in trouble, what made one of them be replaced need not last a second time:
    the fresh pod proves at its first sign, unless it came to the same node and others are known.
    """
    echoes = _echoes(pods, replaced)
    troubles = [*failing, *echoes]
    if not troubles:
        return UNDECIDED
    bad = {replacement.suspicion.sign.node for replacement in replaced}
    if failing and len(bad | {suspicion.sign.node for suspicion in failing}) > 1:
        return QuorumVerdict(proof=failing[0])
    everywhere = {suspicion.sign.pod for suspicion in troubles} >= _counted(pods)
    elsewhere = any(suspicion.sign.node not in bad for suspicion in echoes) or bad >= set(nodes)
    if everywhere and echoes and elsewhere:
        return QuorumVerdict(proof=troubles[0])
    if not (everywhere or failing):
        return UNDECIDED
    if len(replaced) < MOST_REPLACED:
        # One that is ready just now serves, perhaps alone; if it is ill, it will be not ready again.
        serving = {pod.uid for pod in pods if pod.ready}
        return QuorumVerdict(
            suspect=next(
                (suspicion for suspicion in troubles if suspicion.sign.pod not in serving), None
            )
        )
    return QuorumVerdict(proof=troubles[0]) if everywhere else UNDECIDED


def _echoes(pods: t.Sequence[Pod], replaced: t.Sequence[Replacement]) -> list[Suspicion]:
    """First signs of fresh pods that repeat the failure class of a replaced pod, whose restarts count too."""
    confirmed = []
    for sign in signs_of(pods, crashes=1):
        rule = rule_for(sign, restarts=1)
        for replacement in replaced:
            known = replacement.suspicion
            if sign.pod not in replacement.known and rule == known.rule:
                worse = replace(sign, restarts=sign.restarts + known.sign.restarts)
                confirmed.append(replace(known, sign=worse))
                break
    return confirmed


def _counted(pods: t.Iterable[Pod]) -> set[str]:
    return {pod.uid for pod in pods if counts(pod)}


CONTROLLER_SILENCE = 30.0
"""Seconds after which a controller that has not observed our patch counts as not running."""


@dataclass(frozen=True)
class RolloutSnapshot:
    """The cluster's state at one moment.

    `pods` and `replica_set` are of the new revision; `pods` is None when they were not looked at.
    """

    deployment: Deployment | None
    replica_set: ReplicaSet | None = None
    pods: tuple[Pod, ...] | None = None
    nodes: frozenset[str] = frozenset()
    """Where pods of the Deployment run, old ones too."""
    promised: frozenset[str] = frozenset()
    """The uids of pods for which a node is being added."""


@dataclass(frozen=True)
class RolloutProgress:
    """The rollout's criteria, and its state from one evaluation to the next."""

    uid: str
    generation: int
    template: Object
    container: str
    started: float
    patched: float | None = None
    """The time of our patch, or of a pause of the controller's deadline; None without a patch of ours.

    A deadline that expires too early for this time belongs to the template before.
    """
    suspicions: t.Mapping[tuple[str, str, str], Suspicion] = field(default_factory=dict)
    quorum: str = "nodes"
    stall: float | None = None
    """Seconds without net progress that doom; the Deployment's progressDeadlineSeconds when None."""
    needs_pods: bool = True
    """Whether a Deployment without replicas proves nothing."""
    failing_before: frozenset[str] = frozenset()
    """The uids of pods whose trouble is no evidence: it began before the patch, or before this run replaced them."""
    inherited: frozenset[str] = frozenset()
    """The uids of pods that an earlier run left in trouble. Its cause may be put right since, and a kubelet waits up to
    five minutes before its next try: such a pod is replaced before it can doom.
    """
    stale_refusal: Condition | None = None
    """That no ReplicaSet could be made before our patch, likewise."""
    replaced: tuple[Replacement, ...] = ()
    furthest: int | None = None
    """The best that `_distance` ever was. Pods that come and go do not raise it twice."""
    progressed: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """`outcome`: waiting, complete, failing, silent, unproven, paused, superseded or deleted.

    `replace` is set while waiting: the pod to delete, so that a fresh pod is tried; `sentence` says why. `pod`, a
    uid, and `container` showed the failure, where known.
    """

    outcome: str
    reason: str = ""
    sentence: str = ""
    hint: str = ""
    replace: str = ""
    pod: str = ""
    container: str = ""


WAITING = Evaluation("waiting")
REPAIRED = 30.0
"""Seconds that the pods of an earlier run's rollout have at least to become ready, though its deadline has passed."""
CLOCKS = 0.9
"""Of its deadline the least that may have passed by our clock when it has passed by the controller's."""


def start_course(
    before: Deployment, patched: Deployment, container: str, now: float
) -> RolloutProgress:
    """Follow `patched` on; `before` is the Deployment as it was before the patch, if any."""
    return RolloutProgress(
        uid=patched.uid,
        generation=patched.generation,
        template=patched.template,
        container=container,
        started=now,
        progressed=now,
        patched=now,
        stale_refusal=before.condition("Progressing"),
    )


def is_another(before: Object, after: Object) -> bool:
    """Whether the templates differ in more than annotations, which are all that `kubectl rollout restart` changes."""

    def rest(template: Object) -> Object:
        metadata = template.get("metadata") or {}
        return {**template, "metadata": {**metadata, "annotations": {}}}

    return before != after and rest(before) != rest(after)


def evaluate(
    progress: RolloutProgress, snapshot: RolloutSnapshot, now: float
) -> tuple[RolloutProgress, Evaluation]:
    """The next course and the verdict, in the order of `kubectl rollout status` made strict."""
    deployment = snapshot.deployment
    if deployment is None or deployment.uid != progress.uid:
        return progress, Evaluation("deleted", "Deleted", "it was deleted while it rolled out")
    if is_another(progress.template, deployment.template):
        return progress, Evaluation(
            "superseded", "Superseded", "its template was changed by somebody else"
        )
    if deployment.template != progress.template:
        # Restarted by somebody else: what is rolled out is the same, in pods that are newer still.
        progress = replace(progress, template=deployment.template, generation=deployment.generation)
    if deployment.paused:
        hint = f"Resume it with '{deployment.resume}', then try again."
        return progress, Evaluation("paused", "Paused", "it was paused while it rolled out", hint)
    refused = refusal_sign(deployment, progress.stale_refusal)
    if deployment.observed_generation < progress.generation and refused is None:
        if now - progress.started >= CONTROLLER_SILENCE:
            return progress, Evaluation(
                "silent",
                "ControllerSilent",
                f"no controller has observed it for {CONTROLLER_SILENCE:.0f} s",
                "Check kube-controller-manager.",
            )
        return progress, WAITING
    if progress.needs_pods and deployment.counts.desired == 0:
        return progress, Evaluation(
            "unproven",
            "NoReplicas",
            "it has 0 replicas, so its pods cannot be checked",
            "Scale it up, or set 'allow_no_replicas'.",
        )
    if deployment.complete:
        return progress, Evaluation("complete")
    return _weigh(_advance(progress, deployment, now), snapshot, deployment, now)


def _advance(progress: RolloutProgress, deployment: Deployment, now: float) -> RolloutProgress:
    distance = _distance(deployment)
    if progress.furthest is not None and distance <= progress.furthest:
        return progress
    return replace(progress, furthest=distance, progressed=now)


def _distance(deployment: Deployment) -> int:
    """How far it has come: more new pods, fewer old ones, and once none is old, more available."""
    counts = deployment.counts
    old = max(counts.total - counts.updated, 0)
    return counts.updated - old + (counts.available if not old else 0)


def _weigh(
    progress: RolloutProgress, snapshot: RolloutSnapshot, deployment: Deployment, now: float
) -> tuple[RolloutProgress, Evaluation]:
    refused = refusal_sign(deployment, progress.stale_refusal)
    if snapshot.pods is not None or refused is not None:
        pods = [pod for pod in snapshot.pods or () if pod.uid not in progress.failing_before]
        signs = signs_of(pods, snapshot.replica_set, snapshot.promised)
        signs += [refused] if refused else []
        progress = replace(progress, suspicions=suspect(signs, progress.suspicions, now))
        # What an earlier run left serves while it is ready; if it is ill, it will be not ready again.
        serving = progress.inherited & {pod.uid for pod in pods if pod.ready}
        failing = [
            suspicion
            for suspicion in progress.suspicions.values()
            if suspicion.failing(now) and suspicion.sign.pod not in serving
        ]
        quorum_verdict = find_proof(
            failing, pods, quorum=progress.quorum, replaced=progress.replaced, nodes=snapshot.nodes
        )
        if quorum_verdict.proof and quorum_verdict.proof.sign.pod in progress.inherited:
            return _try_anew(progress, quorum_verdict.proof.sign, now)
        if quorum_verdict.proof:
            return progress, explain(quorum_verdict.proof, deployment, progress.container)
        if quorum_verdict.suspect:
            known = frozenset(pod.uid for pod in pods)
            replaced = (*progress.replaced, Replacement(quorum_verdict.suspect, known))
            progress = replace(progress, replaced=replaced)
            return progress, _replacing(quorum_verdict.suspect.sign, "in case its node is at fault")
    if any(suspicion.rule.held for suspicion in progress.suspicions.values()):
        # A deadline that passes meanwhile is none of ours either.
        return replace(progress, progressed=now, patched=now), WAITING
    if _deadline_passed(progress, deployment, now):
        return progress, _no_progress(
            progress,
            deployment,
            "DeadlineExceeded",
            "within its progressDeadlineSeconds",
            read_events(deployment),
        )
    patience = max(
        deployment.progress_deadline if progress.stall is None else progress.stall,
        ready_budget(deployment),
    )
    if now - progress.progressed >= patience:
        return progress, _no_progress(
            progress,
            deployment,
            "Stalled",
            f"for {patience:.0f} s",
            "Raise its progressDeadlineSeconds if its pods are slow to become ready."
            if progress.stall is None
            else read_events(deployment),
        )
    return progress, WAITING


def _try_anew(
    progress: RolloutProgress, sign: Sign, now: float
) -> tuple[RolloutProgress, Evaluation]:
    """Replace a pod that an earlier run left in trouble. Its replacement has the time of a new rollout."""
    spared = progress.failing_before | {sign.pod}
    further = replace(progress, failing_before=spared, progressed=now, patched=now)
    return further, _replacing(sign, "which an earlier run left in trouble")


def _replacing(sign: Sign, why: str) -> Evaluation:
    return replace(WAITING, replace=sign.where, sentence=why)


def explain(suspicion: Suspicion, deployment: Deployment, container: str) -> Evaluation:
    sign, rule = suspicion.sign, suspicion.rule
    words = {
        "image": deployment.images.get(sign.container or container, ""),
        "container": sign.container,
        "message": shorten(sign.message or sign.reason),
        "reason": sign.reason,
        "restarts": sign.restarts,
    }
    return Evaluation(
        "failing",
        rule.name,
        rule.sentence.format(**words),
        rule.hint,
        pod=sign.pod,
        container=sign.container,
    )


LONGEST = 70 + 253
"""Of a start that ends in a name: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""


def shorten(message: str) -> str:
    """One line. A long text is cut in its middle, between words: its start names the subject, its end the cause."""
    line = " ".join(redact(message).split())
    start, end = line[: (line + " ").index(" ", min(70, len(line)))], line[-100:].partition(" ")[2]
    short = f"{start[:LONGEST]} … {end or line[-100:]}"
    return short if 180 < len(line) > len(short) else line


def troubles(progress: RolloutProgress, deployment: Deployment) -> list[str]:
    """Sentences about the failures that do not yet fail the rollout."""
    return [
        explain(suspicion, deployment, progress.container).sentence
        for suspicion in progress.suspicions.values()
    ]


def _no_progress(
    progress: RolloutProgress, deployment: Deployment, reason: str, span: str, hint: str
) -> Evaluation:
    known = troubles(progress, deployment)
    because = known[0] if known else f"it is at {deployment.counts}"
    verdict = Evaluation("failing", reason, f"it made no progress {span}: {because}", hint)
    return with_node(verdict, progress)


def with_node(verdict: Evaluation, progress: RolloutProgress) -> Evaluation:
    """The verdict with the node where all pods were that failed, once a fresh pod has failed there as well.

    A failure on another node would have proved the release's fault; see `_by_nodes`.
    """
    suspicions = [*progress.suspicions.values(), *(entry.suspicion for entry in progress.replaced)]
    pods = {suspicion.sign.pod for suspicion in suspicions}
    nodes = {suspicion.sign.node for suspicion in suspicions}
    if len(pods) < 2 or len(nodes) > 1 or not progress.replaced:
        return verdict
    (node,) = nodes
    sentence = f"{verdict.sentence}; all {len(pods)} new pods that failed were on node {node}"
    hint = f"Look at node {node}, or cordon it, and run the same command again."
    return replace(verdict, sentence=sentence, hint=hint)


def read_events(deployment: Deployment) -> str:
    return (
        f"Read what happened to its pods: kubectl describe pods --selector '{deployment.selector}'."
    )


def _deadline_passed(progress: RolloutProgress, deployment: Deployment, now: float) -> bool:
    """Whether the deadline expired since our patch.

    After a patch without progress the controller continues its old count, as after an undo to an existing ReplicaSet.
    """
    progressing = deployment.condition("Progressing")
    if progressing is None or progressing.reason != "ProgressDeadlineExceeded":
        return False
    if progress.patched is None:
        # It may have passed before the cause was put right.
        return now - progress.started >= max(ready_budget(deployment), REPAIRED)
    return now - progress.patched >= CLOCKS * deployment.progress_deadline
