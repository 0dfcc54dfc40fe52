# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the ramp stands: what the cluster runs with counts, and the ramp's own state is held against it. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._time import format_time
from .models import FOUND, PENDING, PROCEED, RELEASED, ROLLBACK, Entry, RampState, Schedule


@dataclass(frozen=True)
class Seen:
    """The cluster as it was read, at `now`.

    `value` is the percentage as the ConfigMap has it, None for none. `killed`, `held` and `frozen` say in
    words who keeps everybody from going up, "" for nobody. `managers` are who else sets the percentage.
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
        """None for a value that is no percentage. A flag that is not set counts as 0, as for the platform."""
        if self.value is None:
            return 0
        number = re.fullmatch(r"\d{1,3}", self.value)
        return int(number[0]) if number and int(number[0]) <= 100 else None


@dataclass(frozen=True)
class Start:
    """What a release record knows: when the first step began, when its watch ended well, and what blocks going up."""

    began: datetime | None = None
    watched: datetime | None = None
    blocked: str = ""
    unguarded: str = ""


@dataclass(frozen=True)
class RampStatus:
    """`percentage` is None for a value that is no percentage; `notes` tell what was found otherwise than left."""

    state: RampState
    percentage: int | None
    known: bool
    notes: tuple[str, ...] = ()

    def moved(self, **changes: t.Any) -> RampStatus:
        return replace(self, state=replace(self.state, **changes))


def stand(schedule: Schedule, seen: Seen, start: Start) -> RampStatus:
    state = RampState.from_annotation(seen.annotation)
    percentage, number = seen.percentage, schedule.number(seen.percentage)
    if percentage is None or number is None:
        return _unknown(schedule, seen, state or _fresh(schedule, seen, start, 0))
    notes: list[str] = []
    if state is None and seen.annotation is not None:
        notes.append("The ramp's state on the ConfigMap cannot be read, so it begins again.")
    history = state.history if state else ()
    if state is not None and start.began is not None and start.began > state.started:
        state = _left_of(state, percentage, start.began)
    if state is None:
        begun = _fresh(schedule, seen, start, percentage)
        return RampStatus(replace(begun, history=history), percentage, True, tuple(notes))
    if state.percentage == percentage:
        return RampStatus(state, percentage, True)
    return _found(schedule, seen, state, percentage)


def _fresh(schedule: Schedule, seen: Seen, start: Start, percentage: int) -> RampState:
    """Of a ramp that begins. What its release has watched already need not be watched again."""
    began = start.began or seen.now
    first = percentage == schedule.steps[0].percentage and start.began is not None
    watched = first and start.watched is not None and start.watched >= began
    since = began if first else seen.now
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
    """Of a ramp that began before, once it has begun anew: a breach that was found since by who did not know."""
    breached = state.verdict == ROLLBACK and state.percentage == percentage
    return replace(state, started=began) if breached and state.since >= began else None


def _found(schedule: Schedule, seen: Seen, state: RampState, percentage: int) -> RampStatus:
    """Somebody set another step: a rollback, the kill switch, a deployment, a person."""
    by = ", ".join(seen.managers) or "something outside the ramp"
    entry = Entry(
        what=FOUND,
        before=state.percentage,
        to=percentage,
        at=format_time(seen.now),
        by=by,
        reason="",
    )
    found = state.at(schedule, percentage, seen.now, holder=state.holder).with_entry(entry)
    if percentage == 0 and state.verdict == ROLLBACK:
        # Nobody is there, so no watch can find it good again.
        found = replace(found, verdict=ROLLBACK, reasons=state.reasons)
    note = (
        f"The ramp set {state.percentage} %, and {by} set {percentage} % since: it counts as a "
        "new step, watched before the next."
    )
    return RampStatus(found, percentage, True, (note,))


def _unknown(schedule: Schedule, seen: Seen, state: RampState) -> RampStatus:
    by = f" {', '.join(seen.managers)} set it." if seen.managers else ""
    note = f"The percentage in the cluster is {seen.value!r}, which is not a step of the schedule ({schedule}).{by}"
    return RampStatus(state, seen.percentage, False, (note,))


def step_key(seen: Seen, start: Start) -> str:
    """Tells steps apart, and stays the same until another is taken, also where it is not known since when it stands."""
    state = RampState.from_annotation(seen.annotation)
    times = (format_time(one) if one else "" for one in (state and state.since, start.began))
    return " ".join((str(seen.value), *times))


def unresolved(state: RampState) -> bool:
    """Whether the present step still is to be watched. Nobody is at 0 %, so there is nothing to look at."""
    return state.percentage > 0 and state.verdict not in (PROCEED, RELEASED)
