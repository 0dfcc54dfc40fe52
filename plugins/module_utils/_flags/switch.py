# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill switch: an annotation beside the flags it holds off, and the writes it forbids. Pure."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field, replace

from .._cluster import KILL_SWITCH_ANNOTATION, KILL_SWITCH_EPOCH_ANNOTATION, Object
from .._errors import ConflictError
from .._lock.epoch import epoch_in
from .plan import Changes, FlagsMap, FlagsPlan, Wish

REFUSE, LEAVE_OFF, RESET_AUTOMATIC = RULES = ("refuse", "leave_off", "reset_automatic")
"""A writer's rules for flags that the switch forbids."""

RESET = "playbooks/kill_switch.yml -e reset=true -e \"reason='WHY'\""


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
            body = json.loads(text)
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
        return {
            "set_at": self.set_at,
            "by": self.by,
            "reason": self.reason,
            "automatic": self.automatic,
            "flags": dict(self.flags),
        }

    def __str__(self) -> str:
        how = " automatically" if self.automatic else ""
        return f"{self.by} set the kill switch{how} at {self.set_at}, because: {self.reason}"


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
    return replace(_wish_under(rule, observed, flags, fence), fence=fence)


def _wish_under(rule: str, observed: FlagsMap, flags: Changes, fence: int) -> Wish:
    switch = KillSwitch.from_annotations(observed.annotations)
    held = forbidden(switch, observed.data, flags)
    if switch is None or not held:
        return Wish(flags)
    if rule == LEAVE_OFF:
        return Wish({name: value for name, value in flags.items() if name not in held})
    meant = 0 < fence <= epoch_of_switch(observed)
    if rule == RESET_AUTOMATIC and switch.automatic and not meant:
        # Its other flags are another release's.
        left = {name: off for name, off in switch.flags.items() if name not in flags}
        rest = replace(switch, flags=left).to_annotation() if left else None
        return Wish(flags, {KILL_SWITCH_ANNOTATION: rest})
    return Wish(flags)


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
