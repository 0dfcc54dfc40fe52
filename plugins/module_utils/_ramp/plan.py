# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what the ramp may do next: the step, when it may happen, and every reason why not. Pure.

Up: one step at a time, with lock, gate, watch and day. Down: to any earlier step, at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._errors import InputError
from .._formats import shortened, shown
from .models import (
    HOLD,
    LOWERED,
    RAISED,
    REASON,
    RELEASED,
    ROLLBACK,
    RampFacts,
    RampSchedule,
    RampState,
    RampStatus,
    RampStep,
    Start,
    stand,
    unresolved,
)

RAISE, LOWER, WATCH, WAIT = "raise", "lower", "watch", "wait"
DONE, NONE, REFUSE = "done", "none", "refuse"

KILL_SWITCH, OFF, UNKNOWN, LOCK, FREEZE = "kill_switch", "off", "unknown", "lock", "freeze"
BLOCKED, UNGUARDED = "blocked", "unguarded"
WATCHING, HELD, BREACH, DAY, SKIP = "watch", "hold", "breach", "day", "skip"

RELEASE_OPTIONS = "-e ramp_release=true -e \"reason='WHY'\" -e by=$USER"
RELEASE = f"playbooks/ramp.yml {RELEASE_OPTIONS}"

_STOPS = frozenset({KILL_SWITCH, OFF, UNKNOWN, LOCK, FREEZE, BLOCKED})
"""Reasons against watching too: metrics would not describe this step meanwhile."""


@dataclass(frozen=True)
class RampReason:
    """A reason against the next step. `until`: the time at which it ends by itself, None for never."""

    kind: str
    text: str
    until: datetime | None = None


@dataclass(frozen=True)
class StepRequest:
    """`percentage` None requests the next step. `release_reason` and `released_by` release a held step."""

    by: str
    reason: str = ""
    percentage: int | None = None
    release_reason: str = ""
    released_by: str = ""
    start: Start = field(default_factory=Start)


@dataclass(frozen=True)
class RampPlan:
    """`after`: the state to write. `target`: the next step up, None after the last step."""

    action: str
    standing: RampStatus
    after: RampState
    target: RampStep | None
    reasons: tuple[RampReason, ...]
    notes: tuple[str, ...]
    released: bool = False
    """Whether a person released a held step."""

    @property
    def percentage(self) -> int | None:
        """The percentage afterwards; None for a value that is no percentage."""
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
        """The time at which the last reason that ends by itself has ended."""
        return max((reason.until for reason in self.reasons if reason.until), default=None)


def plan(schedule: RampSchedule, facts: RampFacts, request: StepRequest) -> RampPlan:
    """Raises InputError for a percentage that is no step."""
    refuse_no_step(schedule, request.percentage)
    status = stand(schedule, facts, request.start)
    standing, release_notes = _release(status, facts, request)
    target = schedule.following(standing.percentage) if standing.percentage is not None else None
    reasons = _reasons(schedule, facts, standing, target, request.start)
    skip = _skipped(standing, target, request.percentage)
    if request.percentage is None:
        action = _next(standing, target, reasons)
    else:
        action = REFUSE if skip else _named(standing, reasons, request.percentage)
    after = standing.state
    if action in (RAISE, LOWER):
        to = target.percentage if action == RAISE and target else request.percentage or 0
        what = RAISED if action == RAISE else LOWERED
        after = after.at(schedule, to, facts.now, holder=request.by)
        after = after.noted(what, standing.percentage, facts.now, request.by, request.reason)
    notes = (*standing.notes, *release_notes)
    released = standing is not status
    return RampPlan(action, standing, after, target, (*reasons, *skip), notes, released)


def is_down(facts: RampFacts, percentage: int | None) -> bool:
    """Whether the change only takes users out, which needs no check."""
    if percentage is None:
        return False
    return percentage == 0 or (facts.percentage is not None and percentage < facts.percentage)


def refuse_no_step(schedule: RampSchedule, percentage: int | None) -> None:
    if percentage is not None and schedule.number(percentage) is None:
        raise InputError(
            f"{percentage} % is not a step of the ramp, so nothing was changed: its steps are "
            f"{schedule} %, and 0 %."
        )


def _next(standing: RampStatus, target: RampStep | None, reasons: t.Sequence[RampReason]) -> str:
    if any(reason.kind in _STOPS for reason in reasons):
        return REFUSE
    if unresolved(standing.state):
        return WATCH
    if target is None:
        return DONE
    if any(reason.until is None for reason in reasons):
        return REFUSE
    return WAIT if reasons else RAISE


def _named(standing: RampStatus, reasons: t.Sequence[RampReason], percentage: int) -> str:
    at = standing.percentage
    if at == percentage:
        if not unresolved(standing.state):
            return NONE
        return REFUSE if any(reason.kind in _STOPS for reason in reasons) else WATCH
    if percentage == 0 or (at is not None and percentage < at):
        return LOWER
    return REFUSE if reasons else RAISE


def _skipped(
    standing: RampStatus, target: RampStep | None, percentage: int | None
) -> tuple[RampReason, ...]:
    """The reason against a step up that is not the next one."""
    at = standing.percentage
    if target is None or percentage is None or not standing.known or (at or 0) >= percentage:
        return ()
    if percentage == target.percentage:
        return ()
    skip = f"{percentage} % is not the next step after {at} %: that is {target.percentage} %"
    return (RampReason(SKIP, skip),)


def _reasons(
    schedule: RampSchedule,
    facts: RampFacts,
    standing: RampStatus,
    target: RampStep | None,
    start: Start,
) -> tuple[RampReason, ...]:
    """Every reason against going up, whatever is asked."""
    reasons = [
        RampReason(kind, text)
        for kind, text in (
            (KILL_SWITCH, facts.killed),
            (LOCK, facts.held),
            (FREEZE, facts.frozen),
            (BLOCKED, start.blocked),
            (UNGUARDED, start.unguarded),
        )
        if text
    ]
    if not facts.enabled:
        reasons.append(
            RampReason(
                OFF,
                "the feature is off, so a percentage has no effect: run playbooks/deploy.yml --tags feature_flags "
                "first",
            )
        )
    if not standing.known:
        text = f"the percentage is {facts.value!r}, which is not a step: go down to one, or to 0"
        return (*reasons, RampReason(UNKNOWN, text))
    return (*reasons, *for_now(schedule, facts, standing.state, target))


def for_now(
    schedule: RampSchedule, facts: RampFacts, state: RampState, target: RampStep | None
) -> tuple[RampReason, ...]:
    """Reasons against going up in the step itself and in the calendar."""
    if target is None:
        return ()
    reasons = _about_the_step(facts, state)
    day = schedule.begins(target, state.started)
    if facts.now < day:
        reasons.append(RampReason(DAY, f"day {target.day} begins at {shown(day)}", day))
    return tuple(reasons)


def _about_the_step(facts: RampFacts, state: RampState) -> list[RampReason]:
    at, why = f"{state.percentage} %", f" ({'; '.join(state.reasons)})" if state.reasons else ""
    reasons = []
    if state.verdict == ROLLBACK:
        cure = (
            "watch it until it is good; a person's release is not enough"
            if state.percentage
            else f"release it with {RELEASE}"
        )
        reasons.append(RampReason(BREACH, f"a breach brought it down to {at}{why}: {cure}"))
    elif state.verdict == HOLD:
        reasons.append(
            RampReason(
                HELD, f"the gate holds at {at}{why}: watch it again, or release it with {RELEASE}"
            )
        )
    elif unresolved(state):
        reasons.append(RampReason(WATCHING, f"{at} has not been watched to the end"))
    if facts.now < state.watch_until:
        text = f"the watch of {at} lasts until {shown(state.watch_until)}"
        reasons.append(RampReason(WATCHING, text, state.watch_until))
    return reasons


def _release(
    standing: RampStatus, facts: RampFacts, request: StepRequest
) -> tuple[RampStatus, tuple[str, ...]]:
    """A person's word over a held gate, or over a breach that brought everybody out. Never over another breach."""
    if not request.release_reason or not standing.known:
        return standing, ()
    state = standing.state
    if state.verdict not in (HOLD, ROLLBACK) or (state.verdict == ROLLBACK and state.percentage):
        return standing, (f"Nothing is held at {state.percentage} %, so nothing was released.",)
    words = (request.released_by, shortened(request.release_reason, REASON))
    used = [
        entry
        for entry in state.history
        if entry.what == RELEASED and (entry.by, entry.reason) == words
    ]
    if used:
        # A command from the shell's history must not release a later hold.
        return standing, (
            f"These words already released {used[-1].to} % at {used[-1].at}: give a new reason.",
        )
    released = replace(state, verdict=RELEASED, reasons=()).noted(
        RELEASED, state.percentage, facts.now, request.released_by, request.release_reason
    )
    return replace(standing, state=released), (
        f"{request.released_by} released {state.percentage} %: {request.release_reason}",
    )
