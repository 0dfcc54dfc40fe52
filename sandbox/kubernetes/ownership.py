# SPDX-License-Identifier: GPL-3.0-or-later
"""An index of owners, updated with every write: without it each lookup would read all objects."""

from __future__ import annotations

import typing as t
from collections import defaultdict

if t.TYPE_CHECKING:
    from sandbox.kubernetes.errors import Object

Key = tuple[str, str]
"""Namespace ("" for what has none) and name."""

NOBODY = ""
"""Stands for the owner of what no owner controls."""


class Ownership:
    def __init__(self) -> None:
        self._where: dict[str, tuple[str, Key]] = {}
        self._owners: dict[str, frozenset[str]] = {}
        self._owned: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)

    def enter(self, resource: str, key: Key, metadata: Object) -> None:
        """An object as it was written."""
        uid, owners = metadata["uid"], _owners(metadata)
        if self._owners.get(uid) == owners:
            return
        self.leave(resource, key, metadata)
        self._where[uid] = resource, key
        self._owners[uid] = owners
        for owner in owners:
            self._owned[resource, owner].add(key)

    def leave(self, resource: str, key: Key, metadata: Object) -> None:
        self._where.pop(metadata["uid"], None)
        for owner in self._owners.pop(metadata["uid"], ()):
            left = self._owned[resource, owner]
            left.discard(key)
            if not left:
                del self._owned[resource, owner]

    def find(self, uid: str) -> tuple[str, Key] | None:
        return self._where.get(uid)

    def owned(self, resource: str, uid: str) -> t.Collection[Key]:
        return self._owned.get((resource, uid), ())

    def uncontrolled(self, resource: str) -> t.Collection[Key]:
        return self.owned(resource, NOBODY)


def _owners(metadata: Object) -> frozenset[str]:
    owners = metadata.get("ownerReferences") or ()
    uids = {owner["uid"] for owner in owners}
    if not any(owner.get("controller") for owner in owners):
        uids.add(NOBODY)
    return frozenset(uids)
