# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what the ramp may do next: the step, when it may happen, and every reason why not. Pure.

Up: one step at a time, with lock, gate, watch and day. Down: to any earlier step, at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._errors import InputError
from .._time import format_time
from .models import (
    HOLD,
    LOWERED,
    RAISED,
    RELEASED,
    ROLLBACK,
    Entry,
    RampState,
    Schedule,
    Step,
    shorten,
    show_time,
)
from .status import RampStatus, Seen, Start, stand, unresolved

RAISE, LOWER, WATCH, WAIT, DONE, NONE, REFUSE = (
    "raise",
    "lower",
    "watch",
    "wait",
    "done",
    "none",
    "refuse",
)

KILL_SWITCH, OFF, UNKNOWN, LOCK, FREEZE = "kill_switch", "off", "unknown", "lock", "freeze"
BLOCKED, UNGUARDED = "blocked", "unguarded"
WATCHING, HELD, BREACH, DAY, SKIP = "watch", "hold", "breach", "day", "skip"

RELEASE = "playbooks/ramp.yml -e \"ramp_release_reason='WHY'\" -e ramp_released_by=$USER"

_STOPS = frozenset({KILL_SWITCH, OFF, UNKNOWN, LOCK, FREEZE, BLOCKED})
"""What keeps from watching too: nothing that is seen meanwhile would tell of this step."""


@dataclass(frozen=True)
class Reason:
    """Why the next step may not be taken. `until` is when time alone settles it, None for never."""

    kind: str
    text: str
    until: datetime | None = None


@dataclass(frozen=True)
class Ask:
    """`percentage` None asks for the next step. `release_reason` and `released_by` let go of a held gate."""

    by: str
    reason: str = ""
    percentage: int | None = None
    release_reason: str = ""
    released_by: str = ""
    start: Start = field(default_factory=Start)


@dataclass(frozen=True)
class RampPlan:
    """`after` is the state to be written; `target` the next step up, None after the last one."""

    action: str
    standing: RampStatus
    after: RampState
    target: Step | None
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]
    released: bool = False
    """Whether a person's words let go of what held."""

    @property
    def percentage(self) -> int | None:
        """Afterwards; None for a value that is no percentage."""
        return self.after.percentage if self.moves else self.standing.percentage

    @property
    def moves(self) -> bool:
        return self.action in (RAISE, LOWER)

    def writes(self, annotation: str | None) -> str | None:
        """The annotation to write over `annotation`, None for none. A step that may not be taken leaves no trace."""
        text = self.after.to_annotation()
        idle = self.action == REFUSE or (self.action == WAIT and not self.released)
        return text if not idle and text != annotation else None

    @property
    def not_before(self) -> datetime | None:
        """When time alone will have settled its share of the reasons."""
        return max((one.until for one in self.reasons if one.until), default=None)


def plan(schedule: Schedule, seen: Seen, ask: Ask) -> RampPlan:
    """Raises InputError for a percentage that is no step."""
    refuse_no_step(schedule, ask.percentage)
    found = stand(schedule, seen, ask.start)
    standing, told = _release(found, seen, ask)
    target = schedule.following(standing.percentage) if standing.percentage is not None else None
    reasons = _reasons(schedule, seen, standing, target, ask.start)
    notes = (*standing.notes, *told)
    action, more = (
        _next(standing, target, reasons)
        if ask.percentage is None
        else _named(standing, target, reasons, ask.percentage)
    )
    after = standing.state
    if action in (RAISE, LOWER):
        to = target.percentage if action == RAISE and target else ask.percentage or 0
        after = _moved(schedule, seen, standing, ask, action, to)
    return RampPlan(
        action, standing, after, target, (*reasons, *more), notes, released=standing is not found
    )


def is_down(seen: Seen, percentage: int | None) -> bool:
    """Whether going there only takes users out, so that nobody needs to be asked."""
    if percentage is None:
        return False
    return percentage == 0 or (seen.percentage is not None and percentage < seen.percentage)


def refuse_no_step(schedule: Schedule, percentage: int | None) -> None:
    if percentage is not None and schedule.number(percentage) is None:
        raise InputError(
            f"{percentage} % is not a step of the ramp, so nothing was changed: its steps are "
            f"{schedule} %, and 0 %."
        )


def _next(
    standing: RampStatus, target: Step | None, reasons: t.Sequence[Reason]
) -> tuple[str, tuple[Reason, ...]]:
    if any(one.kind in _STOPS for one in reasons):
        return REFUSE, ()
    if unresolved(standing.state):
        return WATCH, ()
    if target is None:
        return DONE, ()
    if any(one.until is None for one in reasons):
        return REFUSE, ()
    return (WAIT if reasons else RAISE), ()


def _named(
    standing: RampStatus, target: Step | None, reasons: t.Sequence[Reason], percentage: int
) -> tuple[str, tuple[Reason, ...]]:
    at = standing.percentage
    if at == percentage:
        if not unresolved(standing.state):
            return NONE, ()
        return (REFUSE if any(one.kind in _STOPS for one in reasons) else WATCH), ()
    if percentage == 0 or (at is not None and percentage < at):
        return LOWER, ()
    if target is not None and standing.known and percentage != target.percentage:
        skip = f"{percentage} % is not the next step after {at} %: that is {target.percentage} %"
        return REFUSE, (Reason(SKIP, skip),)
    return (REFUSE if reasons else RAISE), ()


def _reasons(
    schedule: Schedule, seen: Seen, standing: RampStatus, target: Step | None, start: Start
) -> tuple[Reason, ...]:
    """Every reason against going up, whatever is asked."""
    found = [
        Reason(kind, text)
        for kind, text in (
            (KILL_SWITCH, seen.killed),
            (LOCK, seen.held),
            (FREEZE, seen.frozen),
            (BLOCKED, start.blocked),
            (UNGUARDED, start.unguarded),
        )
        if text
    ]
    if not seen.enabled:
        found.append(
            Reason(
                OFF,
                "the feature is off, so a percentage has no effect: run playbooks/deploy.yml --tags feature_flags "
                "first",
            )
        )
    if not standing.known:
        text = f"the percentage is {seen.value!r}, which is not a step: go down to one, or to 0"
        return (*found, Reason(UNKNOWN, text))
    return (*found, *for_now(schedule, seen, standing.state, target))


def for_now(
    schedule: Schedule, seen: Seen, state: RampState, target: Step | None
) -> tuple[Reason, ...]:
    """What keeps from going up in the step itself and in the calendar."""
    if target is None:
        return ()
    found = _about_the_step(seen, state)
    day = schedule.begins(target, state.started)
    if seen.now < day:
        found.append(Reason(DAY, f"day {target.day} begins at {show_time(day)}", day))
    return tuple(found)


def _about_the_step(seen: Seen, state: RampState) -> list[Reason]:
    at, why = f"{state.percentage} %", f" ({'; '.join(state.reasons)})" if state.reasons else ""
    found = []
    if state.verdict == ROLLBACK:
        cure = (
            "watch it until it is good; a person's release is not enough"
            if state.percentage
            else f"release it with {RELEASE}"
        )
        found.append(Reason(BREACH, f"a breach brought it down to {at}{why}: {cure}"))
    elif state.verdict == HOLD:
        found.append(
            Reason(
                HELD,
                f"the gate holds at {at}{why}: watch it again, or release it with {RELEASE}",
            )
        )
    elif unresolved(state):
        found.append(Reason(WATCHING, f"{at} has not been watched to the end"))
    if seen.now < state.watch_until:
        text = f"the watch of {at} lasts until {show_time(state.watch_until)}"
        found.append(Reason(WATCHING, text, state.watch_until))
    return found


def _moved(
    schedule: Schedule, seen: Seen, standing: RampStatus, ask: Ask, action: str, to: int
) -> RampState:
    entry = Entry(
        what=RAISED if action == RAISE else LOWERED,
        before=standing.percentage,
        to=to,
        at=format_time(seen.now),
        by=ask.by,
        reason=ask.reason,
    )
    return standing.state.at(schedule, to, seen.now, holder=ask.by).with_entry(entry)


def _release(standing: RampStatus, seen: Seen, ask: Ask) -> tuple[RampStatus, tuple[str, ...]]:
    """A person's word over a held gate, or over a breach that brought everybody out. Never over another breach."""
    if not ask.release_reason or not standing.known:
        return standing, ()
    state = standing.state
    if state.verdict not in (HOLD, ROLLBACK) or (state.verdict == ROLLBACK and state.percentage):
        return standing, (f"Nothing is held at {state.percentage} %, so nothing was released.",)
    words = (ask.released_by, shorten(ask.release_reason))
    used = [one for one in state.history if one.what == RELEASED and (one.by, one.reason) == words]
    if used:
        # The command out of the shell's history must not let go of what held later.
        return standing, (
            f"These words already released {used[-1].to} % at {used[-1].at}: give a new reason.",
        )
    entry = Entry(
        what=RELEASED,
        before=state.percentage,
        to=state.percentage,
        at=format_time(seen.now),
        by=ask.released_by,
        reason=ask.release_reason,
    )
    released = replace(state, verdict=RELEASED, reasons=()).with_entry(entry)
    return replace(standing, state=released), (
        f"{ask.released_by} released {state.percentage} %: {ask.release_reason}",
    )
