# SPDX-License-Identifier: GPL-3.0-or-later
"""The check before each mutation: this run still holds the lock, also for work outside the lock's cluster."""

from __future__ import annotations

import functools
import typing as t

from .._cluster import Clock, Cluster, MonotonicClock
from .._errors import DeployError, InputError, UnreachableError, refuse_missing
from .._kubernetes import cluster_at
from .._kubernetes_client import KUBERNETES
from .._module import Module, emit_progress
from .._time import now
from .apply import LEASE, WallClock, read_freeze
from .models import UNDO, Lock
from .plan import frozen, lost

FRESH = 5.0
"""Seconds for which one look at lock and freeze counts."""


class LeaseCheck:
    """`fence` is the epoch at which the run took the lock. A takeover raises the lock's epoch."""

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
        """Raise LeaseLostError or FrozenError; UnreachableError when the lock cannot be read.

        `fresh`: an earlier check does not count. A freeze does not stop a run that holds the lock to roll back.
        """
        started = self._clock.now()
        if not fresh and self._passed is not None and started - self._passed < FRESH:
            return
        body = self._cluster.read("Lease", self._name)
        lock = Lock(name=self._name) if body is None else Lock.from_json(body)
        if not lock.holder or lock.fence != self._fence:
            raise lost(lock, self._fence)
        freeze = read_freeze(self._cluster, self._wall()) if lock.purpose != UNDO else None
        if freeze is not None:
            raise frozen(freeze)
        # The time before the request: the response may have been long on its way.
        self._passed = started


def epoch_now(cluster: Cluster) -> int:
    """The epoch of the deploy lock, held or free; 0 when it cannot be read: a kill switch must not fail for it."""
    try:
        body = cluster.read("Lease", LEASE)
        return 0 if body is None else Lock.from_json(body).fence
    except DeployError:
        return 0


class NoLeaseCheck:
    """For tasks that were given no lock."""

    def check(self, *, fresh: bool = False) -> None:  # noqa: ARG002 - it has nothing to look at
        return


NO_LEASE_CHECK = NoLeaseCheck()


def lease_check_for(
    cluster: Cluster, fence: int, *, clock: Clock, name: str | None = None
) -> LeaseCheck | NoLeaseCheck:
    """The guard of a task's options `fence` and `lock`; a fence of 0 means that there is no lock."""
    return LeaseCheck(cluster, name or LEASE, fence, clock=clock) if fence else NO_LEASE_CHECK


AGAIN = 5.0
"""Seconds until a cluster that was out of reach is tried again."""

Report = t.Callable[[str, str, dict[str, t.Any]], None]
Check = t.Callable[[], None]
"""Called before each write; raises LeaseLostError, FrozenError, or UnreachableError without a readable lock."""


def no_check() -> None:
    """For a task that was given no lock."""


def lock_check(module: Module, *, patience: float = 0.0) -> Check:
    """By the options of the fragment `_lock_check`. InputError when they do not say in which cluster.

    `patience`: seconds for which a cluster out of reach is tried again, where a failure throws away long work.
    """
    params = module.params
    if not params["fence"]:
        return no_check
    if not params["kubernetes"]:
        raise InputError("Option 'fence' needs 'kubernetes': set the cluster of the deploy lock.")
    refuse_missing([KUBERNETES])
    cluster, clock = cluster_at(module, params["kubernetes"]), MonotonicClock()
    guard = lease_check_for(cluster, params["fence"], clock=clock, name=params["lock"])
    return check_of(guard, clock, patience, functools.partial(emit_progress, module))


def check_of(
    guard: LeaseCheck | NoLeaseCheck, clock: Clock, patience: float, report: Report
) -> Check:
    def check() -> None:
        give_up = clock.now() + patience
        while True:
            try:
                guard.check()
                # Again, for a slow first response may be stale: a database refuses no late statement.
                guard.check()
            except UnreachableError as exc:
                left = give_up - clock.now()
                if left <= 0:
                    raise
                message = (
                    f"The deploy lock is out of sight: {exc} It is asked for another {left:.0f} s."
                )
                report("LockUnknown", message, {})
                clock.sleep(AGAIN)
            else:
                return

    return check
