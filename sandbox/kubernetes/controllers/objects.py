# SPDX-License-Identifier: GPL-3.0-or-later
"""API objects in one vocabulary: owners, selectors, conditions and times; and the store as controllers see it.

Reads of the store do not copy.
"""

from __future__ import annotations

import functools
import time
import typing as t
from datetime import UTC, datetime

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.history import deep_copy
from sandbox.kubernetes.selectors import matches

if t.TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

Object = dict[str, t.Any]


def timestamp(seconds: float) -> str:
    """RFC 3339 with whole seconds, as metadata and conditions carry it."""
    return _timestamp(int(seconds))


@functools.lru_cache(maxsize=1024)
def _timestamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(stamp: str | None) -> float:
    """Seconds since the epoch of an RFC 3339 time; 0 for none."""
    if not stamp:
        return 0.0
    return datetime.fromisoformat(stamp).timestamp()


def metadata(obj: Object) -> Object:
    return t.cast("Object", obj["metadata"])


def key_of(obj: Object) -> str:
    """`namespace/name`, the word under which a controller queues an object."""
    head = obj["metadata"]
    return f"{head.get('namespace', '')}/{head['name']}"


def annotations_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def labels_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def terminating(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def replicas(obj: Object) -> int:
    """The wanted number of replicas; the API's default is one."""
    wanted = obj["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def counter(obj: Object, name: str) -> int:
    """A counter of the status; absent means zero, as the API leaves zeros out."""
    return int((obj.get("status") or {}).get(name) or 0)


def controller_of(obj: Object) -> Object | None:
    owner: Object
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner
    return None


def owner_reference(owner: Object, *, api_version: str, kind: str) -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": metadata(owner)["name"],
        "uid": metadata(owner)["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selected(selector: Object | None, carried: t.Mapping[str, str]) -> bool:
    """Whether labels match a LabelSelector. An empty or missing selector selects nothing."""
    if not selector or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return False
    return matches(selector, carried)


def condition(obj_status: Object, kind: str) -> Object | None:
    entry: Object
    for entry in obj_status.get("conditions") or ():
        if entry["type"] == kind:
            return entry
    return None


def pod_ready(pod: Object) -> bool:
    ready = condition(pod.get("status") or {}, "Ready")
    return ready is not None and ready["status"] == "True"


def pod_active(pod: Object) -> bool:
    """A pod that counts as a replica: neither finished nor on its way out."""
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not finished and not terminating(pod)


def pod_available(pod: Object, min_ready_seconds: int, now: float) -> bool:
    if not pod_ready(pod):
        return False
    ready = condition(pod["status"], "Ready") or {}
    return (
        not min_ready_seconds or seconds(ready.get("lastTransitionTime")) + min_ready_seconds <= now
    )


copied = deep_copy


class Cluster:
    """Objects it returns are shared with the store, and so is what is given to it: read them, copy before changing."""

    def __init__(self, store: Store, clock: t.Callable[[], float] = time.time) -> None:
        self.store = store
        self.clock = clock

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        try:
            return self.store.record(resource, namespace, name).body
        except ApiError as exc:
            if exc.status != 404:
                raise
            return None

    def all(self, resource: str, namespace: str = "") -> list[Object]:
        return [record.body for record in self.store.records(resource, namespace)]

    def controlled(self, resource: str, owner: Object) -> list[Object]:
        uid = metadata(owner)["uid"]
        return [
            entry
            for entry in self.owned(resource, uid)
            if (controller := controller_of(entry)) is not None and controller["uid"] == uid
        ]

    def owned(self, resource: str, uid: str) -> list[Object]:
        return [record.body for record in self.store.owned(resource, uid)]

    def uncontrolled(self, resource: str, namespace: str) -> list[Object]:
        records = self.store.uncontrolled(resource)
        return [record.body for record in records if record.namespace == namespace]

    def with_uid(self, uid: str) -> tuple[str, Object] | None:
        stored = self.store.with_uid(uid)
        return None if stored is None else (stored[0], stored[1].body)

    def create(self, resource: str, obj: Object) -> Object:
        return self.store.added(resource, obj).body

    def update(self, resource: str, obj: Object) -> Object:
        return self.store.replaced(resource, obj).body

    def update_status(self, resource: str, obj: Object) -> Object:
        return self.store.replaced(resource, obj, subresource="status").body

    def delete(self, resource: str, obj: Object, *, grace_seconds: int | None = None) -> None:
        """Delete this very object; that it is gone already, or another took its name, is fine."""
        try:
            self.store.delete(
                resource,
                metadata(obj).get("namespace", ""),
                metadata(obj)["name"],
                grace_seconds=grace_seconds,
                uid=metadata(obj)["uid"],
            )
        except ApiError as exc:
            if exc.status not in (404, 409):
                raise
