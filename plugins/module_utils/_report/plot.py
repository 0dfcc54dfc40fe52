# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a metric as a small plot beside its figures, which say it in words: coordinates for an SVG. Pure."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from .._gate.models import Bounds, Point, SampleStatus

WIDTH, HEIGHT = 160, 36
REACH = 1.5
"""A bound to roll back at is drawn when it stands within this many heights beyond what else there is to see."""
PASSING, BREACHING = "passing", "breaching"


@dataclass(frozen=True)
class Plot:
    """`strokes`: points without a gap between. `lines`: the kind of each bound in sight, and how high it stands."""

    strokes: tuple[str, ...]
    lines: tuple[tuple[str, float], ...]
    breaches: tuple[tuple[float, float], ...]


def plot_of(points: t.Sequence[Point], bounds: Bounds) -> Plot | None:
    """None without a single value: then there is nothing to draw."""
    values = [point.value for point in points if point.value is not None]
    if not values:
        return None
    passing = [bound for bound in (bounds.minimum, bounds.maximum) if bound is not None]
    observed = [*values, *passing]
    low, high = min(observed), max(observed)
    height = (high - low) or abs(high) or 1.0
    breaching = [
        bound
        for bound in (bounds.below, bounds.above)
        if bound is not None and low - REACH * height <= bound <= high + REACH * height
    ]
    low, high = min([low, *breaching]), max([high, *breaching])
    height, end = (high - low) or abs(high) or 1.0, max(points[-1].at, 1.0)

    def y(value: float) -> float:
        return round(2 + (HEIGHT - 4) * (high - value) / height, 1)

    def place(point: Point, value: float) -> tuple[float, float]:
        return round(2 + (WIDTH - 4) * point.at / end, 1), y(value)

    runs = itertools.groupby(points, key=lambda point: point.value is None)
    drawn = [
        [place(point, point.value) for point in run if point.value is not None]
        for missing, run in runs
        if not missing
    ]
    return Plot(
        # A value alone is a line to itself, which is drawn as a dot.
        strokes=tuple(" ".join(f"{px},{py}" for px, py in [*run, run[-1]]) for run in drawn),
        lines=(*((PASSING, y(b)) for b in passing), *((BREACHING, y(b)) for b in breaching)),
        breaches=tuple(
            place(point, point.value)
            for point in points
            if point.value is not None and point.status == SampleStatus.BREACH.shown
        ),
    )
