# SPDX-License-Identifier: GPL-3.0-or-later
"""Write planned flags and look whether they still stand. The kill switch has a say in every write.

Something else may write there: a person, or what holds the ConfigMap to what is in Git. Then a pod that is behind
would read what that wrote, and neither waiting for it nor replacing it helps.
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
    """`values` of these ConfigMaps by flag, and `kill_switch`, who switched off, {} for nobody; {} without any."""
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
    guard: LeaseCheck | NoLeaseCheck = NO_LEASE_CHECK,
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


ASK_EVERY = 2.0
"""Seconds for which an answer counts."""


def differing(seen: FlagsMap, flags: Changes) -> tuple[str, ...]:
    """Which of them the ConfigMap has otherwise."""
    return tuple(sorted(name for name, value in flags.items() if seen.data.get(name) != value))


class Written:
    """`flags` as they were written to a ConfigMap; "" for its name where it is not known, and never asked."""

    def __init__(self, cluster: Cluster, config_map: str, flags: Changes, clock: Clock) -> None:
        self._cluster = cluster
        self._config_map = config_map
        self._flags = flags
        self._clock = clock
        self._asked = float("-inf")
        self._changed: tuple[str, ...] = ()

    def changed(self) -> tuple[str, ...]:
        """What somebody else has changed since. A ConfigMap that cannot be read is not known to be changed."""
        if self._config_map and self._clock.now() - self._asked >= ASK_EVERY:
            try:
                seen = observe_flags(self._cluster, self._config_map)
            except DeployError:
                return self._changed
            self._asked = self._clock.now()
            self._changed = differing(seen, self._flags)
        return self._changed

    def helps(self, pod: PodState) -> bool:
        """Whether a pod that reads the ConfigMap anew may come closer to what was written."""
        if pod.state != STALE:
            return True
        wrong = {name for name, value in self._flags.items() if pod.seen.get(name) != value}
        return not wrong <= {*self.changed()}
