# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the module deploy_lock: its claim, and the process that renews the lock afterwards."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace

from .._arguments import read_if_given, read_who_and_why, refuse_secrets
from .._cluster import Clock, Cluster, MonotonicClock
from .._errors import ConflictError, DeployError
from .._kubernetes import KubernetesCluster, actor_of
from .._kubernetes_client import Connection
from .._module import Module, emit_progress
from .._run_process import Run, alive, detach, end, identified, never_alive, wait_for_end
from .._time import now
from .apply import LockChange, Locking, WallClock
from .models import Lock, LockClaim, format_time
from .plan import is_ours, plan_free

LOOK_EVERY = 5.0
"""Seconds between two looks at most: so soon a keeper without a lock goes away."""
CALL = 5.0

Ended = t.Callable[[float], bool]
"""Waits up to so many seconds. Returns whether the run ended."""


@dataclass
class LeaseRenewer:
    """Renews one `lock` that was just taken. The keeper that it named before is dead, and replaced."""

    cluster: Cluster
    lock: Lock
    claim: LockClaim
    me: Run
    ended: Ended
    clock: Clock
    wall: WallClock = now
    _renewed: float | None = None

    def keep(self) -> None:
        """Until the run ends or the lock is seen to be another's. Trouble with the API is sat out."""
        pause = min(LOOK_EVERY, self.claim.duration / 3)
        while self._look():
            if self.ended(pause):
                self._give_back()
                return

    def _look(self) -> bool:
        """Whether it is still ours to keep."""
        try:
            lock = self._read()
            if lock is None or lock.keeper not in (None, self.me, self.lock.keeper):
                return False
            due = self.claim.duration / 3
            if self._renewed is None or self.clock.now() - self._renewed >= due:
                began = self.clock.now()
                moment = format_time(self.wall())
                self._write(replace(lock, renewed=moment, keeper=self.me))
                self._renewed = began
        except DeployError:
            return True
        return True

    def _give_back(self) -> None:
        """Give the lock back. After one duration without success it has lapsed anyway."""
        end = self.clock.now() + self.claim.duration
        while self.clock.now() < end:
            try:
                lock = self._read()
                if lock is not None:
                    self._write(plan_free(lock, self.claim, never_alive, force=False))
            except ConflictError:
                continue
            except DeployError:
                self.clock.sleep(1.0)
                continue
            return

    def _read(self) -> Lock | None:
        """The lock, if it is ours since our epoch."""
        body = self._soon().read("Lease", self.lock.name)
        lock = None if body is None else Lock.from_json(body)
        ours = lock is not None and is_ours(lock, self.claim) and lock.fence == self.lock.fence
        return lock if ours else None

    def _write(self, lock: Lock) -> None:
        self._soon().replace("Lease", lock.to_json(self.cluster.namespace))

    def _soon(self) -> Cluster:
        return self.cluster.until(self.clock.now() + CALL)


Params = t.Mapping[str, t.Any]


def claim_of(params: Params, run: Run | None) -> LockClaim:
    by_hand = params["manual"] and params["state"] == "held"
    read = read_who_and_why if params["force"] or by_hand else read_if_given
    (reason,) = read(reason=params["reason"])
    refuse_secrets(ticket=params["ticket"])
    return LockClaim(
        holder=actor_of({"actor": params["holder"]}),
        # A lock set by hand outlives the run that sets it.
        run=None if params["manual"] else run,
        release=params["release"] or "",
        reason=reason,
        ticket=params["ticket"] or "",
        purpose=params["purpose"],
        manual=params["manual"],
        duration=params["duration"],
    )


def locking_of(module: Module, cluster: Cluster, name: str, claim: LockClaim) -> Locking:
    """It tells of its waiting."""
    return Locking(
        cluster,
        name,
        claim,
        clock=MonotonicClock(),
        alive=alive,
        report=lambda text: emit_progress(module, "LockWaiting", text, {"name": name}),
    )


def take(
    module: Module, locking: Locking, claim: LockClaim, *, wait: int, fence: int, force: bool
) -> LockChange:
    """Take or renew it, and see to it that something goes on with that while the run lives, and frees it afterwards."""
    change = locking.hold(wait=wait, fence=fence, force=force, check_mode=module.check_mode)
    run, lock = claim.run, change.after
    renewed = lock.keeper is not None and alive(lock.keeper)
    if run is not None and lock.run == run and not (lock.manual or module.check_mode or renewed):
        connection = Connection.from_params(module.params)
        detach(lambda: _keeper(connection, lock, claim, run).keep())
    if change.changed and change.before.holder:
        module.warn(f"The lock was taken over from {change.before.holder}: {change.why}.")
    return change


def dismiss(lock: Lock) -> None:
    """End the keeper of a lock that was given back. It would notice by itself, some seconds later."""
    if lock.keeper is not None:
        end(lock.keeper)


def _keeper(connection: Connection, lock: Lock, claim: LockClaim, run: Run) -> LeaseRenewer:
    """Made in the keeper's own process, for its connection must be its own."""
    return LeaseRenewer(
        KubernetesCluster(connection),
        lock,
        claim,
        me=identified(os.getpid()),
        ended=lambda seconds: wait_for_end(run, seconds),
        clock=MonotonicClock(),
    )
