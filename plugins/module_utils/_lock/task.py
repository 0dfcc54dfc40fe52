# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One task of the module deploy_lock: whose claim it is, what it does, and who keeps the lock afterwards."""

from __future__ import annotations

import os
import typing as t

from .._cluster import MonotonicClock
from .._errors import InputError
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import Connection
from .._kubernetes_module import actor_of
from .._run import Run
from .._run_process import alive, detach, end, identified, wait_for_end
from .models import Claim, Lock
from .renewer import LeaseRenewer

Params = t.Mapping[str, t.Any]


def claim_of(params: Params, run: Run | None) -> Claim:
    if params["force"] and not (params["reason"] or "").strip():
        raise InputError(
            "'reason' is missing: taking a lock by force needs a reason for its holder."
        )
    if params["manual"] and params["state"] == "held" and not (params["reason"] or "").strip():
        raise InputError("'reason' is missing: a lock set by hand needs a reason for others.")
    return Claim(
        holder=actor_of({"actor": params["holder"]}),
        # What is set by hand outlives the run that sets it.
        run=None if params["manual"] else run,
        release=params["release"] or "",
        reason=(params["reason"] or "").strip(),
        ticket=params["ticket"] or "",
        purpose=params["purpose"],
        manual=params["manual"],
        duration=params["duration"],
    )


def keep(connection: Connection, lock: Lock, claim: Claim) -> None:
    """See to it that something renews the lock while the run lives, and frees it afterwards."""
    run = claim.run
    if run is None or lock.manual or lock.run != run:
        return
    if lock.keeper is not None and alive(lock.keeper):
        return
    detach(lambda: _keeper(connection, lock, claim, run).keep())


def dismiss(lock: Lock) -> None:
    """End the keeper of a lock that was given back. It would notice by itself, some seconds later."""
    if lock.keeper is not None:
        end(lock.keeper)


def _keeper(connection: Connection, lock: Lock, claim: Claim, run: Run) -> LeaseRenewer:
    """Made in the keeper's own process, for its connection must be its own."""
    return LeaseRenewer(
        KubernetesCluster(connection),
        lock,
        claim,
        me=identified(os.getpid()),
        ended=lambda seconds: wait_for_end(run, seconds),
        clock=MonotonicClock(),
    )
