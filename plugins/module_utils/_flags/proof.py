# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove the flags in every pod of one Deployment, after stale pods have followed or were replaced.

Wait until running pods have taken up the flags of a ConfigMap volume, and have the kubelet hurry.

By itself the kubelet checks a pod's volumes once in 60 to 90 seconds. It checks at once when an annotation of the pod
changes: https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import FLAGS_SYNC_ANNOTATION, Clock, Cluster, Operation
from .._errors import ConflictError, DeployError
from .._rollout.models import Deployment
from .._rollout.observer import desired_replicas
from .._time import now
from .apply import Written
from .pod_replacement import Replaceable, replace_stale_pods
from .pods import REACHED, STALE, UNKNOWN, Asker, PodState

PAUSE = 0.5
HURRY_EVERY = 10.0
"""Seconds after which the kubelet is told again: its first read may have returned the old flags."""
SETTLE = 15.0
"""Seconds for which a pod with the flags at the first look must keep them: an earlier write may still be on its way
to its process. By then the kubelet was told twice."""


def is_behind(pod: PodState) -> bool:
    return pod.state in (STALE, UNKNOWN)


def follow(
    cluster: Cluster,
    ask: t.Callable[[], list[PodState]],
    *,
    clock: Clock,
    deadline: float,
    report: t.Callable[[str], None],
    waits_for: t.Callable[[PodState], bool] = is_behind,
    settle: float = 0.0,
) -> tuple[list[PodState], str]:
    """The pods at the last look, and the problem of telling the kubelet, if any.

    A pod that follows keeps its first state with the flags. Returns when no pod is left to wait for, or at
    `deadline`. `settle`: 0, or SETTLE when the flags were written just now.
    """
    first: dict[str, PodState] = {}
    hurried: dict[str, float] = {}
    early: frozenset[str] | None = None
    problem, reported = "", ""
    settled = 0.0
    while True:
        looked = ask()
        pods = [first.setdefault(p.uid, p) if p.state == REACHED else p for p in looked]
        for uid in {pod.uid for pod in pods if pod.state != REACHED}:
            first.pop(uid, None)
        if early is None:
            early, settled = frozenset(first), clock.now() + settle
        behind = [pod for pod in looked if waits_for(pod)]
        settling = [pod for pod in looked if pod.uid in early & {*first} and clock.now() < settled]
        if not (behind or settling) or clock.now() >= deadline:
            return pods, problem
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
    yield {"op": "test", "path": "/metadata/uid", "value": pod.uid}
    if not pod.annotated:
        # An annotation that was made meanwhile stays.
        yield {"op": "test", "path": "/metadata/resourceVersion", "value": pod.version}
        yield {"op": "add", "path": "/metadata/annotations", "value": {}}
    name = FLAGS_SYNC_ANNOTATION.replace("/", "~1")
    yield {"op": "add", "path": f"/metadata/annotations/{name}", "value": value}


def latest(pods: t.Iterable[PodState]) -> float | None:
    """Seconds until the last pod with the flags was observed; None without any."""
    return max((pod.at for pod in pods if pod.state == REACHED), default=None)


@dataclass(frozen=True)
class FlagsProof:
    """`pods` at the last look, without terminating ones; `replaced` by name; `note`: the problem, if any."""

    pods: t.Sequence[PodState]
    replaced: tuple[str, ...] = ()
    note: str = ""


class Prover:
    def __init__(
        self,
        cluster: Cluster,
        deployment: Deployment,
        container: str,
        asker: Asker,
        written: Written,
        *,
        clock: Clock,
        report: t.Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._deployment = deployment
        self._container = container
        self._asker = asker
        self._written = written
        self._clock = clock
        self._report = report
        self._began = clock.now()

    def look(self) -> list[PodState]:
        return [pod for pod in self._ask() if not pod.deleting]

    def follow(self, patience: float, settle: float = 0.0) -> FlagsProof:
        """By their volumes, while they run."""
        return self._follow(patience, self._may_follow, settle)

    def replace(self, patience: float) -> FlagsProof:
        """By others in their places, as far as that helps: an environment that is wrong stays so."""
        replaced_pods = replace_stale_pods(
            self._cluster,
            self._ask,
            Replaceable(frozenset(), self._began, self._written.helps),
            replicas=lambda: desired_replicas(self._cluster, self._deployment),
            clock=self._clock,
            deadline=self._began + patience,
            report=self._report,
        )
        proof = self._follow(patience, lambda pod: pod.state not in (REACHED, STALE))
        return FlagsProof(proof.pods, replaced_pods.replaced, replaced_pods.problem)

    def _follow(
        self, patience: float, waits_for: t.Callable[[PodState], bool], settle: float = 0.0
    ) -> FlagsProof:
        pods, note = follow(
            self._cluster,
            self.look,
            clock=self._clock,
            deadline=self._began + patience,
            report=self._report,
            waits_for=waits_for,
            settle=settle,
        )
        return FlagsProof(pods, note=note)

    def _may_follow(self, pod: PodState) -> bool:
        return pod.state != REACHED and self._written.helps(pod)

    def _ask(self) -> list[PodState]:
        return self._asker.ask(self._cluster, self._deployment, self._container)
