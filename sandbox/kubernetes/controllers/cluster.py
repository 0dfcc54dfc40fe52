# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers read and write of the API server's store. Reads do not copy."""

from __future__ import annotations

import time
import typing as t

from sandbox.kubernetes.controllers.objects import Object, controller_of, metadata
from sandbox.kubernetes.errors import ApiError

if t.TYPE_CHECKING:
    from sandbox.kubernetes.store import Store


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
        """The objects whose controller is `owner`."""
        uid = metadata(owner)["uid"]
        return [
            entry
            for entry in self.owned(resource, uid)
            if (controller := controller_of(entry)) is not None and controller["uid"] == uid
        ]

    def owned(self, resource: str, uid: str) -> list[Object]:
        """The objects that name `uid` as an owner."""
        return [record.body for record in self.store.owned(resource, uid)]

    def uncontrolled(self, resource: str, namespace: str) -> list[Object]:
        """The objects of a namespace that no owner controls."""
        records = self.store.uncontrolled(resource)
        return [record.body for record in records if record.namespace == namespace]

    def with_uid(self, uid: str) -> tuple[str, Object] | None:
        found = self.store.with_uid(uid)
        return None if found is None else (found[0], found[1].body)

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
