# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before each mutation: the lock is still this run's, also for work outside the lock's cluster."""

from __future__ import annotations

import functools
import typing as t

from .._cluster import Clock, Cluster, MonotonicClock
from .._errors import DeployError, InputError, UnreachableError
from .._kubernetes_client import KUBERNETES
from .._kubernetes_module import cluster_at
from .._library import refuse_missing
from .._module import Module, emit_progress
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


AGAIN = 5.0
"""Seconds until a cluster that was out of reach is asked again."""

Report = t.Callable[[str, str, dict[str, t.Any]], None]
Check = t.Callable[[], None]
"""Called before each write; raises LeaseLostError, FrozenError, or UnreachableError when neither can be told."""


def no_check() -> None:
    """For a task that was given no lock."""


def lock_check(module: Module, *, patience: float = 0.0) -> Check:
    """By the options of the fragment `_lock_check`. InputError when they do not say in which cluster.

    `patience`: seconds for which a cluster that is out of reach is asked again, where a failure throws away long work.
    """
    params = module.params
    if not params["fence"]:
        return no_check
    if not params["kubernetes"]:
        raise InputError("Option 'fence' needs 'kubernetes': set the cluster of the deploy lock.")
    refuse_missing([KUBERNETES])
    cluster, clock = cluster_at(module, params["kubernetes"]), MonotonicClock()
    guard = guard_for(cluster, params["fence"], clock=clock, name=params["lock"])
    return check_of(guard, clock, patience, functools.partial(emit_progress, module))


def check_of(guard: Guard | NoGuard, clock: Clock, patience: float, report: Report) -> Check:
    def check() -> None:
        give_up = clock.now() + patience
        while True:
            try:
                guard.check()
                # Anew, when that answer was long on its way: a database refuses nothing that comes too late.
                guard.check()
            except UnreachableError as exc:
                left = give_up - clock.now()
                if left <= 0:
                    raise
                told = (
                    f"The deploy lock is out of sight: {exc} It is asked for another {left:.0f} s."
                )
                report("LockUnknown", told, {})
                clock.sleep(AGAIN)
            else:
                return

    return check
