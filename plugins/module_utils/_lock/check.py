# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The deploy lock, asked by a task whose own work is not in the cluster: a database or an API, which know no fence."""

from __future__ import annotations

import functools
import typing as t

from .._cluster import Clock, MonotonicClock
from .._errors import InputError, UnreachableError
from .._kubernetes_client import KUBERNETES
from .._kubernetes_module import cluster_at
from .._library import refuse_missing
from .._module import Module, emit_progress
from .fence import Guard, NoGuard, guard_for

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
