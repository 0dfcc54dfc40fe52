# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide a claim to the lock: taken, renewed, left to its holder or given back. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .._formats import shown
from .._run_process import Alive
from .._time import parse_time
from .models import (
    UNDO,
    DeployFreeze,
    FrozenError,
    LeaseLostError,
    Lock,
    LockClaim,
    LockedError,
    format_time,
)

TAKEN, RENEWED, RESPECTED, BLOCKED = "taken", "renewed", "respected", "blocked"


@dataclass(frozen=True)
class LockStep:
    """`after`: the lock to write, or the unchanged lock when no write is needed."""

    outcome: str
    after: Lock
    why: str = ""


def plan_held(
    lock: Lock,
    claim: LockClaim,
    alive: Alive,
    now: datetime,
    *,
    unchanged_for: float = 0.0,
    force: bool = False,
) -> LockStep:
    """The step that gives the lock to this claim. The order of the rules makes it safe.

    `unchanged_for`: seconds on our own monotonic clock.
    """

    def taken(why: str = "") -> LockStep:
        return LockStep(TAKEN, _take(lock, claim, now), why)

    if not lock.holder:
        return taken()
    if is_ours(lock, claim):
        return LockStep(RENEWED, _renew(lock, claim, now))
    if claim.run is not None and (lock.holder, lock.run) == (claim.holder, claim.run):
        return taken("this run changes its purpose")
    if force:
        return taken("by force")
    if lock.manual:
        # No run stands behind a lock set by hand, so an undo has nothing to stop, and leaves the sign up.
        return LockStep(RESPECTED if claim.purpose == UNDO else BLOCKED, lock)
    if claim.purpose == UNDO and lock.purpose != UNDO:
        return taken("an undo does not wait for a deployment")
    if lock.run is not None and alive(lock.run) is False:
        return taken("its run is dead")
    if lock.duration > 0 and unchanged_for >= lock.duration:
        return taken("it was not renewed for one duration")
    return LockStep(BLOCKED, lock)


def plan_free(lock: Lock, claim: LockClaim, alive: Alive, *, force: bool) -> Lock:
    """The lock after it is given back: as it is unless it is ours, or taken away by force."""
    dead = lock.run is not None and lock.holder == claim.holder and alive(lock.run) is False
    own_sign = lock.manual and claim.manual and lock.holder == claim.holder
    if not lock.holder or not (is_ours(lock, claim) or dead or own_sign or force):
        return lock
    return Lock(
        name=lock.name, fence=lock.fence, resource_version=lock.resource_version, others=lock.others
    )


def is_ours(lock: Lock, claim: LockClaim) -> bool:
    """Whether this very run holds it. Two runs of one person are two holders."""
    same = (lock.holder, lock.manual, lock.run) == (claim.holder, claim.manual, claim.run)
    return bool(lock.holder) and same and lock.purpose == claim.purpose


def check_fence(lock: Lock, claim: LockClaim, fence: int) -> None:
    """A run that held the lock at `fence` holds it still, or may not go on."""
    if fence and (lock.fence != fence or not is_ours(lock, claim)):
        raise lost(lock, fence)


def lost(lock: Lock, fence: int) -> LeaseLostError:
    if not lock.holder:
        now = "it is free now" if lock.resource_version else "its Lease was deleted"
    else:
        now = f"now {describe(lock)}"
    return LeaseLostError(
        f"This run lost the deploy lock {lock.name!r} (epoch {fence}): {now}. "
        "This run changes and undoes nothing more; check playbooks/status.yml before deploying "
        "again.",
        lock=lock.to_result(),
    )


FORCE = "-e deploy_lock_force=true -e \"reason='WHY'\""
FOLLOW = "playbooks/status.yml -e follow=true"
UNLOCK = f"playbooks/unlock.yml {FORCE}"


def locked(lock: Lock) -> LockedError:
    if lock.manual:
        way = f"Ask, or remove it with {UNLOCK}."
    else:
        way = (
            f"To wait for it add -e deploy_lock_wait=600, watch it with {FOLLOW}, "
            f"or take it over with {FORCE}, which stops that run."
        )
    return LockedError(f"Another run is deploying: {describe(lock)}. {way}", lock=lock.to_result())


def frozen(freeze: DeployFreeze) -> FrozenError:
    return FrozenError(
        f"{freeze}. Wait, or have ConfigMap {freeze.name!r} deleted. Rollback and the kill switch "
        "still work.",
        freeze=freeze.to_result(),
    )


def describe(lock: Lock) -> str:
    """The holder with its purpose, start and end."""
    if not lock.holder:
        return f"the deploy lock {lock.name!r} is free"
    what = {UNDO: " to roll back"}.get(lock.purpose, " to deploy")
    release = f"{what} {lock.release}" if lock.release else ""
    pid = f" (pid {lock.run.pid})" if lock.run else ""
    by_hand = ", set by hand" if lock.manual else ""
    until = f", until {shown(lock.until)} unless renewed" if lock.until else ""
    acquired = shown(lock.acquired) or "an unknown time"
    reason = f" ({'; '.join(text for text in (lock.reason, lock.ticket) if text)})"
    return (
        f"{lock.holder}{pid} holds {lock.name!r}{release}{by_hand} since {acquired}{until}"
        f"{reason if lock.reason or lock.ticket else ''}"
    )


def looks_abandoned(lock: Lock, now: datetime) -> bool:
    """Whether it is worth watching for a duration. Clocks differ, so nothing is concluded from this."""
    renewed = parse_time(lock.renewed)
    if lock.manual or not lock.holder or renewed is None:
        return False
    return now > renewed + timedelta(seconds=lock.duration)


def _renew(lock: Lock, claim: LockClaim, now: datetime) -> Lock:
    """The renewed lock. Its texts may change meanwhile. A lock that never lapses keeps its time of renewal."""
    return replace(
        lock,
        release=claim.release or lock.release,
        reason=claim.reason or lock.reason,
        ticket=claim.ticket or lock.ticket,
        renewed=lock.renewed if lock.manual else format_time(now),
    )


def _take(lock: Lock, claim: LockClaim, now: datetime) -> Lock:
    moment = format_time(now)
    return Lock(
        **vars(claim),
        name=lock.name,
        acquired=moment,
        renewed=moment,
        fence=lock.fence + 1,
        stolen_from=_trace(lock),
        resource_version=lock.resource_version,
        others=lock.others,
    )


def _trace(lock: Lock) -> str:
    if not lock.holder:
        return ""
    return " ".join(
        (lock.holder, lock.release or "-", f"epoch {lock.fence}", f"since {lock.acquired}")
    )
