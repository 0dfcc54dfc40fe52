# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a follower sees of its Deployment, in as few requests as it can be seen with.

Two watches keep the Deployment and its pods up to date. While one of them is blind, and now and then all
the same, for a connection may be dead without saying so, it is asked directly.
"""

from __future__ import annotations

import typing as t

from .._cluster import Clock, Cluster, Object, Watch
from .._errors import RefusedError
from .._threads import Event
from .evaluate import Snapshot
from .models import Condition, Deployment, Pod, ReplicaSet, old_pods
from .observe import find_deployment, observe_all_pods, observe_replica_set

PODS_EVERY = 2.0
"""Seconds between two looks at pods that must be asked for: they tell why, the Deployment's counts how far."""
PROMISES_EVERY = 30.0
"""Seconds between two questions whether a node is being added for pods that fit on none."""
TRUSTED = 20.0
"""Seconds that watches are believed without being asked whether they still see."""
TOGETHER = 0.1
"""Seconds in which changes count as one: they come in bursts."""
Read = t.TypeVar("Read")


class Versions(t.Generic[Read]):  # noqa: UP046 - targets may run an older Python
    """What objects say, read once for each of their versions."""

    def __init__(self, read: t.Callable[[Object], Read]) -> None:
        self._read = read
        self._known: dict[tuple[str, str], Read] = {}

    def __call__(self, bodies: t.Iterable[Object]) -> list[Read]:
        known, self._known = self._known, {}
        for body in bodies:
            version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
            self._known[version] = known[version] if version in known else self._read(body)
        return [*self._known.values()]


class Observer:
    """Of one Deployment, inside `with`. `deadline`: when to stop trying to see, on the clock."""

    def __init__(
        self, cluster: Cluster, deployment: Deployment, *, clock: Clock, deadline: float
    ) -> None:
        self._cluster = cluster.until(deadline)
        self._name = deployment.name
        self._selector = deployment.selector
        self._clock = clock
        self._changed = Event()
        self._watches: dict[str, Watch] = {}
        self._deployments = Versions(Deployment.from_json)
        self._pods = Versions(Pod.from_json)
        self._replica_set: ReplicaSet | None = None
        self._asked_at = float("-inf")
        self._pods_at = float("-inf")
        self._promised: frozenset[str] = frozenset()
        self._promised_at = float("-inf")

    def __enter__(self) -> Observer:
        wake = self._changed.set
        by_name = f"metadata.name={self._name}"
        self._watches = {
            "Deployment": self._cluster.watch("Deployment", wake, field_selector=by_name),
            "Pod": self._cluster.watch("Pod", wake, label_selector=self._selector),
        }
        return self

    def __exit__(self, *_exception: object) -> None:
        for watch in self._watches.values():
            watch.close()

    def snapshot(
        self, generation: int, *, with_pods: bool = False, fresh: bool = False
    ) -> Snapshot:
        """The Deployment, and its new pods when they are due and say anything.

        `fresh`: as the server says now.
        """
        now = self._clock.now()
        fresh = fresh or now - self._asked_at >= TRUSTED
        deployment = self._deployment(fresh=fresh)
        if deployment is None or deployment.observed_generation < generation:
            return Snapshot(deployment, self._replica_set)
        free = self._known("Pod") is not None
        due = (free or now - self._pods_at >= PODS_EVERY) and not deployment.complete
        if not (due or with_pods or (fresh and not deployment.complete)):
            return Snapshot(deployment, self._replica_set)
        self._pods_at = now
        replica_set = self._replica_set_of(deployment)
        every = self._every_pod(deployment, fresh=fresh)
        new = tuple(pod for pod in every if _is_of(pod, replica_set))
        return Snapshot(
            deployment,
            replica_set,
            new,
            nodes=frozenset(pod.node for pod in every if pod.node),
            promised=self._promises(new),
        )

    def old_pods(self, deployment: Deployment) -> list[Pod]:
        """The pods of older revisions, ending ones included."""
        pods = self._every_pod(deployment, fresh=False)
        return old_pods(self._replica_set_of(deployment), pods)

    def events_of(self, pod: str) -> t.Sequence[Object] | None:
        """Those of the pod of this uid; None for whoever may not read events."""
        try:
            return self._cluster.list_objects("Event", field_selector=f"involvedObject.uid={pod}")
        except RefusedError:
            return None

    def wait(self, seconds: float) -> None:
        """Until something changed, or so long."""
        if self._known("Deployment") is None:
            self._clock.sleep(seconds)
        elif self._changed.wait(seconds):
            self._clock.sleep(TOGETHER)
            self._changed.clear()

    def _known(self, kind: str) -> t.Sequence[Object] | None:
        return self._watches[kind].objects()

    def _deployment(self, *, fresh: bool) -> Deployment | None:
        known = self._known("Deployment")
        if known is None or fresh:
            self._asked_at = self._clock.now()
            return find_deployment(self._cluster, self._name)
        return self._deployments(known)[0] if known else None

    def _every_pod(self, deployment: Deployment, *, fresh: bool) -> t.Sequence[Pod]:
        known = self._known("Pod")
        if known is None or fresh:
            return observe_all_pods(self._cluster, deployment)
        return self._pods(known)

    def _promises(self, pods: t.Iterable[Pod]) -> frozenset[str]:
        """The uids of pods for which the cluster's autoscaler adds a node."""
        if not any(_fits_nowhere(pod) for pod in pods):
            return frozenset()
        now = self._clock.now()
        if now - self._promised_at >= PROMISES_EVERY:
            self._promised_at = now
            try:
                events = self._cluster.list_objects(
                    "Event", field_selector="reason=TriggeredScaleUp"
                )
            except RefusedError:
                # Whoever may not read events sees no promise.
                events = []
            self._promised = frozenset(one["involvedObject"].get("uid", "") for one in events)
        return self._promised

    def _replica_set_of(self, deployment: Deployment) -> ReplicaSet | None:
        known = self._replica_set
        # A failure that is over is forgotten by the ReplicaSet, so it must be asked again too.
        if known is None or _fails(known.conditions) or _fails(deployment.conditions):
            self._replica_set = observe_replica_set(self._cluster, deployment)
        return self._replica_set


def _fails(conditions: t.Iterable[Condition]) -> bool:
    return any(one.type == "ReplicaFailure" and one.status == "True" for one in conditions)


def _is_of(pod: Pod, replica_set: ReplicaSet | None) -> bool:
    return (
        replica_set is not None
        and pod.owner == replica_set.uid
        and pod.template_hash == replica_set.template_hash
    )


def _fits_nowhere(pod: Pod) -> bool:
    return any(
        one.type == "PodScheduled" and one.reason == "Unschedulable" for one in pod.conditions
    )
