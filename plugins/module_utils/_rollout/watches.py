# SPDX-License-Identifier: GPL-3.0-or-later
"""One watch of a kind for many who each watch a part of it: two requests for all waves, not two for each service.

A part is woken by what changes in it, and knows what a watch of its own would.
"""

from __future__ import annotations

import re
import typing as t

from .._cluster import Cluster, Object, Watch
from .._threads import Event, Lock

Wake = t.Callable[[], None]
Key = tuple[str, str]
"""A label with its value; of an object itself, its name behind an empty one."""
_EQUAL = re.compile(r"[^\s!=,()]+=[^\s!=,()]+")


class SharedWatches:
    """For the services of one task, inside `with`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._trunks: dict[str, Trunk] = {}
        self._lock = Lock()

    def __enter__(self) -> SharedWatches:
        return self

    def __exit__(self, *_exception: object) -> None:
        for trunk in self._trunks.values():
            trunk.close()

    def watch(self, kind: str, wake: Wake, **selectors: str) -> Watch:
        """As that of the cluster."""
        keys = keys_of(**selectors)
        if not keys:
            return self._cluster.watch(kind, wake, **selectors)
        with self._lock:
            trunk = self._trunks.get(kind) or Trunk(self._cluster, kind)
            self._trunks[kind] = trunk
        return trunk.part(wake, keys)


def keys_of(label_selector: str = "", field_selector: str = "") -> tuple[Key, ...]:
    """All that an object must have. Empty where a selector says more than that."""
    name = field_selector.removeprefix("metadata.name=")
    if name != field_selector:
        return (("", name),)
    parts = label_selector.split(",")
    if field_selector or not all(map(_EQUAL.fullmatch, parts)):
        return ()
    return tuple((key, value) for key, _equal, value in (part.partition("=") for part in parts))


class Part:
    """_cluster.Watch."""

    def __init__(self, trunk: Trunk, wake: Wake, keys: tuple[Key, ...]) -> None:
        self.wake = wake
        self.keys = keys
        self.bodies: dict[str, Object] = {}
        self._trunk = trunk

    def take(self, uid: str, body: Object | None) -> None:
        """A copy, for others read the one that is there."""
        others = {other: known for other, known in self.bodies.items() if other != uid}
        self.bodies = others if body is None else {**others, uid: body}

    def objects(self) -> t.Sequence[Object] | None:
        return [*self.bodies.values()] if self._trunk.knows else None

    def listed(self, seconds: float) -> bool:
        return self._trunk.answered.wait(seconds) and self._trunk.knows

    def close(self) -> None:
        self._trunk.leave(self)


class Trunk:
    """The one watch of a kind. It gives each object to the parts that it belongs to."""

    def __init__(self, cluster: Cluster, kind: str) -> None:
        self.answered = Event()
        self.knows = False
        self._seen: dict[int, Object] = {}
        """By what it is in memory: a watch keeps what has not changed."""
        self._parts: dict[Key, list[Part]] = {}
        """By the first of their keys."""
        self._lock = Lock()
        self._watch: Watch | None = None
        self._watch = cluster.watch(kind, self._woken)
        # It may have listed before it could be asked here.
        self._woken()

    def part(self, wake: Wake, keys: tuple[Key, ...]) -> Part:
        part = Part(self, wake, keys)
        with self._lock:
            part.bodies = {
                body["metadata"]["uid"]: body for body in self._seen.values() if has(keys, body)
            }
            self._parts.setdefault(keys[0], []).append(part)
        return part

    def leave(self, part: Part) -> None:
        with self._lock:
            self._parts[part.keys[0]].remove(part)

    def close(self) -> None:
        if self._watch:
            self._watch.close()

    def _woken(self) -> None:
        with self._lock:
            objects = self._watch.objects() if self._watch else None
            changed = self._give(objects or ())
            if self.knows != (objects is not None):
                changed = [part for parts in self._parts.values() for part in parts]
            self.knows = objects is not None
        if objects is not None:
            self.answered.set()
        for part in changed:
            part.wake()

    def _give(self, objects: t.Sequence[Object]) -> list[Part]:
        """The parts to which it gave or from which it took."""
        now = {id(body): body for body in objects}
        before, self._seen = self._seen, now
        changed: dict[int, Part] = {}
        for bodies, others, stays in ((before, now, False), (now, before, True)):
            # In their order: a set of addresses would wake the services in another one each time.
            for body in (body for number, body in bodies.items() if number not in others):
                for part in self._parts_of(body):
                    part.take(body["metadata"]["uid"], body if stays else None)
                    changed[id(part)] = part
        return [*changed.values()]

    def _parts_of(self, body: Object) -> t.Iterator[Part]:
        for key in keys_in(body):
            for part in self._parts.get(key, ()):
                if has(part.keys, body):
                    yield part


def keys_in(body: Object) -> list[Key]:
    metadata = body["metadata"]
    return [("", metadata["name"]), *(metadata.get("labels") or {}).items()]


def has(keys: t.Iterable[Key], body: Object) -> bool:
    present = keys_in(body)
    return all(key in present for key in keys)
