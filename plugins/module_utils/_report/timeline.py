# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned against actual phases on one time axis: where each bar stands, and what it says."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, tzinfo

from .._story.record import between
from .._words import counted
from .models import Event, PhaseRow, Tone, Try
from .scale import Scale, Span, Tick
from .times import lasting

PLAN_REACH = 6
"""A plan this many times longer than what happened would leave nothing of it to see."""
WAIT_LEAST = 5.0
WAIT_SHARE = 0.01


@dataclass(frozen=True)
class Bar:
    """Left end and width in percent of the axis. `words` are for whoever does not see it."""

    kind: str
    left: float
    width: float
    words: str


@dataclass(frozen=True)
class Lane:
    phase: PhaseRow
    bars: tuple[Bar, ...]
    took: str

    @property
    def words(self) -> str:
        return "; ".join(one.words for one in self.bars) or "Nothing is recorded."


@dataclass(frozen=True)
class Mark:
    """What happened while the phases ran: where it stands in percent, and what it was."""

    left: float
    words: str
    tone: Tone


@dataclass(frozen=True)
class Timeline:
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    cuts: tuple[tuple[float, float, str], ...]
    zone: str
    note: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A stretch of time to draw in the lane of a phase."""

    phase: str
    kind: str
    span: Span
    words: str


def timeline_of(
    phases: t.Sequence[PhaseRow],
    last_known: datetime | None,
    zone: tzinfo,
    events: t.Sequence[Event] = (),
) -> Timeline | None:
    """None when no phase has a time."""
    real = [piece for row in phases for piece in actual_pieces(row, last_known)]
    if not real:
        return None
    begin = min(piece.span[0] for piece in real)
    plan = planned_pieces(phases, begin)
    reach = max(piece.span[1] for piece in real) - begin
    planned = sum(row.planned for row in phases)
    busy = Scale.over(piece.span for piece in real).seconds
    left_out = planned > PLAN_REACH * max(busy, 1)
    note = (
        f"It took {lasting(reach)} where {lasting(planned)} were planned, so the plan does not "
        "fit here: see the table below."
        if left_out
        else ""
    )
    drawn = real if left_out else [*plan, *real]
    scale = Scale.over(piece.span for piece in drawn)
    drawn += waits(real, scale.seconds)
    end = begin + reach
    marks = tuple(
        Mark(min(scale.place(one.at.timestamp()), 99.7), f"{one.at.astimezone(zone):%H:%M:%S} {one.said}", one.tone)
        for one in events
        if begin <= one.at.timestamp() <= end
    )  # fmt: skip
    lanes = tuple(lane(row, [p for p in drawn if p.phase == row.name], scale) for row in phases)
    cuts = tuple((left, width, f"{lasting(gap)} left out") for left, width, gap in scale.cuts())
    name = datetime.fromtimestamp(begin, zone).tzname() or "UTC"
    return Timeline(lanes, tuple(scale.ticks(zone)), cuts, name, note, marks)


def actual_pieces(row: PhaseRow, last_known: datetime | None) -> t.Iterator[Piece]:
    for number, one in enumerate(row.tries, start=1):
        if one.started is None:
            continue
        end = one.finished or max(last_known or one.started, one.started)
        if end < one.started:
            continue
        kind = one.status if one.finished else "running"
        yield Piece(
            row.name, kind.replace(" ", "-"), (one.started.timestamp(), end.timestamp()),
            try_words(row, one, number),
        )  # fmt: skip


def try_words(row: PhaseRow, one: Try, number: int) -> str:
    nth = f"try {number} of {len(row.tries)}, " if len(row.tries) > 1 else ""
    if one.finished is None:
        return f"{nth}begun, no end is recorded"
    return f"{nth}{one.status} after {lasting(between(one.started, one.finished))}"


def planned_pieces(phases: t.Sequence[PhaseRow], begin: float) -> list[Piece]:
    pieces = []
    for row in phases:
        if row.planned:
            words = f"planned for {lasting(row.planned)}"
            pieces.append(Piece(row.name, "plan", (begin, begin + row.planned), words))
            begin += row.planned
    return pieces


def waits(real: t.Sequence[Piece], axis: float) -> list[Piece]:
    """From the end of all that came before to the next beginning, in the lane of what waited."""
    found = []
    reached: float | None = None
    for piece in sorted(real, key=lambda one: one.span):
        if reached is not None and piece.span[0] - reached >= max(WAIT_LEAST, WAIT_SHARE * axis):
            words = f"{lasting(piece.span[0] - reached)} of waiting before"
            found.append(Piece(piece.phase, "wait", (reached, piece.span[0]), words))
        reached = max(piece.span[1], reached or piece.span[1])
    return found


def lane(row: PhaseRow, pieces: t.Sequence[Piece], scale: Scale) -> Lane:
    bars = []
    for piece in pieces:
        left = scale.place(piece.span[0])
        width = round(max(0.3, scale.place(piece.span[1]) - left), 2)
        kind = "late" if piece.kind == "done" and row.late else piece.kind
        bars.append(Bar(kind, min(left, 99.7), width, piece.words))
    return Lane(row, tuple(bars), took_words(row))


def took_words(row: PhaseRow) -> str:
    """For example "24 min of 15 min planned, 60 % late, 2 tries"."""
    took = lasting(row.actual) or ("no end recorded" if row.tries else "")
    if row.back and row.actual:
        took = f"in place for {took}"
    parts = [took]
    if row.planned:
        of = ", " if row.back else " of "
        parts[0] += f"{of if took else ''}{lasting(row.planned)} planned"
    if row.late and row.actual:
        parts.append(f"{round(100 * (row.actual / row.planned - 1))} % late")
    if len(row.tries) > 1:
        parts.append(counted(len(row.tries), "try", "tries"))
    return ", ".join(parts)
