# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written by compare-and-swap: lock, record, pins and flags, each over what was read of it."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.routing import parse_path

from ..platform import FLAGS
from .history import LEASE, PINS, RECORDS, History, Write
from .sentences import NOTHING_LOST

if t.TYPE_CHECKING:
    from ..scheduler import Process
    from ..tasks import Did
    from ..world import Request

SWAPPED = {("leases", LEASE), *(("configmaps", name) for name in (*RECORDS, *PINS, FLAGS))}


class SwapInvariants:
    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[tuple[str, str, str], str] = {}
        """The version that a run read or wrote last, by the run and the object; "" for none there."""

    def requested(self, request: Request) -> None:
        target = parse_path(request.path)
        if request.method != "GET" or request.process is None or target is None or not target.name:
            return
        plural = target.resource.plural
        if (plural, target.name) in SWAPPED and request.status in (200, 404):
            self._learn(request.process.name, plural, target.name)

    def written(self, write: Write) -> None:
        if (write.plural, write.name) not in SWAPPED:
            return
        key = (write.by, write.plural, write.name)
        if write.ours and write.by and key in self._known:
            over = _version(write.before)
            self._history.check(
                NOTHING_LOST,
                over == self._known[key],
                f"{write.by} read {write.plural}/{write.name} at version {self._known[key] or 'none'}, "
                f"and wrote over version {over or 'none'}",
            )
        self._learn(*key)

    def claimed(self, process: Process, did: Did) -> None:
        """It is seen at the write."""

    def _learn(self, by: str, plural: str, name: str) -> None:
        self._known[by, plural, name] = _version(self._history.find(plural, name))


def _version(body: t.Any) -> str:
    return "" if body is None else str(body["metadata"]["resourceVersion"])
