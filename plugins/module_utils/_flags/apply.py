# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Write planned flags, and look whether they are there. The kill switch has a say in every write."""

from __future__ import annotations

import typing as t

from .._cluster import FENCE_ANNOTATION, KILL_SWITCH_ANNOTATION, Cluster
from .._errors import ConflictError, VerificationError
from .._lock.epoch import epoch_in, refuse_later
from .._lock.fence import NO_GUARD, Guard, NoGuard
from .flagd import Document
from .plan import Changes, FlagsMap, FlagsPlan, Wish, plan_flags
from .switch import KillSwitch, refuse_up

ATTEMPTS = 5

Decide = t.Callable[[FlagsMap], Wish]
"""What to write, told by what is there. It is asked again whenever somebody else wrote in between."""


def observe_flags(cluster: Cluster, name: str) -> FlagsMap:
    return FlagsMap.from_json(name, cluster.read("ConfigMap", name))


def decide_flags(
    cluster: Cluster,
    name: str,
    decide: Decide,
    *,
    force: bool,
    check_mode: bool,
    guard: Guard | NoGuard = NO_GUARD,
    document: Document | None = None,
    attempts: int = ATTEMPTS,
) -> FlagsPlan:
    """The plan that was carried out; made anew when somebody else wrote in between. Read, decide and write are one.

    Raises KilledError when the kill switch forbids it, whenever it was set, and LeaseLostError when a later holder of
    the lock has written. What is written under a later epoch gets that epoch also when nothing else changes.
    """
    last: ConflictError | None = None
    for _attempt in range(attempts):
        observed = observe_flags(cluster, name)
        wish = decide(observed)
        _ask_epoch(observed, wish.fence)
        _ask_switch(observed, wish)
        plan = plan_flags(observed, wish.flags, _with_epoch(observed, wish), document)
        if not plan.writes:
            return plan
        if not check_mode:
            guard.check()
        try:
            _apply(cluster, plan, force=force, check_mode=check_mode)
        except ConflictError as exc:
            if not force and plan.overruled:
                raise ConflictError(
                    f"The flags in ConfigMap {name!r} are set by {', '.join(plan.overruled)} "
                    f"too, and 'force' is false, so nothing was changed: {exc}"
                ) from exc
            last = exc
            continue
        if not check_mode:
            _see(cluster, plan, decide, wish.fence)
        return plan
    raise ConflictError(
        f"ConfigMap {name!r} was changed {attempts} times during our writes: something else "
        "keeps writing to it. Find out what, and try again."
    ) from last


def _ask_epoch(observed: FlagsMap, fence: int) -> None:
    refuse_later(f"ConfigMap {observed.name!r}", epoch_in(observed.annotations), fence)


def _with_epoch(observed: FlagsMap, wish: Wish) -> Changes:
    """A write without a lock leaves the epoch that stands there."""
    if wish.fence <= epoch_in(observed.annotations):
        return wish.annotations
    return {**wish.annotations, FENCE_ANNOTATION: str(wish.fence)}


def _ask_switch(observed: FlagsMap, wish: Wish) -> None:
    """What the switch is after this write decides: setting or resetting it is a write too."""
    annotations = {**observed.annotations, **wish.annotations}
    left = {name: value for name, value in annotations.items() if value is not None}
    refuse_up(KillSwitch.from_annotations(left), observed.data, wish.flags)


def _apply(cluster: Cluster, plan: FlagsPlan, *, force: bool, check_mode: bool) -> None:
    body = cluster.apply(
        "ConfigMap", plan.to_object(cluster.namespace), force=force, dry_run=check_mode
    )
    if check_mode:
        return
    removal = plan.to_removal(body)
    if removal:
        cluster.patch("ConfigMap", plan.before.name, removal)


def _see(cluster: Cluster, plan: FlagsPlan, decide: Decide, fence: int) -> None:
    seen = observe_flags(cluster, plan.before.name)
    differing = plan.differing(seen)
    if not differing:
        return
    _ask_epoch(seen, fence)
    if KILL_SWITCH_ANNOTATION in plan.wish.annotations and not _wants_more(seen, decide):
        return  # a switch that somebody else set at the same moment holds the same
    # Whoever killed what we have just written wins, and is no riddle.
    _ask_switch(seen, plan.wish)
    raise VerificationError(
        f"ConfigMap {plan.before.name!r} was written but reads differently: check "
        f"{', '.join(differing)}. Something else writes to it."
    )


def _wants_more(seen: FlagsMap, decide: Decide) -> bool:
    wish = decide(seen)
    return plan_flags(seen, wish.flags, wish.annotations).changed
