# SPDX-License-Identifier: GPL-3.0-or-later
"""The garbage collector: deletes objects without an owner, dependents of a deletion, and old events."""

from __future__ import annotations

import asyncio
import typing as t

from sandbox.kubernetes.controllers.events import expired_events
from sandbox.kubernetes.controllers.objects import Object, copied, metadata, terminating

if t.TYPE_CHECKING:
    from sandbox.kubernetes.controllers.objects import Cluster

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
COLLECTED = ("deployments", "replicasets", "pods", "endpointslices", "configmaps", "secrets")
OWNERS = ("deployments", "replicasets", "services", "pods", "configmaps")
EVENTS_EVERY = 60.0


class GarbageCollector:
    """Keys are uids of owners that went or are to go, or `resource/namespace/name` of one that waits."""

    name = "garbage-collector"
    watched = tuple(dict.fromkeys((*OWNERS, *COLLECTED)))

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def keys(self, resource: str, obj: Object, previous: Object | None) -> t.Iterable[str]:
        found = [f"{resource}/{metadata(obj)['namespace']}/{metadata(obj)['name']}"]
        found += [f"owner/{owner['uid']}" for owner in metadata(obj).get("ownerReferences") or ()]
        # Whether it still stands, the reconciliation sees for itself.
        return [*found, f"owner/{metadata(obj)['uid']}"] if previous is not None else found

    def reconcile(self, key: str) -> float | None:
        if key.startswith("owner/"):
            self._settle_dependents(key.removeprefix("owner/"))
            return None
        resource, namespace, name = key.split("/")
        obj = self._cluster.find(resource, namespace, name)
        if obj is not None and terminating(obj):
            self._release(resource, obj)
        return None

    def _find_owner(self, uid: str) -> tuple[str, Object] | None:
        found = self._cluster.with_uid(uid)
        return found if found is not None and found[0] in OWNERS else None

    def _dependents(self, uid: str) -> list[tuple[str, Object]]:
        return [
            (resource, obj) for resource in COLLECTED for obj in self._cluster.owned(resource, uid)
        ]

    def _settle_dependents(self, uid: str) -> None:
        found = self._find_owner(uid)
        if found is not None:
            if terminating(found[1]):
                self._release(*found)
            return
        for resource, obj in self._dependents(uid):
            others = [o["uid"] for o in metadata(obj)["ownerReferences"] if o["uid"] != uid]
            if terminating(obj) or any(self._find_owner(other) for other in others):
                continue
            self._cluster.delete(resource, obj)

    def _release(self, resource: str, obj: Object) -> None:
        """Do what the finalizer of an object to be deleted asks, then take the finalizer off."""
        finalizers = metadata(obj).get("finalizers") or []
        dependents = self._dependents(metadata(obj)["uid"])
        if ORPHAN in finalizers:
            for kind, dependent in dependents:
                changed = copied(dependent)
                metadata(changed)["ownerReferences"] = [
                    owner
                    for owner in metadata(changed)["ownerReferences"]
                    if owner["uid"] != metadata(obj)["uid"]
                ]
                self._cluster.update(kind, changed)
            self._without(resource, obj, ORPHAN)
        elif FOREGROUND in finalizers:
            for kind, dependent in dependents:
                if not terminating(dependent):
                    self._cluster.store.delete(
                        kind,
                        metadata(dependent)["namespace"],
                        metadata(dependent)["name"],
                        propagation="Background" if kind == "pods" else "Foreground",
                        uid=metadata(dependent)["uid"],
                    )
            if not self._dependents(metadata(obj)["uid"]):
                self._without(resource, obj, FOREGROUND)

    def _without(self, resource: str, obj: Object, finalizer: str) -> None:
        current = self._cluster.find(resource, metadata(obj)["namespace"], metadata(obj)["name"])
        if current is None:
            return
        changed = copied(current)
        metadata(changed)["finalizers"] = [
            entry for entry in metadata(changed).get("finalizers") or () if entry != finalizer
        ]
        self._cluster.update(resource, changed)


async def expire_events(cluster: Cluster) -> None:
    """Delete events an hour after they last happened."""
    while True:
        await asyncio.sleep(EVENTS_EVERY)
        for event in expired_events(cluster.all("events"), cluster.clock()):
            cluster.delete("events", event)
