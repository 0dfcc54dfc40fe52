# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned against actual phases on one time axis: where each bar stands, and what it says."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass
from datetime import datetime, tzinfo

from .._formats import counted, lasting
from .._release.record import between
from .._time import UTC
from .models import Bar, Cell, Lane, PhaseRow, PhaseTry, Report, Timeline

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
LETTER, APART = 2.6, 3.7
"""Percent of the axis that a letter of a label and the room behind it take on a phone: no label may touch another."""


def merged(spans: t.Iterable[Span], gap: float = 0.0) -> tuple[Span, ...]:
    """In their order, those in one between which there is no longer gap."""
    blocks: list[Span] = []
    for begin, end in sorted(spans):
        if blocks and begin - blocks[-1][1] <= gap:
            blocks[-1] = (blocks[-1][0], max(blocks[-1][1], end))
        else:
            blocks.append((begin, end))
    return tuple(blocks)


def length(spans: t.Iterable[Span]) -> float:
    return sum(end - begin for begin, end in spans) or 1.0


@dataclass(frozen=True)
class TimeScale:
    """`blocks` are the stretches of time that are drawn, in seconds since 1970; between two is a cut."""

    blocks: tuple[Span, ...]

    @classmethod
    def over(cls, spans: t.Iterable[Span]) -> TimeScale:
        busy = merged(spans)
        return cls(merged(busy, max(CUT_LEAST, CUT_SHARE * length(busy))))

    def place(self, moment: float) -> float:
        """Where a moment stands, in percent. What is in a cut stands in its middle."""
        cut = length(self.blocks) * CUT_WIDTH
        whole = length(self.blocks) + cut * (len(self.blocks) - 1)
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

    def bar(self, kind: str, span: Span, words: str, least: float = 0.0) -> Bar:
        """Within the axis, and so wide at least that it is seen."""
        left = self.place(span[0])
        width = round(max(least, self.place(span[1]) - left), 2)
        return Bar(kind, min(left, 100 - least), width, words)

    def cuts(self) -> tuple[Bar, ...]:
        return tuple(
            self.bar("cut", (left, right), f"{lasting(right - left)} left out")
            for (_begin, left), (right, _end) in itertools.pairwise(self.blocks)
        )

    def ticks(self, zone: tzinfo) -> tuple[tuple[float, str], ...]:
        seconds = length(self.blocks)
        step = next((step for step in STEPS if seconds / step <= TICKS), STEPS[-1])
        clock = "" if step >= 86400 else "%H:%M:%S" if step < 60 else "%H:%M"
        dated = len(self.blocks) > 1 or step >= 43200
        results, free, shown = [], 0.0, ""
        for begin, end in self.blocks:
            # Where the zone's clock shows a multiple of the step.
            clock_there = datetime.fromtimestamp(begin, zone).replace(tzinfo=UTC)
            ahead = round(clock_there.timestamp() - begin)
            first = -(-(begin + ahead) // step) * step - ahead
            for number in range(int((end - first) // step) + 1):
                at = first + number * step
                place, moment = self.place(at), datetime.fromtimestamp(at, zone)
                day = f"{moment:%d %b}" if dated else ""
                label = f"{day if day != shown else ''} {moment.strftime(clock)}".strip()
                end_of_label = place + len(label) * LETTER
                fits = free <= place and end_of_label <= 100
                if fits:
                    free, shown = end_of_label + APART, day
                results.append((place, label if fits else ""))
        return tuple(results)


PLAN_REACH = 6
"""A plan this many times longer than what happened would leave nothing of it to see."""
VISIBLE = 0.3
"""Percent of the axis that a bar takes at least."""


class Piece(t.NamedTuple):
    """A stretch of time to draw in the lane of a phase."""

    span: Span
    phase: str
    kind: str
    words: str


def timeline_of(report: Report, last_known: datetime | None) -> Timeline | None:
    """None when no phase has a time."""
    phases, zone = report.phases, report.zone
    real = [piece for row in phases for piece in actual_pieces(row, last_known)]
    if not real:
        return None
    begin, end = min(piece.span[0] for piece in real), max(piece.span[1] for piece in real)
    planned = sum(row.planned for row in phases)
    busy = length(TimeScale.over(piece.span for piece in real).blocks)
    drawn, note = [*planned_pieces(phases, begin), *real], ""
    if planned > PLAN_REACH * max(busy, 1):
        drawn, took = real, f"It took {lasting(end - begin)} where {lasting(planned)} were planned"
        note = f"{took}, so the plan does not fit here: see the table below."
    scale = TimeScale.over(piece.span for piece in drawn)
    lanes = [
        Lane(
            row.title,
            Cell(row.status, row.tone),
            took_words(row),
            tuple(
                scale.bar(piece.kind, piece.span, piece.words, VISIBLE)
                for piece in drawn
                if piece.phase == row.name
            ),
        )
        for row in phases
    ]
    marks = []
    for event in report.events:
        at, words = event.at.timestamp(), f"{event.at.astimezone(zone):%H:%M:%S} {event.text}"
        if begin <= at <= end:
            marks.append(scale.bar(f"act {event.tone}", (at, at), words, VISIBLE))
    if marks:
        lanes.append(Lane("Events", Cell(""), "listed below", tuple(marks)))
    name = datetime.fromtimestamp(begin, zone).tzname() or "UTC"
    return Timeline(tuple(lanes), scale.ticks(zone), scale.cuts(), name, note)


def actual_pieces(row: PhaseRow, last_known: datetime | None) -> t.Iterator[Piece]:
    for number, try_ in enumerate(row.tries, start=1):
        if try_.started is None:
            continue
        end = try_.finished or max(last_known or try_.started, try_.started)
        if end < try_.started:
            continue
        kind = try_.status.replace(" ", "-") if try_.finished else "running"
        kind = "late" if kind == "done" and row.late else kind
        span = (try_.started.timestamp(), end.timestamp())
        yield Piece(span, row.name, kind, try_words(row, try_, number))


def try_words(row: PhaseRow, entry: PhaseTry, number: int) -> str:
    nth = f"try {number} of {len(row.tries)}, " if len(row.tries) > 1 else ""
    if entry.finished is None:
        return f"{nth}begun, no end is recorded"
    return f"{nth}{entry.status} after {lasting(between(entry.started, entry.finished))}"


def planned_pieces(phases: t.Sequence[PhaseRow], begin: float) -> t.Iterator[Piece]:
    for row in phases:
        if row.planned:
            words = f"planned for {lasting(row.planned)}"
            yield Piece((begin, begin + row.planned), row.name, "plan", words)
            begin += row.planned


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
