# SPDX-License-Identifier: GPL-3.0-or-later
"""A time axis from 0 to 100 that leaves out the hours in which nothing happened, and says so."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from .._time import UTC

Span = tuple[float, float]
FIRST, LAST = 16.0, 84.0
"""Before and after these percent a label stands beside its tick, not across it."""


@dataclass(frozen=True)
class Tick:
    """Where it stands in percent. `narrow`: there is room for its label on a phone too."""

    left: float
    label: str
    narrow: bool = True

    @property
    def end(self) -> str:
        return "first" if self.left < FIRST else "last" if self.left > LAST else ""


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
        found: list[Tick] = []
        free, free_narrow, day = -APART, -APART, ""
        for begin, end in self.blocks:
            for moment in round_moments(begin, end, step, zone):
                place = self.place(moment.timestamp())
                today = f"{moment:%d %b} " if len(self.blocks) > 1 or step >= 43200 else ""
                label = ((today if today != day else "") + clock(moment, step)).strip()
                left, right = reach(place, label, WIDE)
                if left < free:
                    found.append(Tick(place, "", narrow=False))
                    continue
                narrow_left, narrow_right = reach(place, label, NARROW)
                narrow = narrow_left >= free_narrow
                found.append(Tick(place, label, narrow=narrow))
                free = right + APART
                free_narrow = narrow_right + APART if narrow else free_narrow
                day = today
        return found


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
