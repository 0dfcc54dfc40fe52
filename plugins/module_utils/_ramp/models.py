# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule as data, and the ramp's state as an annotation beside its percentage.

The ramp's status: the cluster's percentage counts, and the ramp's own state is compared with it. Pure.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .._errors import ConflictError
from .._formats import shortened
from .._release.decode import dumped, restored, under
from .._time import format_time


class RampRefusedError(ConflictError):
    reason = "RampRefused"


PENDING, PROCEED, HOLD, ROLLBACK, RELEASED = "pending", "proceed", "hold", "rollback", "released"
"""States of the present step: not fully watched, the watch's verdict, or a person's release of a held step."""

RAISED, LOWERED, SET_ELSEWHERE, HELD, BREACHED = "raised", "lowered", "found", "held", "breached"
"""Kinds of entries of the history, besides RELEASED."""

ENTRIES = 20
REASON = 300


@dataclass(frozen=True)
class RampStep:
    """`day` counts from 1, the day on which the ramp begins. `users`: their rough number, None if not given.

    `must_detect`: the harm that its watch must be able to detect, None for no demand.
    """

    day: int
    percentage: int
    users: int | None = None
    must_detect: float | None = None


@dataclass(frozen=True)
class RampSchedule:
    """`watch` is how long a step is looked at before the next; `day` how long a day is, for rehearsals."""

    steps: tuple[RampStep, ...]
    watch: timedelta
    day: timedelta = timedelta(days=1)

    def number(self, percentage: int | None) -> int | None:
        """The step's number from 1; 0 before the first step, None for a percentage that is no step."""
        percentages = [step.percentage for step in self.steps]
        if percentage == 0:
            return 0
        return percentages.index(percentage) + 1 if percentage in percentages else None

    def following(self, percentage: int) -> RampStep | None:
        return next((step for step in self.steps if step.percentage > percentage), None)

    def preceding(self, percentage: int) -> int:
        """The percentage of the step before, 0 before the first."""
        return max((s.percentage for s in self.steps if s.percentage < percentage), default=0)

    def begins(self, step: RampStep, started: datetime) -> datetime:
        return started + (step.day - self.steps[0].day) * self.day

    def __str__(self) -> str:
        return ", ".join(str(step.percentage) for step in self.steps)


@dataclass(frozen=True)
class RampEntry:
    """One change of the percentage or of its verdict. `before` is None for an unknown percentage."""

    what: str
    to: int
    at: str
    by: str = ""
    before: int | None = under("from", default=None)
    reason: str = ""


@dataclass(frozen=True)
class RampState:
    """The ramp's last written state. `started`: the begin of day 1. `since`: the begin of this percentage."""

    step: int
    percentage: int
    started: datetime
    since: datetime
    watch_until: datetime
    holder: str = ""
    verdict: str = PENDING
    reasons: tuple[str, ...] = ()
    history: tuple[RampEntry, ...] = ()

    def at(
        self,
        schedule: RampSchedule,
        percentage: int,
        now: datetime,
        *,
        holder: str,
        verdict: str = PENDING,
        reasons: tuple[str, ...] = (),
    ) -> RampState:
        """The state at `percentage` from `now` on. 0 % has no users to watch."""
        return replace(
            self,
            step=schedule.number(percentage) or 0,
            percentage=percentage,
            since=now,
            watch_until=now + schedule.watch if percentage else now,
            holder=holder,
            verdict=verdict,
            reasons=reasons,
        )

    def left(self, now: datetime) -> RampState:
        """The state of a step that users are taken out of: if another writer brings it back, it is watched anew.

        A hold or a breach stays.
        """
        if self.verdict == ROLLBACK:
            return self
        watched = self.verdict in (PROCEED, RELEASED)
        return replace(
            self,
            since=now,
            watch_until=now + (self.watch_until - self.since),
            verdict=PENDING if watched else self.verdict,
            reasons=() if watched else self.reasons,
        )

    def noted(
        self, what: str, before: int | None, now: datetime, by: str, reason: str = ""
    ) -> RampState:
        """With an entry of the history about how it came to its percentage, or was judged there."""
        why = shortened(reason, REASON)
        entry = RampEntry(what, self.percentage, format_time(now), by, before, why)
        return replace(self, history=(*self.history, entry)[-ENTRIES:])

    def to_json(self) -> dict[str, t.Any]:
        body: dict[str, t.Any] = json.loads(dumped(self))
        body["history"] = [{"from": entry.pop("before"), **entry} for entry in body["history"]]
        return body

    def to_annotation(self) -> str:
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_annotation(cls, text: str | None) -> RampState | None:
        """The state; None without an annotation or with an unreadable one."""
        if text is None:
            return None
        try:
            return restored(cls, json.loads(text), "ramp")
        except (TypeError, ValueError):
            return None


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
    new_state = state.at(schedule, percentage, facts.now, holder=state.holder)
    new_state = new_state.noted(SET_ELSEWHERE, state.percentage, facts.now, by)
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
