# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the lock, wait for it, and give it back: each write bound to the version that was read.

Before each mutation, also outside the lock's cluster, it is checked that this run still holds the lock.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._cluster import Clock, Cluster, MonotonicClock, Tries
from .._errors import (
    ConflictError,
    DeployError,
    InputError,
    RefusedError,
    UnreachableError,
)
from .._kubernetes import cluster_elsewhere
from .._module import Module, emit_progress
from .._run_process import Alive
from .._time import now
from .models import UNDO, DeployFreeze, Lock, LockClaim, fence_of
from .plan import (
    BLOCKED,
    TAKEN,
    LockStep,
    check_fence,
    describe,
    frozen,
    locked,
    looks_abandoned,
    lost,
    plan_free,
    plan_held,
)

LEASE, FREEZE = "easymo-deploy", "deploy-freeze"
PATIENCE = 60.0
"""Seconds to wait for an API server that does not answer."""
MARGIN = 2.0

WallClock = t.Callable[[], datetime]
Report = t.Callable[[str], None]


@dataclass(frozen=True)
class LockChange:
    """The change of the lock; in check mode the one that would be written."""

    before: Lock
    after: Lock
    changed: bool
    why: str = ""

    def to_result(self) -> dict[str, t.Any]:
        return {
            "changed": self.changed,
            "lock": self.after.to_result(),
            "fence": self.after.fence,
            "stolen_from": self.after.stolen_from if self.changed and self.after.holder else "",
        }

    def to_diff(self) -> dict[str, t.Any]:
        # A renewal is no change, so it shows no difference either.
        after = self.after if self.changed else self.before
        return {"before": self.before.to_face(), "after": after.to_face()}


@dataclass
class Locking:
    """One lock of one namespace, as one claimant sees it."""

    cluster: Cluster
    name: str
    claim: LockClaim
    clock: Clock
    alive: Alive
    wall: WallClock = now
    report: Report = lambda _text: None

    def hold(
        self, *, wait: float = 0, fence: int = 0, force: bool = False, check_mode: bool = False
    ) -> LockChange:
        """Take or renew it, waiting up to `wait` seconds for another's.

        A lock that looks abandoned is watched for its duration even without `wait`: no person is needed to get it
        back. With `fence` it must be held since that epoch. How long it was not changed is measured here: clocks
        elsewhere may lie.
        """
        deadline, reported = self.clock.now() + wait, ""
        last, since, renewed = ("", "", ""), 0.0, False
        self._refuse_frozen()
        while True:
            lock = self.read()
            check_fence(lock, self.claim, fence)
            face = (lock.resource_version, lock.renewed, lock.holder)
            if face != last:
                renewed = last[0] != "" and last[2] == lock.holder
                last, since = face, self.clock.now()
            moment, unchanged_for = self.wall(), self.clock.now() - since
            step = plan_held(
                lock, self.claim, self.alive, moment, unchanged_for=unchanged_for, force=force
            )
            if step.outcome != BLOCKED:
                if reported:
                    self._refuse_frozen()  # it may have been set while we waited
                return self._settle(lock, step, fence=fence, force=force, check_mode=check_mode)
            end = deadline
            if looks_abandoned(lock, moment) and not renewed:
                end = max(end, self.clock.now() - unchanged_for + lock.duration + MARGIN)
            if check_mode or self.clock.now() >= end:
                raise locked(lock)
            if describe(lock) != reported:
                reported = describe(lock)
                self.report(f"waiting for the deploy lock: {reported}")
            self.clock.sleep(min(1.0, max(end - self.clock.now(), 0.1)))

    def free(self, *, force: bool = False, check_mode: bool = False) -> LockChange:
        """Give it back. Another's lock stays, which is no failure: there is nothing of ours to free."""
        tries = self._tries()
        while True:
            lock = self.read()
            after = plan_free(lock, self.claim, self.alive, force=force)
            if after == lock or check_mode:
                return LockChange(lock, after, changed=after != lock)
            with tries:
                return LockChange(lock, self._write(after), changed=True)

    def read(self) -> Lock:
        """The lock. Without a Lease: a free lock, above every epoch that a guarded object carries."""
        body = self._patient().read("Lease", self.name)
        if body is not None:
            return Lock.from_json(body)
        return Lock(
            name=self.name, fence=max(map(self._highest_epoch, ("Deployment", "ConfigMap")))
        )

    def _highest_epoch(self, kind: str) -> int:
        try:
            return max(map(fence_of, self._patient().list_objects(kind)), default=0)
        except RefusedError:
            return 0

    def freeze(self) -> DeployFreeze | None:
        """The freeze that is in force, if any."""
        return read_freeze(self._patient(), self.wall())

    def describe(self) -> dict[str, t.Any]:
        """The result of a task that only reads both."""
        lock, freeze = self.read(), self.freeze()
        words = describe(lock)
        return {
            "changed": False,
            "lock": lock.to_result(),
            "freeze": freeze.to_result() if freeze else {},
            "sentence": ". ".join(
                [words[0].upper() + words[1:], *([str(freeze)] if freeze else [])]
            )
            + ".",
        }

    def _refuse_frozen(self) -> None:
        if self.claim.purpose == UNDO or self.claim.manual:
            return
        freeze = self.freeze()
        if freeze is not None:
            raise frozen(freeze)

    def _settle(
        self, lock: Lock, step: LockStep, *, fence: int, force: bool, check_mode: bool
    ) -> LockChange:
        """Write the step. After a conflict the lock is read and planned anew."""
        if step.after == lock or check_mode:
            return _change(lock, step.after, step)
        tries = self._tries()
        while True:
            with tries:
                return _change(lock, self._write(step.after), step)
            before, lock = lock, self.read()
            if step.outcome == TAKEN and _same_grasp(lock, step.after):
                return LockChange(before, lock, changed=True, why=step.why)  # the answer was lost
            check_fence(lock, self.claim, fence)
            # A holder that changed it meanwhile is alive: earlier observations count no more.
            step = plan_held(lock, self.claim, self.alive, self.wall(), force=force)
            if step.outcome == BLOCKED:
                raise locked(lock)

    def _write(self, lock: Lock) -> Lock:
        body = lock.to_json(self.cluster.namespace)
        cluster = self._patient()
        try:
            if lock.resource_version:
                return Lock.from_json(cluster.replace("Lease", body))
            return Lock.from_json(cluster.create("Lease", body))
        except RefusedError as exc:
            if exc.details.get("status") == 404:
                raise ConflictError(str(exc), **exc.details) from exc  # deleted since it was read
            raise

    def _patient(self) -> Cluster:
        return self.cluster.until(self.clock.now() + PATIENCE)

    def _tries(self) -> Tries:
        return Tries(f"The Lease {self.name!r}", self.clock)


def read_freeze(cluster: Cluster, now: datetime) -> DeployFreeze | None:
    body = cluster.read("ConfigMap", FREEZE)
    if body is None:
        return None
    freeze = DeployFreeze.from_json(body)
    return freeze if freeze.in_force(now) else None


def _change(before: Lock, after: Lock, step: LockStep) -> LockChange:
    """A renewal is no change, unless it says something new."""
    changed = step.outcome == TAKEN or before.to_face() != after.to_face()
    return LockChange(before, after, changed=changed, why=step.why)


def _same_grasp(current: Lock, wanted: Lock) -> bool:
    return (current.holder, current.run, current.acquired, current.fence) == (
        wanted.holder,
        wanted.run,
        wanted.acquired,
        wanted.fence,
    )


FRESH = 5.0
"""Seconds for which one look at lock and freeze counts."""


@dataclass
class Look:
    """When lock and freeze were looked at and were well. Those who write at the same time may share one."""

    at: float | None = None


@dataclass
class LeaseCheck:
    """`fence` is the epoch at which the run took the lock, 0 without one. A takeover raises the lock's epoch."""

    cluster: Cluster
    name: str
    fence: int
    clock: Clock
    wall: WallClock = now
    last: Look = field(default_factory=Look)

    def check(self, *, fresh: bool = False) -> None:
        """Raise LeaseLostError or FrozenError; UnreachableError when the lock cannot be read.

        `fresh`: an earlier check does not count. A freeze does not stop a run that holds the lock to roll back.
        """
        if not self.fence:
            return
        started = self.clock.now()
        if not fresh and self.last.at is not None and started - self.last.at < FRESH:
            return
        body = self.cluster.read("Lease", self.name)
        lock = Lock(name=self.name) if body is None else Lock.from_json(body)
        if not lock.holder or lock.fence != self.fence:
            raise lost(lock, self.fence)
        freeze = read_freeze(self.cluster, self.wall()) if lock.purpose != UNDO else None
        if freeze is not None:
            raise frozen(freeze)
        # The time before the request: the response may have been long on its way.
        self.last.at = started


def epoch_now(cluster: Cluster) -> int:
    """The epoch of the deploy lock, held or free; 0 when it cannot be read: a kill switch must not fail for it."""
    try:
        body = cluster.read("Lease", LEASE)
        return 0 if body is None else Lock.from_json(body).fence
    except DeployError:
        return 0


class WriteCheck(t.Protocol):
    def check(self, *, fresh: bool = False) -> None:
        """Raise a DeployError when the deploy lock is not ours any more, or deployments are frozen."""


def lease_check_for(
    cluster: Cluster,
    fence: int,
    *,
    clock: Clock,
    name: str | None = None,
    last: Look | None = None,
) -> LeaseCheck:
    """The guard of a task's options `fence` and `lock`; a fence of 0 means that there is no lock."""
    return LeaseCheck(cluster, name or LEASE, fence, clock=clock, last=last or Look())


AGAIN = 5.0
"""Seconds until a cluster that was out of reach is tried again."""

Emit = t.Callable[[str, str, dict[str, t.Any]], None]
Check = t.Callable[[], None]
"""Called before each write; raises LeaseLostError, FrozenError, or UnreachableError without a readable lock."""


def no_check() -> None:
    """For a task that was given no lock."""


def lock_check(module: Module, *, cluster: Cluster | None = None, patience: float = 0.0) -> Check:
    """By the options of the fragment `_lock_check`. InputError when they do not say in which cluster.

    `cluster`: a client of that one, where there is one already. `patience`: seconds for which a cluster out of reach is
    tried again, where a failure throws away long work.
    """
    params = module.params
    if not params["fence"]:
        return no_check
    if not params["kubernetes"]:
        raise InputError("Option 'fence' needs 'kubernetes': set the cluster of the deploy lock.")
    cluster, clock = cluster or cluster_elsewhere(module), MonotonicClock()
    guard = lease_check_for(cluster, params["fence"], clock=clock, name=params["lock"])
    return check_of(guard, clock, patience, functools.partial(emit_progress, module))


def check_of(guard: WriteCheck, clock: Clock, patience: float, report: Emit) -> Check:
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
