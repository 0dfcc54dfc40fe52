# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe a Deployment and its pods in as few requests as possible.

Two watches keep them up to date. A direct read replaces a watch that is down. It also runs now and then,
for a connection may be dead without an error."""

from __future__ import annotations

import typing as t

from .._cluster import CHANGE_CAUSE_ANNOTATION, RELEASE_ANNOTATION, Clock, Cluster, Object, Watch
from .._errors import InputError, RefusedError
from .._threads import Event
from .evaluate import RolloutSnapshot
from .models import (
    HASH_LABEL,
    Condition,
    Deployment,
    Pod,
    ReplicaSet,
    current_replica_set,
    old_pods,
)
from .watches import SharedWatches


def observe_standings(cluster: Cluster, names: t.Sequence[str] | None) -> list[dict[str, t.Any]]:
    """Where the Deployments stand, all of the namespace without `names`."""
    return [
        {
            "name": deployment.name,
            "images": deployment.images,
            "revision": deployment.revision,
            "complete": deployment.complete,
            "paused": deployment.paused,
            "release": deployment.annotations.get(RELEASE_ANNOTATION, ""),
            "change_cause": deployment.annotations.get(CHANGE_CAUSE_ANNOTATION, ""),
            "replicas": deployment.counts.shown(),
        }
        for deployment in observe_deployments(cluster, names)
    ]


def observe_deployments(cluster: Cluster, names: t.Sequence[str] | None) -> list[Deployment]:
    """Those of `names`, in that order, or all of the namespace, from one list."""
    deployments = map(Deployment.from_json, cluster.list_objects("Deployment"))
    by_name = {deployment.name: deployment for deployment in deployments}
    missing = [name for name in names or () if name not in by_name]
    if missing:
        raise not_there(cluster, *missing)
    return [by_name[name] for name in (sorted(by_name) if names is None else names)]


def not_there(cluster: Cluster, *names: str) -> InputError:
    return InputError(
        f"There is no Deployment {', '.join(map(repr, names))} in namespace {cluster.namespace!r}: correct "
        "'deployments' or 'namespace'."
    )


def find_deployment(cluster: Cluster, name: str) -> Deployment | None:
    body = cluster.read("Deployment", name)
    return None if body is None else Deployment.from_json(body)


def observe_deployment(cluster: Cluster, name: str) -> Deployment:
    deployment = find_deployment(cluster, name)
    if deployment is None:
        raise InputError(
            f"There is no Deployment {name!r} in namespace {cluster.namespace!r}: correct 'name' or "
            "'namespace', or create it first."
        )
    return deployment


def desired_replicas(cluster: Cluster, deployment: Deployment) -> int:
    """The replicas now, which an autoscaler may change at any time; the last known of a deleted Deployment."""
    return (find_deployment(cluster, deployment.name) or deployment).counts.desired


def observe_replica_set(cluster: Cluster, deployment: Deployment) -> ReplicaSet | None:
    """The ReplicaSet of the current template."""
    bodies = cluster.list_objects("ReplicaSet", label_selector=deployment.selector)
    return current_replica_set(deployment, map(ReplicaSet.from_json, bodies))


def observe_pods(
    cluster: Cluster, deployment: Deployment, replica_set: ReplicaSet | None
) -> tuple[Pod, ...]:
    """The pods of `replica_set`, and none without one."""
    if replica_set is None:
        return ()
    selector = f"{deployment.selector},{HASH_LABEL}={replica_set.template_hash}"
    pods = map(Pod.from_json, cluster.list_objects("Pod", label_selector=selector))
    return tuple(pod for pod in pods if pod.owner == replica_set.uid)


def observe_all_pods(cluster: Cluster, deployment: Deployment) -> t.Sequence[Pod]:
    """Old and ending ones too."""
    return [Pod.from_json(body) for body in list_pods(cluster, deployment)]


def list_pods(cluster: Cluster, deployment: Deployment) -> list[Object]:
    """The pods of the Deployment's selector, without those of a Job or another controller with its labels."""
    pods = cluster.list_objects("Pod", label_selector=deployment.selector)
    return [pod for pod in pods if Pod.from_json(pod).controller.kind in ("", "ReplicaSet")]


PODS_EVERY = 2.0
"""Seconds between two direct reads of pods: they explain a failure, the Deployment's counts show progress."""
PROMISES_EVERY = 30.0
"""Seconds between two questions whether a node is being added for pods that fit on none."""
TRUSTED = 20.0
"""Seconds that watches are believed without being asked whether they still see."""
LISTED_WITHIN = 1.0
"""Seconds that watches are waited for, which tell what would be asked otherwise."""
TOGETHER = 0.1
"""Seconds in which changes count as one: they come in bursts."""


class RolloutObserver:
    """Observes one Deployment, inside `with`. `deadline`: the clock's time to stop retrying reads."""

    def __init__(
        self,
        cluster: Cluster,
        deployment: Deployment,
        *,
        clock: Clock,
        deadline: float,
        watches: SharedWatches | None = None,
    ) -> None:
        self._cluster = cluster.until(deadline)
        self._source = watches or self._cluster
        self._name = deployment.name
        self._generation = deployment.generation
        self._selector = deployment.selector
        self._clock = clock
        self._changed = Event()
        self._watches: dict[str, Watch] = {}
        self._replica_set: ReplicaSet | None = None
        self._template: Object = {}
        """Of which that is the ReplicaSet."""
        self._asked_at = float("-inf")
        self._pods_at = float("-inf")
        self._promised: frozenset[str] = frozenset()
        self._promised_at = float("-inf")

    def __enter__(self) -> RolloutObserver:
        wake = self._changed.set
        by_name = f"metadata.name={self._name}"
        self._watches = {
            "Deployment": self._source.watch("Deployment", wake, field_selector=by_name),
            "Pod": self._source.watch("Pod", wake, label_selector=self._selector),
        }
        began = self._clock.now()
        if all(watch.listed(LISTED_WITHIN) for watch in self._watches.values()):
            while (left := began + LISTED_WITHIN - self._clock.now()) > 0:
                if not self._is_behind():
                    # As good as what would be asked now.
                    self._asked_at = began
                    break
                self._changed.wait(left)
                self._changed.clear()
        return self

    def __exit__(self, *_exception: object) -> None:
        for watch in self._watches.values():
            watch.close()

    def snapshot(
        self, generation: int, *, with_pods: bool = False, fresh: bool = False
    ) -> RolloutSnapshot:
        """The Deployment, and its new pods when they are due and say anything.

        `fresh`: as the server says now.
        """
        now = self._clock.now()
        fresh = fresh or now - self._asked_at >= TRUSTED
        deployment = self._deployment(fresh=fresh)
        if deployment is None or deployment.observed_generation < generation:
            return RolloutSnapshot(deployment, self._replica_set)
        free = self._known("Pod") is not None
        due = (free or now - self._pods_at >= PODS_EVERY) and not deployment.complete
        if not (due or with_pods or (fresh and not deployment.complete)):
            return RolloutSnapshot(deployment, self._replica_set)
        self._pods_at = now
        replica_set = self._replica_set_of(deployment)
        every = self._every_pod(deployment, fresh=fresh)
        new = tuple(
            pod
            for pod in every
            if replica_set is not None
            and (pod.owner, pod.template_hash) == (replica_set.uid, replica_set.template_hash)
        )
        return RolloutSnapshot(
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
        """Events of the pod of this uid; None without the right to read events."""
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

    def _is_behind(self) -> bool:
        """Whether the watch, which may have begun long ago, has not seen what was written last."""
        known = self._known("Deployment")
        return not known or Deployment.from_json(known[0]).generation < self._generation

    def _known(self, kind: str) -> t.Sequence[Object] | None:
        return self._watches[kind].objects()

    def _deployment(self, *, fresh: bool) -> Deployment | None:
        known = self._known("Deployment")
        if known is None or fresh:
            self._asked_at = self._clock.now()
            return find_deployment(self._cluster, self._name)
        return Deployment.from_json(known[0]) if known else None

    def _every_pod(self, deployment: Deployment, *, fresh: bool) -> t.Sequence[Pod]:
        known = self._known("Pod")
        if known is None or fresh:
            return observe_all_pods(self._cluster, deployment)
        return [*map(Pod.from_json, known)]

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
                # Without the right to read events, no promise is visible.
                events = []
            self._promised = frozenset(event["involvedObject"].get("uid", "") for event in events)
        return self._promised

    def _replica_set_of(self, deployment: Deployment) -> ReplicaSet | None:
        known = self._replica_set
        # A failure that is over is forgotten by the ReplicaSet, so it must be asked again too. Another writer may have
        # changed the template, as `kubectl rollout restart` does, and the new one's ReplicaSet comes a moment later.
        stands = known is not None and deployment.template == self._template
        if not stands or _fails(deployment.conditions) or (known and _fails(known.conditions)):
            self._replica_set = observe_replica_set(self._cluster, deployment)
            self._template = deployment.template if self._replica_set else {}
        return self._replica_set


def _fails(conditions: t.Iterable[Condition]) -> bool:
    return any(
        condition.type == "ReplicaFailure" and condition.status == "True"
        for condition in conditions
    )


def _fits_nowhere(pod: Pod) -> bool:
    return any(
        condition.type == "PodScheduled" and condition.reason == "Unschedulable"
        for condition in pod.conditions
    )
