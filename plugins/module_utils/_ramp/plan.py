# SPDX-License-Identifier: GPL-3.0-or-later
"""The ramp: its schedule, its state beside its percentage, and what it may do next. Pure.

The cluster's percentage counts, and the ramp's own state is compared with it. Up: one step at a time, with lock, gate,
watch and day. Down: to any earlier step, at any time.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .._decode import dumped, restored, under
from .._errors import ConflictError, InputError
from .._flags.apply import RESET
from .._formats import read_json, shortened, shown
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
        breach: tuple[str, ...] | None = None,
    ) -> RampState:
        """The state at `percentage` from `now` on. 0 % has no users to watch.

        `breach`: its reasons where one brings the ramp here. One from before stays, whoever sets the percentage, until
        a watch is good or a person releases it.
        """
        if breach is None and self.verdict == ROLLBACK:
            breach = self.reasons
        return replace(
            self,
            step=schedule.number(percentage) or 0,
            percentage=percentage,
            since=now,
            watch_until=now + schedule.watch if percentage else now,
            holder=holder,
            verdict=PENDING if breach is None else ROLLBACK,
            reasons=breach or (),
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
        self, what: str, moved: tuple[int | None, int], now: datetime, by: str, reason: str = ""
    ) -> RampState:
        """With an entry of the history. `moved`: the percentage before, None for an unknown one, and after."""
        before, to = moved
        entry = RampEntry(what, to, format_time(now), by, before, shortened(reason, REASON))
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
        try:
            return restored(cls, read_json(text or ""), "ramp")
        except ValueError:
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
        note = f"The percentage in the cluster is {facts.value!r}, which is not a step of the schedule ({schedule})."
        note += f" {', '.join(facts.managers)} set it." if facts.managers else ""
        state = state or _fresh(schedule, facts, start, 0)
        return RampStatus(state, percentage, False, (note,))
    unreadable = state is None and facts.annotation is not None
    history = state.history if state else ()
    if state is not None and start.began is not None and start.began > state.started:
        state = _left_of(state, start.began)
    if state is None:
        begun = replace(_fresh(schedule, facts, start, percentage), history=history)
        note = "The ramp's state on the ConfigMap cannot be read, so it begins again."
        return RampStatus(begun, percentage, True, (note,) if unreadable else ())
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


def _left_of(state: RampState, began: datetime) -> RampState | None:
    """The state that stays of an earlier ramp after a new begin: only a breach that was detected after it."""
    breached = state.verdict == ROLLBACK and state.since >= began
    return replace(state, started=began) if breached else None


def _set_elsewhere(
    schedule: RampSchedule, facts: RampFacts, state: RampState, percentage: int
) -> RampStatus:
    """The status after another writer set another step: a rollback, the kill switch, a deployment or a person."""
    by = ", ".join(facts.managers) or "something outside the ramp"
    new_state = state.at(schedule, percentage, facts.now, holder=state.holder)
    new_state = new_state.noted(SET_ELSEWHERE, (state.percentage, percentage), facts.now, by)
    note = (
        f"The ramp set {state.percentage} %, and {by} set {percentage} % since: it counts as a "
        "new step, watched before the next."
    )
    return RampStatus(new_state, percentage, True, (note,))


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


RAISE, LOWER, WATCH, WAIT = "raise", "lower", "watch", "wait"
DONE, NONE, REFUSE = "done", "none", "refuse"

KILL_SWITCH, OFF, UNKNOWN, LOCK, FREEZE = "kill_switch", "off", "unknown", "lock", "freeze"
BLOCKED, UNGUARDED = "blocked", "unguarded"
WATCHING, BREACH, DAY, SKIP = "watch", "breach", "day", "skip"

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
        after = after.noted(what, (standing.percentage, to), facts.now, request.by, request.reason)
    notes = (*standing.notes, *release_notes)
    released = standing is not status
    return RampPlan(action, standing, after, target, (*reasons, *skip), notes, released)


def is_down(facts: RampFacts, percentage: int | None) -> bool:
    """Whether the change only takes users out, which needs no check."""
    if percentage is None:
        return False
    return percentage == 0 or (facts.percentage is not None and percentage < facts.percentage)


def refuse_no_step(schedule: RampSchedule, percentage: int | None) -> None:
    # Ansible converts true to 1, which would be a mistake.
    if isinstance(percentage, bool) or (
        percentage is not None and schedule.number(percentage) is None
    ):
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
    up = standing.known and percentage is not None and percentage > (at or 0)
    if target is None or not up or percentage == target.percentage:
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
    off = "the feature is off, so a percentage has no effect: run playbooks/deploy.yml --tags feature_flags first"
    unknown = f"the percentage is {facts.value!r}, which is not a step: go down to one, or to 0"
    killed = f"{facts.killed.rstrip('.')}: when the cause is gone, reset it with {RESET}"
    against = {
        KILL_SWITCH: killed if facts.killed else "",
        LOCK: facts.held,
        FREEZE: facts.frozen,
        BLOCKED: start.blocked,
        UNGUARDED: start.unguarded,
        # The switch is reset first.
        OFF: "" if facts.enabled or facts.killed else off,
        UNKNOWN: "" if standing.known else unknown,
    }
    lasting = tuple(RampReason(kind, text) for kind, text in against.items() if text)
    if not standing.known:
        return lasting
    return (*lasting, *for_now(schedule, facts, standing.state, target))


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
        reasons.append(RampReason(BREACH, f"it is at {at} after a breach{why}: {cure}"))
    elif state.verdict == HOLD:
        reasons.append(
            RampReason(
                HOLD, f"the gate holds at {at}{why}: watch it again, or release it with {RELEASE}"
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
    at, by, why = (state.percentage, state.percentage), request.released_by, request.release_reason
    released = replace(state, verdict=RELEASED, reasons=()).noted(RELEASED, at, facts.now, by, why)
    return replace(standing, state=released), (
        f"{request.released_by} released {state.percentage} %: {request.release_reason}",
    )
