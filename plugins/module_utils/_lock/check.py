# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The deploy lock, asked by a task whose own work is not in the cluster: a database or an API, which know no fence."""

from __future__ import annotations

import typing as t

from .._cluster import MonotonicClock
from .._errors import InputError
from .._kubernetes_client import KUBERNETES
from .._kubernetes_module import cluster_at
from .._library import refuse_missing
from .._module import Module
from .fence import guard_for

Check = t.Callable[[], None]
"""Called before each write; raises LeaseLostError, FrozenError, or UnreachableError when neither can be told."""


def no_check() -> None:
    """For a task that was given no lock."""


def lock_check(module: Module) -> Check:
    """By the options of `lock_check_options`. InputError when they do not say in which cluster."""
    params = module.params
    if not params["fence"]:
        return no_check
    if not params["kubernetes"]:
        raise InputError("Option 'fence' needs 'kubernetes': set the cluster of the deploy lock.")
    refuse_missing([KUBERNETES])
    cluster = cluster_at(module, params["kubernetes"])
    guard = guard_for(cluster, params["fence"], clock=MonotonicClock(), name=params["lock"])

    def check() -> None:
        guard.check()
        # Anew, when that answer was long on its way: nobody refuses here what comes too late.
        guard.check()

    return check
