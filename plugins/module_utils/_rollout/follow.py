# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a patched Deployment to a terminal verdict, then let it prove itself for a while."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, replace

from .._cluster import Clock
from .._errors import RefusedError
from .evaluate import Evaluation, RolloutProgress, RolloutSnapshot, evaluate, troubles
from .liveness import Ages, LivenessProof, ProbePatience
from .models import Deployment, Pod, ReplicaCounts, ReplicaSet
from .observer import RolloutObserver

OLD_EVERY = 1.0
"""Seconds between two looks at old pods that are ending."""

TOLD_LATE = 30.0
"""Seconds of a soak that are left at least after sight was lost, for what kubelets tell late."""

Report = t.Callable[[str, ReplicaCounts], None]


@dataclass(frozen=True)
class RolloutStatus:
    """Where following ended: the verdict and the last that was seen."""

    verdict: Evaluation
    deployment: Deployment | None
    replica_set: ReplicaSet | None


class Follower:
    """Follows one Deployment. Made for one rollout or one undo.

    `replace_pod` ends a pod of that name, as far as it may; see quorum.py.
    """

    def __init__(
        self,
        observer: RolloutObserver,
        *,
        clock: Clock,
        deadline: float,
        report: Report,
        replace_pod: t.Callable[[str], None],
    ) -> None:
        self._observer = observer
        self._clock = clock
        self._deadline = deadline
        self._report = report
        self._replace_pod = replace_pod
        self._counts: ReplicaCounts | None = None
        self._reported: list[str] = []
        self._ages = Ages()

    def follow(self, progress: RolloutProgress) -> RolloutStatus:
        """Until complete, failing, out of time or out of our hands."""
        while True:
            snapshot = self._observer.snapshot(progress.generation)
            now = self._clock.now()
            further, verdict = evaluate(progress, snapshot, now)
            if verdict.outcome != "waiting" or verdict.replace or now >= self._deadline:
                # What ends something is not believed of a watch alone.
                snapshot = self._observer.snapshot(progress.generation, fresh=True)
                further, verdict = evaluate(progress, snapshot, now)
            progress = further
            if snapshot.pods is not None:
                self._ages.note(snapshot.pods, now)
            self._emit_counts(snapshot.deployment, progress)
            if verdict.replace:
                progress = self._replace(progress, verdict, snapshot)
            if verdict.outcome != "waiting":
                return RolloutStatus(verdict, snapshot.deployment, snapshot.replica_set)
            if now >= self._deadline:
                verdict = _timeout(progress, snapshot.deployment)
                return RolloutStatus(verdict, snapshot.deployment, snapshot.replica_set)
            self._observer.wait(min(pause(now - progress.started), max(self._deadline - now, 0.1)))

    def soaking(self, deadline: float) -> Follower:
        """A follower with the same history and a deadline of its own for the soak."""
        twin = copy.copy(self)
        twin._deadline = max(self._deadline, deadline)
        return twin

    def soak(
        self, progress: RolloutProgress, seconds: float, patience: ProbePatience
    ) -> RolloutStatus:
        """Watch the finished rollout: no container may restart for so long, and one pod has to outlive its probe.

        Time without observations does not count.
        """
        end = self._clock.now() + seconds
        restarts: dict[str, int] = {}
        proof = LivenessProof(patience)
        while True:
            snapshot = self._observer.snapshot(progress.generation, with_pods=True)
            now = self._clock.now()
            _progress, verdict = evaluate(progress, replace(snapshot, pods=None), now)
            if snapshot.deployment is None or verdict.outcome not in ("complete", "waiting"):
                return RolloutStatus(verdict, snapshot.deployment, snapshot.replica_set)
            if self._ages.note(snapshot.pods or (), now):
                anew = max(min(seconds, TOLD_LATE), patience.killed)
                end, self._deadline = max(end, now + anew), max(self._deadline, now + anew + 1.0)
            wrong = _restarted(snapshot.pods or (), restarts)
            wrong = wrong or proof.weigh(*self._ages.oldest(now), self._observer.events_of)
            left = max(end - now, proof.left)
            if wrong or left <= 0 or now >= self._deadline:
                return RolloutStatus(wrong or verdict, snapshot.deployment, snapshot.replica_set)
            self._tell_soak(snapshot.deployment, proof.left)
            soon = proof.until_due if proof.left > 0 else left
            self._observer.wait(min(2.0, max(min(left, soon), 0.1)))

    def _tell_soak(self, deployment: Deployment, left: float) -> None:
        """Report a text once, and only for a wait of more than a second."""
        text = "complete, watched until its liveness probe has answered"
        if left > 1 and text not in self._reported:
            self._reported.append(text)
            self._report(f"{text}: {left:.0f} s more", deployment.counts)

    def wait_for_old(self, deployment: Deployment) -> list[Pod]:
        """Wait for the old pods to go. Returns those left at the deadline, terminating pods too."""
        while True:
            old = self._observer.old_pods(deployment)
            if not old or self._clock.now() >= self._deadline:
                return old
            self._report(f"{len(old)} old left to end", deployment.counts)
            self._observer.wait(OLD_EVERY)

    def _replace(
        self, progress: RolloutProgress, verdict: Evaluation, snapshot: RolloutSnapshot
    ) -> RolloutProgress:
        if snapshot.deployment is not None:
            text = f"replacing pod {verdict.replace}, in case its node is at fault"
            self._report(
                "; ".join([text, *troubles(progress, snapshot.deployment)[:1]]),
                snapshot.deployment.counts,
            )
        try:
            self._replace_pod(verdict.replace)
        except RefusedError:
            # Without the right to do so, what was seen must be enough.
            return replace(progress, quorum="any")
        return progress

    def _emit_counts(self, deployment: Deployment | None, progress: RolloutProgress) -> None:
        if deployment is None or deployment.observed_generation < progress.generation:
            return
        known = troubles(progress, deployment)
        if deployment.counts != self._counts or known != self._reported:
            self._counts, self._reported = deployment.counts, known
            self._report("; ".join([str(deployment.counts), *known[:1]]), deployment.counts)


def pause(elapsed: float) -> float:
    """Seconds to the next look: quick while things usually move, then sparing the API server."""
    if elapsed < 6:
        return 0.5
    return 1.0 if elapsed < 60 else 2.0


def _restarted(pods: t.Iterable[Pod], known: dict[str, int]) -> Evaluation | None:
    """A verdict when a container restarted since `known`, which is brought up to date."""
    for pod in pods:
        for container in pod.containers:
            key = f"{pod.uid}/{container.name}"
            if container.restarts > known.setdefault(key, container.restarts):
                why = container.last_reason or f"exit code {container.last_exit_code}"
                return Evaluation(
                    "failing",
                    "OutOfMemory" if why == "OOMKilled" else "RestartedInSoak",
                    f"container {container.name} restarted after the rollout was complete ({why})",
                    "Read its last log lines below.",
                    pod=pod.uid,
                    container=container.name,
                )
    return None


def _timeout(progress: RolloutProgress, deployment: Deployment | None) -> Evaluation:
    known = troubles(progress, deployment) if deployment else []
    where = f"it is at {deployment.counts}" if deployment else "it was not seen"
    return Evaluation(
        "failing",
        "Timeout",
        f"it was not complete within 'wait_timeout': {'; '.join([where, *known[:1]])}",
        "Raise 'wait_timeout' if its pods are slow to become ready.",
    )
