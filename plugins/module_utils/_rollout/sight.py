# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a follower sees of its Deployment, in as few requests as it can be seen with."""

from __future__ import annotations

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Clock, Cluster
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.judge import Look
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import (
    Deployment,
    Pod,
    ReplicaSet,
    old_pods,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observe import (
    find_deployment,
    observe_all_pods,
    observe_pods,
    observe_replica_set,
)

PODS_EVERY = 2.0
"""Seconds between two looks at the pods: they tell why, the Deployment's counts tell how far."""


class Sight:
    """Of one Deployment. `deadline`: when to stop trying to see, on the clock."""

    def __init__(self, cluster: Cluster, name: str, *, clock: Clock, deadline: float) -> None:
        self._cluster = cluster.until(deadline)
        self._name = name
        self._clock = clock
        self._replica_set: ReplicaSet | None = None
        self._pods_at = float("-inf")

    def look(self, generation: int, *, with_pods: bool = False) -> Look:
        """The Deployment, and its new pods when they are due and say anything.

        Before `generation` was observed the newest ReplicaSet is still the old one.
        """
        deployment = find_deployment(self._cluster, self._name)
        if deployment is None or deployment.observed_generation < generation:
            return Look(deployment, self._replica_set)
        due = self._clock.now() - self._pods_at >= PODS_EVERY and not deployment.complete
        if not (due or with_pods):
            return Look(deployment, self._replica_set)
        self._pods_at = self._clock.now()
        replica_set = self._replica_set_of(deployment)
        return Look(deployment, replica_set, observe_pods(self._cluster, deployment, replica_set))

    def old_pods(self, deployment: Deployment) -> list[Pod]:
        """The pods of older revisions, ending ones included."""
        replica_set = self._replica_set_of(deployment)
        return old_pods(replica_set, observe_all_pods(self._cluster, deployment))

    def wait(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def _replica_set_of(self, deployment: Deployment) -> ReplicaSet | None:
        failure = deployment.condition("ReplicaFailure")
        if self._replica_set is None or (failure is not None and failure.status == "True"):
            self._replica_set = observe_replica_set(self._cluster, deployment)
        return self._replica_set
