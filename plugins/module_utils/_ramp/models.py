# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule as data, and the ramp's state as an annotation beside the percentage it tells of."""

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
"""What is known of the present step: watched not to its end, the gate's verdict, or a person's over a held one."""

RAISED, LOWERED, FOUND, HELD, BREACHED = "raised", "lowered", "found", "held", "breached"
"""What an entry of the history tells, besides RELEASED."""

ENTRIES = 20
_REASON = 300


@dataclass(frozen=True)
class Step:
    """`day` counts from 1, the day on which the ramp begins. `users` is about how many, None if not told.

    `must_detect`: a harm that its watch must be able to see, None for whatever it can.
    """

    day: int
    percentage: int
    users: int | None = None
    must_detect: float | None = None


@dataclass(frozen=True)
class Schedule:
    """`watch` is how long a step is looked at before the next; `day` how long a day is, for rehearsals."""

    steps: tuple[Step, ...]
    watch: timedelta
    day: timedelta = timedelta(days=1)

    def number(self, percentage: int | None) -> int | None:
        """Which step it is, from 1; 0 is before the first. None for a percentage that is no step."""
        found = [step.percentage for step in self.steps]
        if percentage == 0:
            return 0
        return found.index(percentage) + 1 if percentage in found else None

    def following(self, percentage: int) -> Step | None:
        return next((step for step in self.steps if step.percentage > percentage), None)

    def preceding(self, percentage: int) -> int:
        """The percentage of the step before, 0 before the first."""
        return max((s.percentage for s in self.steps if s.percentage < percentage), default=0)

    def begins(self, step: Step, started: datetime) -> datetime:
        return started + (step.day - self.steps[0].day) * self.day

    def __str__(self) -> str:
        return ", ".join(str(step.percentage) for step in self.steps)


@dataclass(frozen=True)
class Entry:
    """One change of the percentage, or of what is known of it. `before` is None for one that nobody knows."""

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
    def from_json(cls, body: t.Mapping[str, t.Any]) -> Entry:
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
    """What the ramp last wrote. `started` is when day 1 began; `since` when this percentage did."""

    step: int
    percentage: int
    started: datetime
    since: datetime
    watch_until: datetime
    holder: str
    verdict: str = PENDING
    reasons: tuple[str, ...] = ()
    history: tuple[Entry, ...] = ()

    def at(
        self,
        schedule: Schedule,
        percentage: int,
        now: datetime,
        *,
        holder: str,
        verdict: str = PENDING,
        reasons: tuple[str, ...] = (),
    ) -> RampState:
        """At `percentage` from `now` on. Nobody is at 0 %, so there is nothing to watch."""
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
        """Of a step that users are taken out of: should another hand bring it back, it is watched anew.

        What holds it, or brought it down, stays.
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

    def with_entry(self, entry: Entry) -> RampState:
        kept = replace(entry, reason=shorten(entry.reason))
        return replace(self, history=(*self.history, kept)[-ENTRIES:])

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
        """None when there is none, or none that can be read."""
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
                reasons=tuple(str(one) for one in body["reasons"]),
                history=tuple(Entry.from_json(one) for one in body["history"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return None


def shorten(text: str) -> str:
    return text if len(text) <= _REASON else f"{text[: _REASON - 1]}…"


def show_time(moment: datetime) -> str:
    """For people."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
