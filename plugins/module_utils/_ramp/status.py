# SPDX-License-Identifier: GPL-3.0-or-later
"""The ramp's status: the cluster's percentage counts, and the ramp's own state is compared with it. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._time import format_time
from .models import (
    PENDING,
    PROCEED,
    RELEASED,
    ROLLBACK,
    SET_ELSEWHERE,
    RampEntry,
    RampSchedule,
    RampState,
)


@dataclass(frozen=True)
class RampFacts:
    """The cluster as it was read at `now`.

    `value`: the percentage in the ConfigMap, None without one. `killed`, `held` and `frozen`: sentences about the kill
    switch, the lock and the freeze that forbid going up, or "". `managers`: other field managers of the percentage.
    """

    value: str | None
    enabled: bool
    annotation: str | None
    now: datetime
    killed: str = ""
    held: str = ""
    frozen: str = ""
    managers: tuple[str, ...] = ()

    @property
    def percentage(self) -> int | None:
        """The percentage; None for a value that is none. A flag that is not set counts as 0, as for the platform."""
        if self.value is None:
            return 0
        number = re.fullmatch(r"\d{1,3}", self.value)
        return int(number[0]) if number and int(number[0]) <= 100 else None


@dataclass(frozen=True)
class Start:
    """Facts of the release record: the begin of the first step, the good end of its watch, and blocks of going up."""

    began: datetime | None = None
    watched: datetime | None = None
    blocked: str = ""
    unguarded: str = ""


@dataclass(frozen=True)
class RampStatus:
    """`percentage`: None for a value that is no percentage. `notes`: sentences about changes by other writers."""

    state: RampState
    percentage: int | None
    known: bool
    notes: tuple[str, ...] = ()

    def moved(self, **changes: t.Any) -> RampStatus:
        return replace(self, state=replace(self.state, **changes))


def stand(schedule: RampSchedule, facts: RampFacts, start: Start) -> RampStatus:
    state = RampState.from_annotation(facts.annotation)
    percentage, number = facts.percentage, schedule.number(facts.percentage)
    if percentage is None or number is None:
        return _unknown(schedule, facts, state or _fresh(schedule, facts, start, 0))
    notes: list[str] = []
    if state is None and facts.annotation is not None:
        notes.append("The ramp's state on the ConfigMap cannot be read, so it begins again.")
    history = state.history if state else ()
    if state is not None and start.began is not None and start.began > state.started:
        state = _left_of(state, percentage, start.began)
    if state is None:
        begun = _fresh(schedule, facts, start, percentage)
        return RampStatus(replace(begun, history=history), percentage, True, tuple(notes))
    if state.percentage == percentage:
        return RampStatus(state, percentage, True)
    return _set_elsewhere(schedule, facts, state, percentage)


def _fresh(schedule: RampSchedule, facts: RampFacts, start: Start, percentage: int) -> RampState:
    """The state of a ramp that begins. A first step that its release has watched needs no second watch."""
    began = start.began or facts.now
    first = percentage == schedule.steps[0].percentage and start.began is not None
    watched = first and start.watched is not None and start.watched >= began
    since = began if first else facts.now
    return RampState(
        step=schedule.number(percentage) or 0,
        percentage=percentage,
        started=began,
        since=since,
        watch_until=since if percentage == 0 else since + schedule.watch,
        holder="",
        verdict=PROCEED if watched else PENDING,
    )


def _left_of(state: RampState, percentage: int, began: datetime) -> RampState | None:
    """The state that stays of an earlier ramp after a new begin: only a breach that was detected after it."""
    breached = state.verdict == ROLLBACK and state.percentage == percentage
    return replace(state, started=began) if breached and state.since >= began else None


def _set_elsewhere(
    schedule: RampSchedule, facts: RampFacts, state: RampState, percentage: int
) -> RampStatus:
    """The status after another writer set another step: a rollback, the kill switch, a deployment or a person."""
    by = ", ".join(facts.managers) or "something outside the ramp"
    entry = RampEntry(
        what=SET_ELSEWHERE,
        before=state.percentage,
        to=percentage,
        at=format_time(facts.now),
        by=by,
        reason="",
    )
    new_state = state.at(schedule, percentage, facts.now, holder=state.holder).with_entry(entry)
    if percentage == 0 and state.verdict == ROLLBACK:
        # Without users no watch can judge it good again.
        new_state = replace(new_state, verdict=ROLLBACK, reasons=state.reasons)
    note = (
        f"The ramp set {state.percentage} %, and {by} set {percentage} % since: it counts as a "
        "new step, watched before the next."
    )
    return RampStatus(new_state, percentage, True, (note,))


def _unknown(schedule: RampSchedule, facts: RampFacts, state: RampState) -> RampStatus:
    by = f" {', '.join(facts.managers)} set it." if facts.managers else ""
    note = f"The percentage in the cluster is {facts.value!r}, which is not a step of the schedule ({schedule}).{by}"
    return RampStatus(state, facts.percentage, False, (note,))


def step_key(facts: RampFacts, start: Start) -> str:
    """A key that identifies the step. It stays until another step is taken, even where the step's begin is unknown."""
    state = RampState.from_annotation(facts.annotation)
    times = (
        format_time(moment) if moment else "" for moment in (state and state.since, start.began)
    )
    return " ".join((str(facts.value), *times))


def unresolved(state: RampState) -> bool:
    """Whether the present step still has to be watched. 0 % has no users to watch."""
    return state.percentage > 0 and state.verdict not in (PROCEED, RELEASED)
