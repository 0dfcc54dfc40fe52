# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Follow a patched Deployment to a terminal verdict, then let it prove itself for a while."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, replace

from .._cluster import Clock
from .._errors import RefusedError
from .judge import Course, Look, Verdict, judge, troubles
from .liveness import Ages, Patience, Proof
from .models import Counts, Deployment, Pod, ReplicaSet
from .sight import Sight

OLD_EVERY = 1.0
"""Seconds between two looks at old pods that are ending."""

Report = t.Callable[[str, Counts], None]


@dataclass(frozen=True)
class Arrival:
    """Where following ended: the verdict and the last that was seen."""

    verdict: Verdict
    deployment: Deployment | None
    replica_set: ReplicaSet | None


class Follower:
    """Follows one Deployment. Made for one rollout or one undo.

    `replace_pod` ends a pod of that name, as far as it may; see quorum.py.
    """

    def __init__(
        self,
        sight: Sight,
        *,
        clock: Clock,
        deadline: float,
        report: Report,
        replace_pod: t.Callable[[str], None],
    ) -> None:
        self._sight = sight
        self._clock = clock
        self._deadline = deadline
        self._report = report
        self._replace_pod = replace_pod
        self._counts: Counts | None = None
        self._said: list[str] = []
        self._ages = Ages()

    def follow(self, course: Course) -> Arrival:
        """Until complete, doomed, out of time or out of our hands."""
        while True:
            look = self._sight.look(course.generation)
            now = self._clock.now()
            further, verdict = judge(course, look, now)
            if verdict.outcome != "waiting" or verdict.replace or now >= self._deadline:
                # What ends something is not believed of a watch alone.
                look = self._sight.look(course.generation, fresh=True)
                further, verdict = judge(course, look, now)
            course = further
            if look.pods is not None:
                self._ages.note(look.pods, now)
            self._say(look.deployment, course)
            if verdict.replace:
                course = self._replace(course, verdict, look)
            if verdict.outcome != "waiting":
                return Arrival(verdict, look.deployment, look.replica_set)
            if now >= self._deadline:
                verdict = _timeout(course, look.deployment)
                return Arrival(verdict, look.deployment, look.replica_set)
            self._sight.wait(min(pause(now - course.started), max(self._deadline - now, 0.1)))

    def soaking(self, deadline: float) -> Follower:
        """The same, which knows what it saw, with time of its own for a soak."""
        twin = copy.copy(self)
        twin._deadline = max(self._deadline, deadline)
        return twin

    def soak(self, course: Course, seconds: float, patience: Patience) -> Arrival:
        """Watch the finished rollout: no container may restart for so long, and one pod has to outlive its probe."""
        end = self._clock.now() + seconds
        restarts: dict[str, int] = {}
        proof = Proof(patience)
        while True:
            look = self._sight.look(course.generation, with_pods=True)
            now = self._clock.now()
            _course, verdict = judge(course, replace(look, pods=None), now)
            if look.deployment is None or verdict.outcome not in ("complete", "waiting"):
                return Arrival(verdict, look.deployment, look.replica_set)
            self._ages.note(look.pods or (), now)
            wrong = _restarted(look.pods or (), restarts)
            wrong = wrong or proof.weigh(*self._ages.oldest(now), self._sight.events_of)
            left = max(end - now, proof.left)
            if wrong or left <= 0 or now >= self._deadline:
                return Arrival(wrong or verdict, look.deployment, look.replica_set)
            self._tell_soak(look.deployment, proof.left)
            soon = proof.until_asked if proof.left > 0 else left
            self._sight.wait(min(2.0, max(min(left, soon), 0.1)))

    def _tell_soak(self, deployment: Deployment, left: float) -> None:
        """Once, and only for a wait that somebody notices."""
        text = "complete, watched until its liveness probe has answered"
        if left > 1 and text not in self._said:
            self._said.append(text)
            self._report(f"{text}: {left:.0f} s more", deployment.counts)

    def wait_for_old(self, deployment: Deployment) -> list[Pod]:
        """The old pods that are left when none is or the time is up, ending ones included."""
        while True:
            old = self._sight.old_pods(deployment)
            if not old or self._clock.now() >= self._deadline:
                return old
            self._report(f"{len(old)} old left to end", deployment.counts)
            self._sight.wait(OLD_EVERY)

    def _replace(self, course: Course, verdict: Verdict, look: Look) -> Course:
        if look.deployment is not None:
            text = f"replacing pod {verdict.replace}, lest it is its node's fault"
            self._report(
                "; ".join([text, *troubles(course, look.deployment)[:1]]), look.deployment.counts
            )
        try:
            self._replace_pod(verdict.replace)
        except RefusedError:
            # Without the right to do so, what was seen must be enough.
            return replace(course, quorum="any")
        return course

    def _say(self, deployment: Deployment | None, course: Course) -> None:
        if deployment is None or deployment.observed_generation < course.generation:
            return
        known = troubles(course, deployment)
        if deployment.counts != self._counts or known != self._said:
            self._counts, self._said = deployment.counts, known
            self._report("; ".join([str(deployment.counts), *known[:1]]), deployment.counts)


def pause(elapsed: float) -> float:
    """Seconds to the next look: quick while things usually move, then sparing the API server."""
    if elapsed < 6:
        return 0.5
    return 1.0 if elapsed < 60 else 2.0


def _restarted(pods: t.Iterable[Pod], known: dict[str, int]) -> Verdict | None:
    """A verdict when a container restarted since `known`, which is brought up to date."""
    for pod in pods:
        for container in pod.containers:
            key = f"{pod.uid}/{container.name}"
            if container.restarts > known.setdefault(key, container.restarts):
                why = container.last_reason or f"exit code {container.last_exit_code}"
                return Verdict(
                    "doomed",
                    "OutOfMemory" if why == "OOMKilled" else "RestartedInSoak",
                    f"container {container.name} restarted after the rollout was complete ({why})",
                    "Read its last log lines below.",
                    pod=pod.uid,
                    container=container.name,
                )
    return None


def _timeout(course: Course, deployment: Deployment | None) -> Verdict:
    known = troubles(course, deployment) if deployment else []
    where = f"it stands at {deployment.counts}" if deployment else "it was not seen"
    return Verdict(
        "doomed",
        "Timeout",
        f"it was not complete within 'wait_timeout': {'; '.join([where, *known[:1]])}",
        "Raise 'wait_timeout' if its pods are just slow to become ready.",
    )
