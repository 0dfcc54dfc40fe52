# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Follow a patched Deployment to a terminal verdict, then let it prove itself for a while."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Clock, Cluster
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.judge import (
    Course,
    Look,
    Verdict,
    judge,
    troubles,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import (
    Counts,
    Deployment,
    Pod,
    ReplicaSet,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observe import (
    find_deployment,
    observe_pods,
    observe_replica_set,
)

PODS_EVERY = 2.0
"""Seconds between two looks at the pods: they tell why, the Deployment's counts tell how far."""

SOAK_EVERY = 2.0

Report = t.Callable[[str, Counts], None]


@dataclass(frozen=True)
class Arrival:
    """Where following ended: the verdict and the last that was seen."""

    verdict: Verdict
    deployment: Deployment | None
    replica_set: ReplicaSet | None


class Follower:
    """Follows one Deployment. Made for one rollout or one undo."""

    def __init__(
        self, cluster: Cluster, name: str, *, clock: Clock, deadline: float, report: Report
    ) -> None:
        self._cluster = cluster.until(deadline)
        self._name = name
        self._clock = clock
        self._deadline = deadline
        self._report = report
        self._counts: Counts | None = None
        self._said: list[str] = []
        self._replica_set: ReplicaSet | None = None
        self._pods_at = float("-inf")

    def follow(self, course: Course) -> Arrival:
        """Until complete, doomed, out of time or out of our hands."""
        while True:
            look = self._look(course)
            course, verdict = judge(course, look, self._clock.now())
            self._say(look.deployment, course)
            if verdict.outcome != "waiting":
                return Arrival(verdict, look.deployment, self._replica_set)
            if self._clock.now() >= self._deadline:
                return Arrival(
                    _timeout(course, look.deployment), look.deployment, self._replica_set
                )
            self._clock.sleep(pause(self._clock.now() - course.started))

    def soak(self, course: Course, seconds: float) -> Arrival:
        """Watch the finished rollout: no container of it may restart for so long."""
        end = min(self._clock.now() + seconds, self._deadline)
        restarts: dict[str, int] = {}
        while True:
            deployment = find_deployment(self._cluster, self._name)
            _course, verdict = judge(course, Look(deployment), self._clock.now())
            if deployment is None or verdict.outcome not in ("complete", "waiting"):
                return Arrival(verdict, deployment, self._replica_set)
            if self._replica_set is None:
                self._replica_set = observe_replica_set(self._cluster, deployment)
            pods = observe_pods(self._cluster, deployment, self._replica_set)
            restarted = _restarted(pods, restarts)
            if restarted:
                return Arrival(restarted, deployment, self._replica_set)
            if self._clock.now() >= end:
                return Arrival(verdict, deployment, self._replica_set)
            self._clock.sleep(min(SOAK_EVERY, max(end - self._clock.now(), 0.1)))

    def _look(self, course: Course) -> Look:
        deployment = find_deployment(self._cluster, self._name)
        if (
            deployment is None
            or deployment.complete
            or deployment.observed_generation < course.generation
            or self._clock.now() - self._pods_at < PODS_EVERY
        ):
            return Look(deployment, self._replica_set)
        self._pods_at = self._clock.now()
        failure = deployment.condition("ReplicaFailure")
        if self._replica_set is None or (failure is not None and failure.status == "True"):
            self._replica_set = observe_replica_set(self._cluster, deployment)
        pods = observe_pods(self._cluster, deployment, self._replica_set)
        return Look(deployment, self._replica_set, pods)

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
