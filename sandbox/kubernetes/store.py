# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the cluster: every write is checked, versioned and sent to watchers.

Synchronous and single-threaded on purpose: called on the event loop, each call is one transaction.
"""

from __future__ import annotations

import builtins

from sandbox.kubernetes import lifecycle
from sandbox.kubernetes.admission import ClusterRules
from sandbox.kubernetes.errors import (
    ApiError,
    Object,
    already_exists,
    bad_request,
    forbidden,
    not_found,
)
from sandbox.kubernetes.history import Event, History, Ownership, Record, Subscription, deep_copy
from sandbox.kubernetes.resources import STORED, Resource

Key = tuple[str, str]
"""Namespace ("" for what has none) and name."""


class Store:
    """Objects by resource plural, namespace and name. What it returns is the caller's own copy, but for records."""

    def __init__(self, rules: ClusterRules | None = None) -> None:
        self._rules = rules or ClusterRules()
        self._objects: dict[str, dict[Key, Record]] = {name: {} for name in STORED}
        self._histories = {name: History() for name in STORED}
        self._ownership = Ownership()
        self._version = 1
        self._forgotten = 0

    @property
    def version(self) -> str:
        return str(self._version)

    def get(self, resource: str, namespace: str, name: str) -> Object:
        return self.record(resource, namespace, name).copy()

    def list(self, resource: str, namespace: str = "") -> builtins.list[Object]:
        """Every object, or those of one namespace, ordered by namespace and name."""
        return [record.copy() for record in self.records(resource, namespace)]

    def record(self, resource: str, namespace: str, name: str) -> Record:
        kind = STORED[resource]
        try:
            return self._objects[resource][namespace if kind.namespaced else "", name]
        except KeyError:
            raise not_found(kind, name) from None

    def records(self, resource: str, namespace: str = "") -> builtins.list[Record]:
        objects = self._objects[resource]
        return [objects[key] for key in sorted(objects) if not namespace or key[0] == namespace]

    def with_uid(self, uid: str) -> tuple[str, Record] | None:
        where = self._ownership.find(uid)
        return None if where is None else (where[0], self._objects[where[0]][where[1]])

    def owned(self, resource: str, uid: str) -> builtins.list[Record]:
        objects = self._objects[resource]
        return [objects[key] for key in sorted(self._ownership.owned(resource, uid))]

    def uncontrolled(self, resource: str) -> builtins.list[Record]:
        objects = self._objects[resource]
        return [objects[key] for key in sorted(self._ownership.uncontrolled(resource))]

    def subscribe(self, resource: str, *, expires: bool = False) -> Subscription:
        """Events from now on: subscribe first, then list, and nothing is missed.

        One that `expires` ends when histories are expired, as a client's watch does.
        """
        return self._histories[resource].subscribe(expires=expires)

    def events_since(self, resource: str, version: int) -> builtins.list[Event]:
        return self._histories[resource].since(version)

    def expire_histories(self) -> None:
        """Forget what happened, as etcd's compaction does: watches must list anew."""
        self._version += 1
        self._forgotten = self._version
        for history in self._histories.values():
            history.expire(self._version)

    def is_forgotten(self, version: int) -> bool:
        return version < self._forgotten

    def create(self, resource: str, obj: Object, *, dry_run: bool = False) -> Object:
        return self.added(resource, deep_copy(obj), dry_run=dry_run).copy()

    def added(self, resource: str, obj: Object, *, dry_run: bool = False) -> Record:
        """`create` for who leaves `obj` to the store, and only reads what became of it."""
        kind = STORED[resource]
        given = obj.get("metadata") or {}
        if given.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        new = lifecycle.born(kind, obj, lifecycle.now())
        self._rules.default(kind, new)
        self._rules.mutate(kind, new)
        self._rules.validate(kind, new, None)
        self._require_namespace(kind, new)
        key = self._key(kind, new)
        if key in self._objects[resource]:
            raise already_exists(kind, key[1])
        self._rules.admit(self, kind, new)
        if dry_run:
            del new["metadata"]["resourceVersion"]
            return Record(new, 0)
        return self._write("ADDED", kind, key, new)

    def update(
        self, resource: str, obj: Object, *, subresource: str = "", dry_run: bool = False
    ) -> Object:
        """Replace. A resourceVersion or uid in `obj` must still be the stored one (409)."""
        own = deep_copy(obj)
        return self.replaced(resource, own, subresource=subresource, dry_run=dry_run).copy()

    def replaced(
        self, resource: str, obj: Object, *, subresource: str = "", dry_run: bool = False
    ) -> Record:
        """`update` for who leaves `obj` to the store, and only reads what became of it."""
        kind = STORED[resource]
        metadata = obj["metadata"]
        record = self.record(resource, metadata.get("namespace", ""), metadata["name"])
        lifecycle.check_preconditions(
            kind, record.body, metadata.get("uid", ""), metadata.get("resourceVersion", "")
        )
        new = lifecycle.changed(kind, record.body, obj, subresource)
        if not subresource:
            self._rules.default(kind, new)
            self._rules.mutate(kind, new)
            new = self._generation_settled(kind, record.body, new)
        if subresource != "status":
            self._rules.validate(kind, new, record.body)
        new["metadata"]["resourceVersion"] = record.body["metadata"]["resourceVersion"]
        if new == record.body:
            return record
        if dry_run:
            return Record(new, 0)
        key = self._key(kind, new)
        if self._is_finished(new):
            return self._remove(kind, key, new)
        return self._write("MODIFIED", kind, key, new)

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        grace_seconds: int | None = None,
        uid: str = "",
        version: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Delete or mark for deletion; returns the object as it last was.

        A pod on a node is marked with its grace and goes when its kubelet says 0. An object with
        finalizers is marked and goes when the last is taken off. The garbage collector sees to
        its dependents.
        """
        kind = STORED[resource]
        record = self.record(resource, namespace, name)
        lifecycle.check_preconditions(kind, record.body, uid, version)
        grace = lifecycle.grace_period(kind, record.body, grace_seconds)
        if kind.plural == "namespaces":
            return self._terminate_namespace(kind, record, dry_run)
        if dry_run:
            return record.copy()
        if not grace and not record.body["metadata"].get("finalizers"):
            key, body = self._key(kind, record.body), record.body
            if body["metadata"].get("deletionGracePeriodSeconds"):
                # A grace that is cut short is told of before the end, as recorded of a real server.
                body = self._write("MODIFIED", kind, key, _without_grace(body)).body
            return self._remove(kind, key, body).copy()
        if not self._deletion_moves(record.body, grace):
            return record.copy()
        marked = lifecycle.marked_for_deletion(record.body, grace, lifecycle.now())
        return self._write("MODIFIED", kind, self._key(kind, marked), marked).copy()

    @staticmethod
    def _deletion_moves(current: Object, grace: int) -> bool:
        """Whether deleting again says anything new: a shorter grace."""
        metadata = current["metadata"]
        if "deletionTimestamp" not in metadata:
            return True
        return grace < int(metadata.get("deletionGracePeriodSeconds", 0))

    @staticmethod
    def _generation_settled(kind: Resource, current: Object, new: Object) -> Object:
        """Defaulting can undo an apparent change, so the generation is decided after it."""
        if kind.has_generation:
            generation = current["metadata"].get("generation", 0)
            if lifecycle.spec_changed(kind, current, new):
                generation += 1
            new["metadata"]["generation"] = generation
        return new

    @staticmethod
    def _key(kind: Resource, obj: Object) -> Key:
        metadata = obj["metadata"]
        return (metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])

    @staticmethod
    def _is_finished(obj: Object) -> bool:
        """Marked for deletion with nothing left that holds it."""
        metadata = obj["metadata"]
        if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
            return False
        if obj["kind"] == "Namespace":
            return not obj.get("spec", {}).get("finalizers")
        return not metadata.get("deletionGracePeriodSeconds")

    def _require_namespace(self, kind: Resource, obj: Object) -> None:
        if not kind.namespaced:
            return
        namespace = obj["metadata"]["namespace"]
        body = self.record("namespaces", "", namespace).body
        if "deletionTimestamp" in body["metadata"]:
            why = "unable to create new content in namespace {} because it is being terminated"
            raise forbidden(kind, obj["metadata"]["name"], why.format(namespace))

    def _write(self, event: str, kind: Resource, key: Key, obj: Object) -> Record:
        self._version += 1
        obj = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self._version)}}
        record = Record(obj, self._version)
        previous = self._objects[kind.plural].get(key)
        self._objects[kind.plural][key] = record
        metadata = obj["metadata"]
        owners = None if previous is None else previous.body["metadata"].get("ownerReferences")
        if previous is None or owners != metadata.get("ownerReferences"):
            self._ownership.enter(kind.plural, key, metadata)
        self._histories[kind.plural].append(Event(event, record, previous))
        return record

    def _remove(self, kind: Resource, key: Key, obj: Object) -> Record:
        self._version += 1
        previous = self._objects[kind.plural].pop(key)
        self._ownership.leave(kind.plural, key, previous.body["metadata"])
        metadata = obj["metadata"] | {"resourceVersion": str(self._version)}
        if kind.plural == "pods" and "deletionTimestamp" in metadata:
            metadata["deletionGracePeriodSeconds"] = 0
        record = Record(obj | {"metadata": metadata}, self._version)
        self._histories[kind.plural].append(Event("DELETED", record, previous))
        if kind.namespaced:
            self._finish_namespace(key[0])
        return record

    def _terminate_namespace(self, kind: Resource, record: Record, dry_run: bool) -> Object:
        """Empty it; the namespace itself goes with the last object in it."""
        name = record.body["metadata"]["name"]
        if name in ("default", "kube-system", "kube-public"):
            raise forbidden(kind, name, "this namespace may not be deleted")
        if dry_run:
            return record.copy()
        if "deletionTimestamp" not in record.body["metadata"]:
            marked = lifecycle.marked_for_deletion(record.body, 0, lifecycle.now())
            del marked["metadata"]["deletionGracePeriodSeconds"]
            marked["status"] = {"phase": "Terminating"}
            record = self._write("MODIFIED", kind, ("", name), marked)
        for plural, resource in STORED.items():
            if resource.namespaced:
                for content in self.records(plural, name):
                    self._delete_quietly(plural, name, content.body["metadata"]["name"])
        self._finish_namespace(name)
        return record.copy()

    def _delete_quietly(self, resource: str, namespace: str, name: str) -> None:
        try:
            self.delete(resource, namespace, name)
        except ApiError as exc:
            if exc.status != 404:
                raise

    def _finish_namespace(self, name: str) -> None:
        record = self._objects["namespaces"].get(("", name))
        if record is None or "deletionTimestamp" not in record.body["metadata"]:
            return
        if any(key[0] == name for objects in self._objects.values() for key in objects):
            return
        self._remove(STORED["namespaces"], ("", name), record.body)


def _without_grace(body: Object) -> Object:
    return body | {"metadata": body["metadata"] | {"deletionGracePeriodSeconds": 0}}
