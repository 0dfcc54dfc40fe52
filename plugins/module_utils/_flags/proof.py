# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove the flags in every pod of one Deployment, after stale pods have followed or were replaced.

Wait until running pods have taken up the flags of a ConfigMap volume, and have the kubelet hurry.

By itself the kubelet checks a pod's volumes once in 60 to 90 seconds. It checks at once when an annotation of the pod
changes: https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/

Delete the pods that still run with old flags one by one, where no rollout replaces them.

The pod's ReplicaSet creates another from its own template, which reads the ConfigMap again. So this
works when the new template cannot start, and on a paused Deployment.

A pod that started after the flags were written may have old ones too: its kubelet has ConfigMaps from a watch,
which may be late. Sources: https://kubernetes.io/docs/concepts/configuration/configmap/ ("cache propagation delay"),
and https://github.com/kubernetes/kubernetes/issues/90725.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import FLAGS_SYNC_ANNOTATION, Cluster, Operation, escape, operation
from .._errors import ConflictError, DeployError
from .._rollout.observer import desired_replicas
from .._time import now
from .pods import IDLE, OVERDUE, REACHED, STALE, UNKNOWN, Asker, PodState

LOOK_EVERY = 0.5
COMING = 20.0
"""Seconds to wait for a missing pod: another kill switch, or an earlier run of this one, may have deleted its
predecessor."""
KUBELETS_KNOW = 10.0
"""Seconds after a write by which kubelets know of it, unless a kubelet is in trouble."""


@dataclass(frozen=True)
class ReplacedPods:
    """`pods` at the last look; `replaced`: names of the deleted pods."""

    pods: tuple[PodState, ...]
    replaced: tuple[str, ...] = ()
    problem: str = ""


@dataclass
class Replaceable:
    """The pods that may be replaced: `known`, which started before the flags were written, and others while it helps.

    The flags were written at `written`, on the clock. A pod of the first look, or one that started soon after the
    write, may be deleted once kubelets know of the flags. When a pod that started even later is stale too, something
    else is wrong, and only `known` remain. `helps`: whether a replacement would run other flags at all.
    """

    known: frozenset[str]
    written: float
    helps: t.Callable[[PodState], bool]
    kubelets_know: bool = False
    _in_vain: frozenset[str] = frozenset()
    _others: frozenset[str] = frozenset()
    _looked: bool = False
    _replacing_helps: bool = False

    def note(self, pods: t.Collection[PodState], now: float) -> None:
        self.kubelets_know = now - self.written >= KUBELETS_KNOW
        if not (self._looked and self.kubelets_know):
            self._others |= {pod.uid for pod in pods} - self.known
        self._looked = True
        self._in_vain = frozenset(pod.uid for pod in pods if not self.helps(pod))
        either = self.known | self._others
        self._replacing_helps = not any(
            pod.state == STALE and pod.uid not in either for pod in pods
        )

    @property
    def now(self) -> frozenset[str]:
        return self.ever if self.kubelets_know else self.known - self._in_vain

    @property
    def ever(self) -> frozenset[str]:
        all_of_them = self.known | self._others if self._replacing_helps else self.known
        return all_of_them - self._in_vain


def next_victim(
    pods: t.Sequence[PodState], replaceable: t.Container[str], ready: int
) -> PodState | None:
    """The pod to delete now, if any: a `replaceable` pod with old flags, an unready one first.

    None while fewer than `ready` pods are ready, unless the pod is not ready itself.
    """
    stale = [pod for pod in pods if pod.state == STALE and pod.uid in replaceable]
    unready = next((pod for pod in stale if not pod.ready), None)
    if unready is not None:
        return unready
    serving = sum(pod.serves for pod in pods)
    return stale[0] if stale and serving >= ready else None


def replace_stale_pods(
    asker: Asker, replaceable: Replaceable, *, deadline: float, report: t.Callable[[str], None]
) -> ReplacedPods:
    """Delete replaceable stale pods until none is left, none still starts with old flags, or the time is up.

    Never more than one of them is missing at a time.

    Serving pods count against the replicas, and against more that are added meanwhile. For a while all pods count but
    those that cannot be asked. The replicas are read again when pods are missing: an autoscaler may have removed them.

    An overdue pod counts as lost only when it is still there after OVERDUE more, from our start or last deletion. The
    look must have begun after that: our clock may be wrong, and a look lasts while a pod does not answer.
    """
    cluster, clock = asker.cluster, asker.clock
    looked, pods = clock.now(), asker.ask()
    replaceable.note(pods, looked)
    since = clock.now()
    there_by = min(clock.now() + COMING, deadline)
    most = _count(pods)
    wanted = desired_replicas(cluster, asker.deployment)
    there = min(most, wanted)
    served = sum(pod.serves for pod in pods)
    whole = max(served, wanted - sum(pod.state == UNKNOWN and not pod.deleting for pod in pods))
    replaced: list[str] = []
    while (
        _any_stale(pods, replaceable.ever)
        or (replaced and _count(pods) < there and looked - since < COMING)
        or (not replaceable.kubelets_know and any(pod.state == IDLE for pod in pods))
        or (
            looked - since < OVERDUE.total_seconds()
            and any(pod.state == UNKNOWN and pod.deleting for pod in pods)
        )
    ):
        if clock.now() >= deadline:
            if not _any_stale(pods, replaceable.now):
                break
            why = (
                f"the replacement of {replaced[-1]} did not become ready, so no more pods were "
                "deleted"
                if replaced
                else "fewer pods are ready than before"
            )
            return ReplacedPods(tuple(pods), tuple(replaced), why)
        if _count(pods) > most:
            # It was scaled up meanwhile: those pods are waited for too.
            whole += _count(pods) - most
            most = _count(pods)
            there_by = min(clock.now() + COMING, deadline)
        if _count(pods) < whole:
            wanted = desired_replicas(cluster, asker.deployment)
            whole, served, there = min(whole, wanted), min(served, wanted), min(there, wanted)
        served = max(served, min(sum(pod.serves for pod in pods), whole))
        victim = next_victim(pods, replaceable.now, whole if clock.now() < there_by else served)
        if victim is not None:
            report(f"ending pod {victim.pod}, which runs with {victim.detail or 'old flags'}")
            try:
                cluster.delete("Pod", victim.pod)
            except DeployError as exc:
                return ReplacedPods(tuple(pods), tuple(replaced), str(exc))
            replaced.append(victim.pod)
            since = clock.now()
        clock.sleep(LOOK_EVERY)
        looked, pods = clock.now(), asker.ask()
        replaceable.note(pods, looked)
    return ReplacedPods(tuple(pods), tuple(replaced))


def _count(pods: t.Iterable[PodState]) -> int:
    return sum(not pod.deleting for pod in pods)


def _any_stale(pods: t.Iterable[PodState], replaceable: t.Container[str]) -> bool:
    return any(pod.state == STALE and pod.uid in replaceable for pod in pods)


PAUSE = 0.5
HURRY_EVERY = 10.0
"""Seconds after which the kubelet is told again: its first read may have returned the old flags."""
SETTLE = 15.0
"""Seconds for which a pod with the flags at the first look must keep them: an earlier write may still be on its way
to its process. By then the kubelet was told twice."""


def is_behind(pod: PodState) -> bool:
    return pod.state in (STALE, UNKNOWN)


def follow(
    asker: Asker,
    *,
    deadline: float,
    report: t.Callable[[str], None],
    waits_for: t.Callable[[PodState], bool] = is_behind,
    settle: float = 0.0,
    ending: bool = True,
) -> ReplacedPods:
    """The pods at the last look, of which none was replaced, and the problem of telling the kubelet, if any.

    A pod that follows keeps its first state with the flags. Returns when no pod is left to wait for, or at
    `deadline`. `settle`: 0, or SETTLE when the flags were written just now. `ending`: whether terminating pods count.
    """
    cluster, clock = asker.cluster, asker.clock
    first: dict[str, PodState] = {}
    hurried: dict[str, float] = {}
    early: frozenset[str] | None = None
    problem, reported = "", ""
    settled = 0.0
    while True:
        looked = [pod for pod in asker.ask() if ending or not pod.deleting]
        pods = [first.setdefault(p.uid, p) if p.state == REACHED else p for p in looked]
        for uid in {pod.uid for pod in pods if pod.state != REACHED}:
            first.pop(uid, None)
        if early is None:
            early, settled = frozenset(first), clock.now() + settle
        behind = [pod for pod in looked if waits_for(pod)]
        settling = [pod for pod in looked if pod.uid in early & {*first} and clock.now() < settled]
        if not (behind or settling) or clock.now() >= deadline:
            return ReplacedPods(tuple(pods), problem=problem)
        for pod in (*behind, *settling):
            due = hurried.get(pod.uid, clock.now()) <= clock.now()
            if pod.state not in (STALE, REACHED) or not due:
                continue
            try:
                hurry(cluster, pod)
            except ConflictError:
                continue  # the pod changed meanwhile: the next look tells its kubelet
            except DeployError as exc:
                problem = f"The kubelet was not told to hurry, so it may take its 90 s: {exc}"
            hurried[pod.uid] = clock.now() + HURRY_EVERY
        text = f"{len(pods) - len(behind)} of {len(pods)} pods run the flags"
        text += "" if behind else f", and are watched for {settle:.0f} s: do they keep them?"
        if text != reported:
            reported = text
            report(text)
        clock.sleep(PAUSE)


def hurry(cluster: Cluster, pod: PodState) -> None:
    """Make the kubelet check its volumes now. An equal value, twice within a second, would be no change."""
    cluster.patch("Pod", pod.pod, [*to_annotation(pod, now().isoformat())])


def to_annotation(pod: PodState, value: str) -> t.Iterator[Operation]:
    yield operation("test", "/metadata/uid", pod.uid)
    if not pod.annotated:
        # An annotation that was made meanwhile stays.
        yield operation("test", "/metadata/resourceVersion", pod.version)
        yield operation("add", "/metadata/annotations", {})
    yield operation("add", f"/metadata/annotations/{escape(FLAGS_SYNC_ANNOTATION)}", value)
