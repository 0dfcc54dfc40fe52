# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deployment controller: creates and scales ReplicaSets, one step at a time."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.controllers import revisions, rollout_plan, rollout_status
from sandbox.kubernetes.controllers.controller import Controller
from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import (
    Object,
    annotations_of,
    condition,
    controller_of,
    copied,
    counter,
    key_of,
    metadata,
    owner_reference,
    replicas,
    selected,
    terminating,
)
from sandbox.kubernetes.controllers.revisions import same_template
from sandbox.kubernetes.errors import ApiError

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.controllers.objects import Cluster

# A write may have moved what the rest of the sync stands on: end it and look again at once.
AT_ONCE = 0.0
# How soon a controller that rests by a fault sees that it was cleared.
REST = 0.25


class DeploymentController(Controller):
    name = "deployment-controller"
    watched = ("deployments", "replicasets", "pods")

    def __init__(self, cluster: Cluster, faults: Faults) -> None:
        super().__init__(cluster)
        self._faults = faults
        self._events = Recorder(cluster, self.name)
        self._at_rest: dict[str, list[str]] = {}
        """The versions of a Deployment and its ReplicaSets at which nothing was left to do, by its key."""

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        if resource == "deployments":
            return [key_of(obj)]
        owner = controller_of(obj)
        if resource == "pods":
            # Only Recreate waits for pods themselves, and only for them to go.
            owner = self._owner_of_set(obj, owner) if owner and previous else None
        elif owner is None:
            return self._adopters("deployments", obj)
        if owner is None or owner["kind"] != "Deployment":
            return []
        return [f"{metadata(obj)['namespace']}/{owner['name']}"]

    def _owner_of_set(self, pod: Object, owner: Object) -> Object | None:
        parent = self._cluster.find("replicasets", metadata(pod)["namespace"], owner["name"])
        return controller_of(parent) if parent else None

    def reconcile(self, key: str) -> float | None:
        if self._faults.active("kubernetes", "controllers-rest"):
            return REST
        namespace, name = key.split("/")
        deployment = self._cluster.find("deployments", namespace, name)
        if deployment is None:
            self._at_rest.pop(key, None)
            return None
        sets = self._claimed_sets(deployment)
        if terminating(deployment):
            self._write_status(deployment, sets, counted_only=True)
            return None
        now = self._cluster.clock()
        pause = rollout_status.pause_condition(deployment, now)
        if pause is not None:
            changed = copied(deployment)
            rollout_status.set_condition(changed.setdefault("status", {}), pause)
            self._cluster.update_status("deployments", changed)
            return AT_ONCE
        if not all(_settled(entry) for entry in sets):
            # The ReplicaSet controller acts first, and its word brings us back: so a pod that is to go
            # is never counted beside the one that replaces it.
            return None
        if deployment["spec"].get("paused") or rollout_plan.scaling_event(deployment, sets):
            return self._scale_only(deployment, sets)
        if rollout_plan.rolls(deployment):
            return self._roll(deployment, sets)
        return self._recreate(deployment, sets)

    def _claimed_sets(self, deployment: Object) -> list[Object]:
        """The Deployment's ReplicaSets; one that matches and has no controller is adopted."""
        for entry in self._cluster.uncontrolled("replicasets", metadata(deployment)["namespace"]):
            carried = metadata(entry).get("labels") or {}
            if (
                not terminating(entry)
                and not terminating(deployment)
                and selected(deployment["spec"].get("selector"), carried)
            ):
                adopted = copied(entry)
                owners = metadata(adopted).setdefault("ownerReferences", [])
                owners.append(owner_reference(deployment, api_version="apps/v1", kind="Deployment"))
                self._cluster.update("replicasets", adopted)
        return self._cluster.controlled("replicasets", deployment)

    # Revisions

    def _synced_revision(
        self, deployment: Object, sets: list[Object], *, create: bool
    ) -> tuple[Object | None, bool]:
        """(new ReplicaSet, whether something was written). Numbers it, or makes it when `create`."""
        new = revisions.find_new(deployment, sets)
        old = [entry for entry in sets if entry is not new]
        number = revisions.next_revision(old)
        if new is None:
            return (self._made_new(deployment, sets, number), True) if create else (None, False)
        changed = revisions.reused(deployment, new, number)
        if changed is not None:
            self._cluster.update("replicasets", changed)
            return new, True
        progress = None
        if rollout_status.has_deadline(deployment) and not condition(
            deployment.get("status") or {}, "Progressing"
        ):
            progress = ("FoundNewReplicaSet", f'Found new replica set "{metadata(new)["name"]}"')
        return new, self._write_progress(deployment, revisions.revision(new), progress)

    def _made_new(self, deployment: Object, sets: list[Object], number: int) -> Object | None:
        size = rollout_plan.new_size(deployment, sets, 0)
        wanted = revisions.made_set(deployment, number, size)
        name = metadata(wanted)["name"]
        try:
            made = self._cluster.create("replicasets", wanted)
        except ApiError as exc:
            if exc.reason == "AlreadyExists" and self._collided(deployment, name):
                return None
            if exc.reason == "AlreadyExists":
                raise  # an earlier Deployment's, not collected yet
            message = f'Failed to create new replica set "{name}": {exc.message}'
            self._write_progress(
                deployment, None, ("ReplicaSetCreateError", message), state="False"
            )
            raise
        if size:
            message = f"Scaled up replica set {name} from 0 to {size}"
            self._events.normal(deployment, "ScalingReplicaSet", message)
        self._write_progress(
            deployment, number, ("NewReplicaSetCreated", f'Created new replica set "{name}"')
        )
        return made

    def _collided(self, deployment: Object, name: str) -> bool:
        """Whether another template has the same hash: then count it, and the next hash differs."""
        other = self._cluster.find("replicasets", metadata(deployment)["namespace"], name)
        template = deployment["spec"]["template"]
        if other is None or same_template(other["spec"]["template"], template):
            return False
        changed = copied(deployment)
        status = changed.setdefault("status", {})
        status["collisionCount"] = status.get("collisionCount", 0) + 1
        self._cluster.update_status("deployments", changed)
        return True

    def _write_progress(
        self,
        deployment: Object,
        number: int | None,
        progress: tuple[str, str] | None,
        *,
        state: str = "True",
    ) -> bool:
        """Write the revision annotation and a Progressing condition where they differ.

        Through the status, as the real controller does: so the generation stays.
        """
        notes = annotations_of(deployment)
        if number is not None and notes.get(revisions.REVISION) != str(number):
            notes = {**notes, revisions.REVISION: str(number)}
        status = dict(deployment.get("status") or {})
        if progress and rollout_status.has_deadline(deployment):
            reason, message = progress
            rollout_status.set_condition(
                status,
                rollout_status.made_condition(
                    "Progressing", state, reason=reason, message=message, now=self._cluster.clock()
                ),
            )
        numbered = notes != annotations_of(deployment)
        if not numbered and status == (deployment.get("status") or {}):
            return False
        changed = {**deployment, "status": status}
        if numbered:
            changed["metadata"] = {**metadata(deployment), "annotations": notes}
        written = self._cluster.update_status("deployments", changed)
        return bool(metadata(written)["resourceVersion"] != metadata(deployment)["resourceVersion"])

    # Strategies

    def _scale_only(self, deployment: Object, sets: list[Object]) -> float | None:
        new, wrote = self._synced_revision(deployment, sets, create=False)
        if wrote:
            return AT_ONCE
        old = [entry for entry in sets if entry is not new]
        self._apply(deployment, sets, rollout_plan.plan_scale(deployment, new, old))
        if deployment["spec"].get("paused"):
            self._clean_up(deployment, old)
        self._write_status(deployment, self._claimed_sets(deployment), counted_only=True)
        return None

    def _roll(self, deployment: Object, sets: list[Object]) -> float | None:
        """Every event of a pod brings us here, and most of them changed nothing that we look at."""
        key, status = key_of(deployment), deployment.get("status") or {}
        versions = [metadata(entry)["resourceVersion"] for entry in (deployment, *sets)]
        now, version = self._cluster.clock(), self._cluster.store.version
        if self._at_rest.get(key) == versions and not rollout_status.timed_out(
            deployment, status, now
        ):
            return rollout_status.deadline_in(deployment, status, now)
        again = self._step(deployment, sets)
        if self._cluster.store.version == version:
            self._at_rest[key] = versions
        else:
            self._at_rest.pop(key, None)
        return again

    def _step(self, deployment: Object, sets: list[Object]) -> float | None:
        new, wrote = self._synced_revision(deployment, sets, create=True)
        if wrote:
            self._write_none_updated(deployment, sets)
            return AT_ONCE
        assert new is not None  # noqa: S101 - nothing was written, so it was found
        old = [entry for entry in sets if entry is not new]
        plan = rollout_plan.plan_new(deployment, new, sets)
        if not plan:
            active = [entry for entry in old if replicas(entry) > 0]
            plan = rollout_plan.plan_old(deployment, new, active)
        return self._finish(deployment, new, old, plan)

    def _write_none_updated(self, deployment: Object, sets: list[Object]) -> None:
        """A ReplicaSet just made has no pods, and the status must say so once.

        Progress is measured against the last status: the first new pod only counts against none.
        """
        current = self._cluster.find("deployments", *key_of(deployment).split("/"))
        claimed = self._claimed_sets(deployment)
        if current is not None and len(claimed) > len(sets):
            self._write_status(current, claimed)

    def _recreate(self, deployment: Object, sets: list[Object]) -> float | None:
        """All old pods go, and are really gone, before the first new one is made."""
        new, wrote = self._synced_revision(deployment, sets, create=False)
        if wrote:
            return AT_ONCE
        old = [entry for entry in sets if entry is not new]
        down = [
            rollout_plan.Scale(metadata(entry)["name"], 0) for entry in old if replicas(entry) > 0
        ]
        if down or self._old_pods_run(old):
            return self._finish(deployment, new, old, down)
        if new is None:
            self._synced_revision(deployment, sets, create=True)
            self._write_none_updated(deployment, sets)
            return AT_ONCE
        return self._finish(deployment, new, old, rollout_plan.plan_new(deployment, new, sets))

    def _old_pods_run(self, old: t.Iterable[Object]) -> bool:
        return any(
            (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
            for entry in old
            for pod in self._cluster.controlled("pods", entry)
        )

    def _finish(
        self,
        deployment: Object,
        new: Object | None,
        old: list[Object],
        plan: list[rollout_plan.Scale],
    ) -> float | None:
        self._apply(deployment, [*old, *([new] if new else [])], plan)
        if not plan and rollout_status.complete(deployment, deployment.get("status") or {}):
            self._clean_up(deployment, old)
        return self._write_status(deployment, self._claimed_sets(deployment))

    # Writes

    def _apply(
        self, deployment: Object, sets: t.Iterable[Object], plan: t.Iterable[rollout_plan.Scale]
    ) -> None:
        by_name = {metadata(entry)["name"]: entry for entry in sets}
        for scale in plan:
            entry = by_name.pop(scale.name)
            self._resize(deployment, entry, scale.size)
        # Sets that keep their size still learn what they were sized for.
        for entry in by_name.values():
            if replicas(entry) > 0 and rollout_plan.scaling_event(deployment, [entry]):
                self._resize(deployment, entry, replicas(entry))

    def _resize(self, deployment: Object, entry: Object, size: int) -> None:
        before, name = replicas(entry), metadata(entry)["name"]
        changed = copied(entry)
        changed["spec"]["replicas"] = size
        notes = metadata(changed).setdefault("annotations", {})
        notes.update(revisions.size_annotations(deployment))
        if changed == entry:
            return
        self._cluster.update("replicasets", changed)
        if size != before:
            way = "up" if size > before else "down"
            message = f"Scaled {way} replica set {name} from {before} to {size}"
            self._events.normal(deployment, "ScalingReplicaSet", message)

    def _clean_up(self, deployment: Object, old: list[Object]) -> None:
        for entry in revisions.expired(deployment, old):
            self._cluster.delete("replicasets", entry)

    def _write_status(
        self, deployment: Object, sets: list[Object], *, counted_only: bool = False
    ) -> float | None:
        """Write the status if it moved; otherwise say when the progress deadline is due."""
        now = self._cluster.clock()
        new = revisions.find_new(deployment, sets)
        judge = rollout_status.counted_status if counted_only else rollout_status.rollout_status
        status = judge(deployment, new, sets, now)
        if status != (deployment.get("status") or {}):
            self._cluster.update_status("deployments", {**deployment, "status": status})
            return None
        return rollout_status.deadline_in(deployment, status, now)


def _settled(entry: Object) -> bool:
    return counter(entry, "observedGeneration") >= int(metadata(entry).get("generation", 0))
