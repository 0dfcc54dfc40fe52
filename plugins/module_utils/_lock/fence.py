# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What stands before each mutation: the lock is still this run's, and nobody froze what it does."""

from __future__ import annotations

from .._cluster import Clock, Cluster
from .._errors import DeployError
from .._time import now
from .apply import LEASE, WallClock, read_freeze
from .models import UNDO, Lock
from .plan import frozen, lost

FRESH = 5.0
"""Seconds for which one look at lock and freeze counts."""


class Guard:
    """`fence` is the epoch at which the run took the lock: whoever takes it over raises it."""

    def __init__(
        self, cluster: Cluster, name: str, fence: int, *, clock: Clock, wall: WallClock = now
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._fence = fence
        self._clock = clock
        self._wall = wall
        self._passed: float | None = None

    def check(self, *, fresh: bool = False) -> None:
        """Raise LeaseLostError or FrozenError; UnreachableError when neither can be told.

        `fresh`: an earlier look does not count. A freeze does not stop who holds the lock to go back.
        """
        asked = self._clock.now()
        if not fresh and self._passed is not None and asked - self._passed < FRESH:
            return
        body = self._cluster.read("Lease", self._name)
        lock = Lock(name=self._name) if body is None else Lock.from_json(body)
        if not lock.holder or lock.fence != self._fence:
            raise lost(lock, self._fence)
        found = read_freeze(self._cluster, self._wall()) if lock.purpose != UNDO else None
        if found is not None:
            raise frozen(found)
        # From when it was asked, for the answer may have been long on its way.
        self._passed = asked


def epoch_now(cluster: Cluster) -> int:
    """The epoch of the deploy lock, held or free; 0 when it cannot be told, for a kill switch must not fail for it."""
    try:
        body = cluster.read("Lease", LEASE)
        return 0 if body is None else Lock.from_json(body).fence
    except DeployError:
        return 0


class NoGuard:
    """For tasks that were given no lock."""

    def check(self, *, fresh: bool = False) -> None:  # noqa: ARG002 - it has nothing to look at
        return


NO_GUARD = NoGuard()


def guard_for(
    cluster: Cluster, fence: int, *, clock: Clock, name: str | None = None
) -> Guard | NoGuard:
    """The guard of a task's options `fence` and `lock`; a fence of 0 means that there is no lock."""
    return Guard(cluster, name or LEASE, fence, clock=clock) if fence else NO_GUARD
