# SPDX-License-Identifier: GPL-3.0-or-later
"""Write planned flags and verify them. Every write respects the kill switch.

A person or a GitOps controller may write the ConfigMap too. A pod that is behind would then read the other value, and
neither a wait nor a replacement helps.
"""

from __future__ import annotations

import typing as t

from .._cluster import FENCE_ANNOTATION, KILL_SWITCH_ANNOTATION, Clock, Cluster
from .._errors import ConflictError, DeployError, VerificationError
from .._lock.epoch import epoch_in, refuse_later
from .._lock.fence import NO_LEASE_CHECK, LeaseCheck, NoLeaseCheck
from .flagd import Document
from .plan import Changes, FlagsMap, FlagsPlan, Wish, plan_flags
from .pods import STALE, PodState
from .switch import KillSwitch, refuse_up
from .values import only_flags


def flags_now(cluster: Cluster, config_maps: t.Iterable[str]) -> dict[str, t.Any]:
    """`values` of these ConfigMaps by flag, and `kill_switch`, {} when it is not set; {} without any ConfigMap."""
    values: dict[str, str] = {}
    switch: KillSwitch | None = None
    bodies = [body for name in config_maps if (body := cluster.read("ConfigMap", name))]
    for body in bodies:
        values |= only_flags(body.get("data") or {})
        switch = KillSwitch.from_config_map(body) or switch
    if not bodies:
        return {}
    return {"values": values, "kill_switch": switch.to_result() if switch else {}}


ATTEMPTS = 5

Decide = t.Callable[[FlagsMap], Wish]
"""Decides the write from the observed flags. Called again after another writer's change."""


def observe_flags(cluster: Cluster, name: str) -> FlagsMap:
    return FlagsMap.from_json(name, cluster.read("ConfigMap", name))


def decide_flags(
    cluster: Cluster,
    name: str,
    decide: Decide,
    *,
    force: bool,
    check_mode: bool,
    guard: LeaseCheck | NoLeaseCheck = NO_LEASE_CHECK,
    document: Document | None = None,
    attempts: int = ATTEMPTS,
) -> FlagsPlan:
    """Read, decide and write as one step, repeated after another writer's change. Returns the applied plan.

    Raises KilledError when the kill switch forbids it, whenever it was set, and LeaseLostError when a later holder of
    the lock has written. A write under a later epoch stores that epoch even without another change.
    """
    last: ConflictError | None = None
    for _attempt in range(attempts):
        observed = observe_flags(cluster, name)
        wish = decide(observed)
        _refuse_later_epoch(observed, wish.fence)
        _refuse_switched_off(observed, wish)
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
            _verify_written(cluster, plan, decide, wish.fence)
        return plan
    raise ConflictError(
        f"ConfigMap {name!r} was changed {attempts} times during our writes: something else "
        "keeps writing to it. Find out what, and try again."
    ) from last


def _refuse_later_epoch(observed: FlagsMap, fence: int) -> None:
    refuse_later(f"ConfigMap {observed.name!r}", epoch_in(observed.annotations), fence)


def _with_epoch(observed: FlagsMap, wish: Wish) -> Changes:
    """The annotations with the wish's epoch. A write without a lock leaves the present epoch."""
    if wish.fence <= epoch_in(observed.annotations):
        return wish.annotations
    return {**wish.annotations, FENCE_ANNOTATION: str(wish.fence)}


def _refuse_switched_off(observed: FlagsMap, wish: Wish) -> None:
    """Refuse flags by the switch as it is after this write: setting or resetting it is a write too."""
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


def _verify_written(cluster: Cluster, plan: FlagsPlan, decide: Decide, fence: int) -> None:
    current = observe_flags(cluster, plan.before.name)
    differing = plan.differing(current)
    if not differing:
        return
    _refuse_later_epoch(current, fence)
    if KILL_SWITCH_ANNOTATION in plan.wish.annotations and not _wants_more(current, decide):
        return  # another writer set the switch at the same moment with the same flags
    # A kill switch that was set right after our write wins, with an error of its own.
    _refuse_switched_off(current, plan.wish)
    raise VerificationError(
        f"ConfigMap {plan.before.name!r} was written but reads differently: check "
        f"{', '.join(differing)}. Something else writes to it."
    )


def _wants_more(current: FlagsMap, decide: Decide) -> bool:
    wish = decide(current)
    return plan_flags(current, wish.flags, wish.annotations).changed


ASK_EVERY = 2.0
"""Seconds for which one read of the ConfigMap counts."""


def differing(current: FlagsMap, flags: Changes) -> tuple[str, ...]:
    """Names of the flags that have another value in the ConfigMap."""
    return tuple(sorted(name for name, value in flags.items() if current.data.get(name) != value))


class Written:
    """`flags` as they were written to a ConfigMap. A ConfigMap with the name "" is unknown and never read."""

    def __init__(self, cluster: Cluster, config_map: str, flags: Changes, clock: Clock) -> None:
        self._cluster = cluster
        self._config_map = config_map
        self._flags = flags
        self._clock = clock
        self._read_at = float("-inf")
        self._changed: tuple[str, ...] = ()

    def changed(self) -> tuple[str, ...]:
        """Flags that another writer has changed since. An unreadable ConfigMap counts as unchanged."""
        if self._config_map and self._clock.now() - self._read_at >= ASK_EVERY:
            try:
                current = observe_flags(self._cluster, self._config_map)
            except DeployError:
                return self._changed
            self._read_at = self._clock.now()
            self._changed = differing(current, self._flags)
        return self._changed

    def helps(self, pod: PodState) -> bool:
        """Whether reading the ConfigMap again may bring the pod closer to the written flags."""
        if pod.state != STALE:
            return True
        wrong = {name for name, value in self._flags.items() if pod.values.get(name) != value}
        return not wrong <= {*self.changed()}
