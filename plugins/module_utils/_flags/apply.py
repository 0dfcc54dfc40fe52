# SPDX-License-Identifier: GPL-3.0-or-later
"""Write planned flags and verify them. Every write respects the kill switch.

A person or a GitOps controller may write the ConfigMap too. A pod that is behind would then read the other value, and
neither a wait nor a replacement helps.

The kill switch: an annotation beside the flags it holds off, and the writes it forbids. Pure.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field, replace

from .._cluster import (
    FENCE_ANNOTATION,
    KILL_SWITCH_ANNOTATION,
    KILL_SWITCH_EPOCH_ANNOTATION,
    Clock,
    Cluster,
    Object,
    Tries,
)
from .._errors import ConflictError, DeployError, VerificationError
from .._formats import read_json, shown
from .._lock.apply import WriteCheck
from .._lock.models import epoch_in, refuse_later
from .plan import Changes, FlagsMap, FlagsPlan, Wish, plan_flags
from .pods import STALE, PodState
from .values import only_flags

REFUSE, LEAVE_OFF, RESET_AUTOMATIC = RULES = ("refuse", "leave_off", "reset_automatic")
"""A writer's rules for flags that the switch forbids."""

RESET_OPTIONS = "-e reset=true -e \"reason='WHY'\""
RESET = f"playbooks/kill_switch.yml {RESET_OPTIONS}"


class KilledError(ConflictError):
    """The kill switch is set, and the write would turn on a flag that it holds off."""

    reason = "KillSwitchSet"


@dataclass(frozen=True)
class KillSwitch:
    """The actor, time (RFC 3339) and reason of the switch. `flags`: the values it holds.

    `automatic`: a failed phase or a rollback set it, so an explicit deployment that began later may reset it. One
    that a person set is reset by a person.
    """

    set_at: str
    by: str
    reason: str
    automatic: bool = False
    flags: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_config_map(cls, body: Object | None) -> KillSwitch | None:
        """The switch of the ConfigMap's API object; None without a ConfigMap."""
        return cls.from_annotations((body or {}).get("metadata", {}).get("annotations") or {})

    @classmethod
    def from_annotations(cls, annotations: t.Mapping[str, str]) -> KillSwitch | None:
        """The switch; None while it is not set. An unreadable switch counts as set by a person."""
        text = annotations.get(KILL_SWITCH_ANNOTATION)
        if text is None:
            return None
        try:
            body = read_json(text)
            flags = body.get("flags") or {}
            return cls(
                set_at=str(body["set_at"]),
                by=str(body["by"]),
                reason=str(body["reason"]),
                automatic=body.get("automatic") is True,
                flags={str(name): str(value) for name, value in flags.items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls(
                set_at="an unknown time",
                by="somebody unknown",
                reason=f"the annotation {KILL_SWITCH_ANNOTATION} cannot be read: {text[:80]}",
            )

    def to_annotation(self) -> str:
        return json.dumps(self.to_result(), sort_keys=True)

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)

    def __str__(self) -> str:
        how = " automatically" if self.automatic else ""
        return f"{self.by} set the kill switch{how} at {shown(self.set_at)}, because: {self.reason}"


def refuse_up(
    switch: KillSwitch | None,
    flags_before: t.Mapping[str, str],
    flags_wanted: t.Mapping[str, str | None],
) -> None:
    """Raise KilledError when the write would turn on a flag that the switch holds off.

    A number may still be lowered: an edit by hand meanwhile stays correctable.
    """
    risen = forbidden(switch, flags_before, flags_wanted)
    if switch is None or not risen:
        return
    changes = ", ".join(
        f"{name} {'gone' if flags_wanted[name] is None else '= ' + str(flags_wanted[name])}"
        for name in risen
    )
    raise KilledError(
        f"Refused to write {changes}, for {_sentence(str(switch))} Nothing was written. When the cause is "
        f"gone, reset it: {RESET}",
        kill_switch=switch.to_result(),
    )


def epoch_of_switch(observed: FlagsMap) -> int:
    """The epoch of the deploy lock when it was last set automatically, 0 when that is not known."""
    return epoch_in(observed.annotations, KILL_SWITCH_EPOCH_ANNOTATION)


def wish_under(rule: str, observed: FlagsMap, flags: Changes, *, fence: int = 0) -> Wish:
    """The write that a writer's rule allows. `decide_flags` refuses what is still forbidden.

    `fence`: the epoch of the writer's lock. The switch stops a run that held the lock before it was set.
    """
    wish = Wish(flags, fence=fence)
    switch = KillSwitch.from_annotations(observed.annotations)
    held = forbidden(switch, observed.data, flags)
    if switch is None or not held:
        return wish
    if rule == LEAVE_OFF:
        return replace(
            wish, flags={name: value for name, value in flags.items() if name not in held}
        )
    meant = 0 < fence <= epoch_of_switch(observed)
    if rule == RESET_AUTOMATIC and switch.automatic and not meant:
        # Its other flags are another release's.
        left = {name: off for name, off in switch.flags.items() if name not in flags}
        rest = replace(switch, flags=left).to_annotation() if left else None
        return replace(wish, annotations={KILL_SWITCH_ANNOTATION: rest})
    return wish


def to_diff(plan: FlagsPlan) -> dict[str, t.Any]:
    return {
        "before": _face(plan.before.data, plan.before.annotations),
        "after": _face(plan.after, plan.annotations),
    }


def forbidden(
    switch: KillSwitch | None,
    flags_before: t.Mapping[str, str],
    flags_wanted: t.Mapping[str, str | None],
) -> list[str]:
    """The flags of `flags_wanted` that the switch forbids. A switch without flags holds all off."""
    if switch is None:
        return []
    held = switch.flags or {
        name: "0" if to == "0" else "false" for name, to in flags_wanted.items()
    }
    return [
        name
        for name, off in held.items()
        if name in flags_wanted
        and flags_wanted[name] != off
        and not is_lower(flags_wanted[name], flags_before.get(name))
    ]


def is_lower(wanted: str | None, before: str | None) -> bool:
    """Whether both are whole numbers, and the first is the smaller one."""
    if wanted is None or before is None:
        return False
    number = re.compile(r"-?[0-9]+")
    return bool(number.fullmatch(wanted) and number.fullmatch(before) and int(wanted) < int(before))


def _face(data: t.Mapping[str, str], annotations: t.Mapping[str, str]) -> dict[str, t.Any]:
    switch = KillSwitch.from_annotations(annotations)
    return {"flags": dict(data), "kill_switch": switch.to_result() if switch else {}}


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def flags_now(bodies: t.Sequence[Object]) -> dict[str, t.Any]:
    """`values` of these ConfigMaps by flag, and `kill_switch`, {} when it is not set; {} without any ConfigMap."""
    values: dict[str, str] = {}
    switch: KillSwitch | None = None
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
    check_mode: bool,
    guard: WriteCheck | None = None,
    attempts: int = ATTEMPTS,
) -> FlagsPlan:
    """Read, decide and write as one step, repeated after another writer's change. Returns the applied plan.

    Raises KilledError when the kill switch forbids it, whenever it was set, and LeaseLostError when a later holder of
    the lock has written. A write under a later epoch stores that epoch even without another change.
    """
    tries = Tries(f"ConfigMap {name!r}", most=attempts)
    while True:
        observed = observe_flags(cluster, name)
        wish = decide(observed)
        _refuse_later_epoch(observed, wish.fence)
        refuse_switched_off(observed, wish)
        plan = plan_flags(observed, wish.flags, _with_epoch(observed, wish))
        if not plan.writes:
            return plan
        if guard and not check_mode:
            guard.check()
        with tries:
            _apply(cluster, plan, check_mode=check_mode)
            break
    if not check_mode:
        _verify_written(cluster, plan, decide, wish.fence)
    return plan


def _refuse_later_epoch(observed: FlagsMap, fence: int) -> None:
    refuse_later(f"ConfigMap {observed.name!r}", epoch_in(observed.annotations), fence)


def _with_epoch(observed: FlagsMap, wish: Wish) -> Changes:
    """The annotations with the wish's epoch. A write without a lock leaves the present epoch."""
    if wish.fence <= epoch_in(observed.annotations):
        return wish.annotations
    return {**wish.annotations, FENCE_ANNOTATION: str(wish.fence)}


def refuse_switched_off(observed: FlagsMap, wish: Wish) -> None:
    """Refuse flags by the switch as it is after this write: setting or resetting it is a write too."""
    annotations = {**observed.annotations, **wish.annotations}
    left = {name: value for name, value in annotations.items() if value is not None}
    refuse_up(KillSwitch.from_annotations(left), observed.data, wish.flags)


def _apply(cluster: Cluster, plan: FlagsPlan, *, check_mode: bool) -> None:
    body = cluster.apply(
        "ConfigMap", plan.to_object(cluster.namespace), force=True, dry_run=check_mode
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
    if KILL_SWITCH_ANNOTATION in plan.wish.annotations:
        anew = decide(current)
        if not plan_flags(current, anew.flags, anew.annotations).changed:
            return  # another writer set the switch at the same moment with the same flags
    # A kill switch that was set right after our write wins, with an error of its own.
    refuse_switched_off(current, plan.wish)
    raise VerificationError(
        f"ConfigMap {plan.before.name!r} was written but reads differently: check "
        f"{', '.join(differing)}. Something else writes to it."
    )


ASK_EVERY = 2.0
"""Seconds for which one read of the ConfigMap counts."""


def differing(current: FlagsMap, flags: Changes) -> tuple[str, ...]:
    """Names of the flags that have another value in the ConfigMap."""
    return tuple(sorted(name for name, value in flags.items() if current.data.get(name) != value))


@dataclass
class Written:
    """`flags` as they were written to a ConfigMap. A ConfigMap with the name "" is unknown and never read."""

    cluster: Cluster
    config_map: str
    flags: Changes
    clock: Clock
    _read_at: float = float("-inf")
    _changed: tuple[str, ...] = ()

    def changed(self) -> tuple[str, ...]:
        """Flags that another writer has changed since. An unreadable ConfigMap counts as unchanged."""
        if self.config_map and self.clock.now() - self._read_at >= ASK_EVERY:
            try:
                current = observe_flags(self.cluster, self.config_map)
            except DeployError:
                return self._changed
            self._read_at = self.clock.now()
            self._changed = differing(current, self.flags)
        return self._changed

    def helps(self, pod: PodState) -> bool:
        """Whether reading the ConfigMap again may bring the pod closer to the written flags."""
        if pod.state != STALE:
            return True
        wrong = {name for name, value in self.flags.items() if pod.values.get(name) != value}
        return not wrong <= {*self.changed()}
