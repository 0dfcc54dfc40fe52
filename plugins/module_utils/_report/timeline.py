# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned against actual phases on one time axis: where each bar stands, and what it says."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from .._formats import counted, lasting
from .._release.record import between
from .._time import UTC
from .models import FIRST, LAST, Bar, Event, Lane, Mark, PhaseRow, PhaseTry, Tick, Timeline

Span = tuple[float, float]

CUT_SHARE = 0.5
"""A gap as long as this share of all that is busy is cut out, if it is also longer than CUT_LEAST seconds."""
CUT_LEAST = 900.0
CUT_WIDTH = 0.05
STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * m for m in (1, 2, 5, 10, 15, 30)),
    *(3600 * h for h in (1, 2, 3, 6, 12)),
    *(86400 * d for d in (1, 2, 5, 10, 30)),
)
TICKS = 7
NARROW, WIDE = 270.0, 420.0
"""Pixels of the axis on a phone and on a narrow window: there no label may touch another."""
LETTER, APART = 7.0, 10.0
"""Pixels of a letter of a label at most, and between two labels."""


def merged(spans: t.Iterable[Span]) -> list[Span]:
    blocks: list[Span] = []
    for begin, end in sorted(spans):
        if blocks and begin <= blocks[-1][1]:
            blocks[-1] = (blocks[-1][0], max(blocks[-1][1], end))
        else:
            blocks.append((begin, end))
    return blocks


@dataclass(frozen=True)
class Scale:
    """`blocks` are the stretches of time that are drawn, in seconds since 1970; between two is a cut."""

    blocks: tuple[Span, ...]

    @classmethod
    def over(cls, spans: t.Iterable[Span]) -> Scale:
        busy = merged(spans)
        total = sum(end - begin for begin, end in busy) or 1.0
        longest = max(CUT_LEAST, CUT_SHARE * total)
        drawn: list[Span] = []
        for begin, end in busy:
            if drawn and begin - drawn[-1][1] <= longest:
                drawn[-1] = (drawn[-1][0], end)
            else:
                drawn.append((begin, end))
        return cls(tuple(drawn))

    @property
    def seconds(self) -> float:
        return sum(end - begin for begin, end in self.blocks) or 1.0

    def place(self, moment: float) -> float:
        """Where a moment stands, in percent. What is in a cut stands in its middle."""
        cut = self.seconds * CUT_WIDTH
        whole = self.seconds + cut * (len(self.blocks) - 1)
        before = 0.0
        for begin, end in self.blocks:
            if moment < begin:
                before -= cut / 2
                break
            if moment <= end:
                before += moment - begin
                break
            before += end - begin + cut
        return round(min(100.0, max(0.0, 100 * before / whole)), 2)

    def cuts(self) -> list[tuple[float, float, float]]:
        """Left end and width in percent of each cut, and the seconds that it leaves out."""
        return [
            (self.place(left), round(self.place(right) - self.place(left), 2), right - left)
            for (_begin, left), (right, _end) in itertools.pairwise(self.blocks)
        ]

    def ticks(self, zone: tzinfo) -> list[Tick]:
        step = next((step for step in STEPS if self.seconds / step <= TICKS), STEPS[-1])
        results: list[Tick] = []
        free, free_narrow, day = -APART, -APART, ""
        for begin, end in self.blocks:
            for moment in round_moments(begin, end, step, zone):
                place = self.place(moment.timestamp())
                today = f"{moment:%d %b} " if len(self.blocks) > 1 or step >= 43200 else ""
                label = ((today if today != day else "") + clock(moment, step)).strip()
                left, right = reach(place, label, WIDE)
                if left < free:
                    results.append(Tick(place, "", narrow=False))
                    continue
                narrow_left, narrow_right = reach(place, label, NARROW)
                narrow = narrow_left >= free_narrow
                results.append(Tick(place, label, narrow=narrow))
                free = right + APART
                free_narrow = narrow_right + APART if narrow else free_narrow
                day = today
        return results


def clock(moment: datetime, step: int) -> str:
    if step >= 86400:
        return ""
    return f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"


def reach(place: float, label: str, width: float) -> tuple[float, float]:
    """From where to where a label reaches in pixels, on an axis so wide. At its ends it stands within."""
    at, long = place * width / 100, len(label) * LETTER
    if place < FIRST:
        return at, at + long
    return (at - long, at) if place > LAST else (at - long / 2, at + long / 2)


def round_moments(begin: float, end: float, step: int, zone: tzinfo) -> t.Iterator[datetime]:
    """Moments at which the zone's clock shows a multiple of `step`."""
    first = datetime.fromtimestamp(begin, UTC).astimezone(zone)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = first.timestamp() - midnight.timestamp()
    moment = midnight.astimezone(UTC) + timedelta(seconds=-(-passed // step) * step)
    while moment.timestamp() <= end:
        yield moment.astimezone(zone)
        moment += timedelta(seconds=step)


PLAN_REACH = 6
"""A plan this many times longer than what happened would leave nothing of it to see."""
WAIT_LEAST = 5.0
WAIT_SHARE = 0.01


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
        Mark(min(scale.place(event.at.timestamp()), 99.7),
             f"{event.at.astimezone(zone):%H:%M:%S} {event.text}", event.tone)
        for event in events
        if begin <= event.at.timestamp() <= end
    )  # fmt: skip
    lanes = tuple(lane(row, [p for p in drawn if p.phase == row.name], scale) for row in phases)
    cuts = tuple((left, width, f"{lasting(gap)} left out") for left, width, gap in scale.cuts())
    name = datetime.fromtimestamp(begin, zone).tzname() or "UTC"
    return Timeline(lanes, tuple(scale.ticks(zone)), cuts, name, note, marks)


def actual_pieces(row: PhaseRow, last_known: datetime | None) -> t.Iterator[Piece]:
    for number, try_ in enumerate(row.tries, start=1):
        if try_.started is None:
            continue
        end = try_.finished or max(last_known or try_.started, try_.started)
        if end < try_.started:
            continue
        kind = try_.status if try_.finished else "running"
        yield Piece(
            row.name, kind.replace(" ", "-"), (try_.started.timestamp(), end.timestamp()),
            try_words(row, try_, number),
        )  # fmt: skip


def try_words(row: PhaseRow, entry: PhaseTry, number: int) -> str:
    nth = f"try {number} of {len(row.tries)}, " if len(row.tries) > 1 else ""
    if entry.finished is None:
        return f"{nth}begun, no end is recorded"
    return f"{nth}{entry.status} after {lasting(between(entry.started, entry.finished))}"


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
    results = []
    reached: float | None = None
    for piece in sorted(real, key=lambda entry: entry.span):
        if reached is not None and piece.span[0] - reached >= max(WAIT_LEAST, WAIT_SHARE * axis):
            words = f"{lasting(piece.span[0] - reached)} of waiting before"
            results.append(Piece(piece.phase, "wait", (reached, piece.span[0]), words))
        reached = max(piece.span[1], reached or piece.span[1])
    return results


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
    if row.late:
        parts.append(f"{row.over} late")
    if len(row.tries) > 1:
        parts.append(counted(len(row.tries), "try", "tries"))
    return ", ".join(parts)
