# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule as data, and the ramp's state as an annotation beside its percentage."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from .._errors import ConflictError
from .._time import format_time, read_time


class RampRefusedError(ConflictError):
    reason = "RampRefused"


PENDING, PROCEED, HOLD, ROLLBACK, RELEASED = "pending", "proceed", "hold", "rollback", "released"
"""States of the present step: not fully watched, the watch's verdict, or a person's release of a held step."""

RAISED, LOWERED, SET_ELSEWHERE, HELD, BREACHED = "raised", "lowered", "found", "held", "breached"
"""Kinds of entries of the history, besides RELEASED."""

ENTRIES = 20
_REASON = 300


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
    before: int | None
    to: int
    at: str
    by: str
    reason: str = ""

    def to_json(self) -> dict[str, t.Any]:
        body = asdict(self)
        return {"from": body.pop("before"), **body}

    @classmethod
    def from_json(cls, body: t.Mapping[str, t.Any]) -> RampEntry:
        before = body["from"]
        return cls(
            what=str(body["what"]),
            before=None if before is None else int(before),
            to=int(body["to"]),
            at=str(body["at"]),
            by=str(body["by"]),
            reason=str(body["reason"]),
        )


@dataclass(frozen=True)
class RampState:
    """The ramp's last written state. `started`: the begin of day 1. `since`: the begin of this percentage."""

    step: int
    percentage: int
    started: datetime
    since: datetime
    watch_until: datetime
    holder: str
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

    def with_entry(self, entry: RampEntry) -> RampState:
        shortened = replace(entry, reason=shorten(entry.reason))
        return replace(self, history=(*self.history, shortened)[-ENTRIES:])

    def to_json(self) -> dict[str, t.Any]:
        return {
            "step": self.step,
            "percentage": self.percentage,
            "started": format_time(self.started),
            "since": format_time(self.since),
            "watch_until": format_time(self.watch_until),
            "holder": self.holder,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "history": [entry.to_json() for entry in self.history],
        }

    def to_annotation(self) -> str:
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_annotation(cls, text: str | None) -> RampState | None:
        """The state; None without an annotation or with an unreadable one."""
        if text is None:
            return None
        try:
            body = json.loads(text)
            return cls(
                step=int(body["step"]),
                percentage=int(body["percentage"]),
                started=read_time(body["started"]),
                since=read_time(body["since"]),
                watch_until=read_time(body["watch_until"]),
                holder=str(body["holder"]),
                verdict=str(body["verdict"]),
                reasons=tuple(str(reason) for reason in body["reasons"]),
                history=tuple(RampEntry.from_json(entry) for entry in body["history"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return None


def shorten(text: str) -> str:
    return text if len(text) <= _REASON else f"{text[: _REASON - 1]}…"


def show_time(moment: datetime) -> str:
    """For people."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
