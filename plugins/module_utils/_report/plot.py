# SPDX-License-Identifier: GPL-3.0-or-later
"""A metric as a small plot: coordinates for an SVG. Pure."""

from __future__ import annotations

import itertools
import statistics
import typing as t
from dataclasses import dataclass

from .._formats import lasting, quantity
from .._gate.models import Bounds, SampleStatus
from .._gate.models import Point as Sample

WIDTH, HEIGHT = 320, 132
LEFT, RIGHT, TOP, BOTTOM = 8, 312, 12, 112
REACH = 1.5
"""A rollback bound is drawn when it stands within this many heights beyond what else there is to see."""
GAP = 4.0
"""So many times the usual distance between two samples is a gap."""
PASSING, BREACHING = "passing", "breaching"
VERBS = {PASSING: "pass", BREACHING: "roll back"}

Point = tuple[float, float]


def set_bounds(bounds: Bounds, unit: str) -> list[tuple[str, float, str]]:
    """Of each that is set its kind, its value, and in words from where on it holds."""
    sides = (
        (PASSING, bounds.minimum, "from"),
        (PASSING, bounds.maximum, "up to"),
        (BREACHING, bounds.below, "below"),
        (BREACHING, bounds.above, "above"),
    )
    return [
        (kind, value, f"{side} {quantity(value, unit)}")
        for kind, value, side in sides
        if value is not None
    ]


def bound_words(bounds: Bounds, unit: str) -> str:
    known = set_bounds(bounds, unit)
    passes = [words for kind, _value, words in known if kind == PASSING]
    fails = [words for kind, _value, words in known if kind == BREACHING]
    text = f"Passes {' '.join(passes)}" if passes else "No bound to pass"
    return f"{text}; rolls back {' or '.join(fails)}." if fails else f"{text}."


@dataclass(frozen=True)
class Plot:
    """`dots`: a kind and its place; a value between two gaps and the last one are `dot`.

    `lines`: of each bound in sight its kind, how high it stands, and what it says. `gaps`: from where on, and how wide.
    """

    title: str
    strokes: tuple[str, ...]
    dots: tuple[tuple[str, float, float], ...]
    lines: tuple[tuple[str, float, str], ...]
    gaps: tuple[Point, ...]
    top: str
    bottom: str
    end: str


def plot_of(name: str, unit: str, samples: t.Sequence[Sample], bounds: Bounds) -> Plot | None:
    """None without a single value: then there is nothing to draw."""
    values = [sample.value for sample in samples if sample.value is not None]
    if not values:
        return None
    low, high = domain(values, bounds, whole=unit == "ratio")
    end = max(samples[-1].at, 1.0)

    def x(at: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * at / end, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low), 1)

    runs, holes = runs_of(samples)
    placed = [[(x(at), y(value)) for at, value in run] for run in runs]
    dots = [("dot", *run[0]) for run in placed if len(run) == 1]
    dots += [
        (sample.status, x(sample.at), y(sample.value))
        for sample in samples
        if sample.status in (SampleStatus.BETWEEN.shown, SampleStatus.BREACH.shown)
        and sample.value is not None
    ]
    return Plot(
        title=name,
        strokes=tuple(" ".join(f"{px},{py}" for px, py in run) for run in placed if len(run) > 1),
        dots=(*dots, ("dot", *placed[-1][-1])),
        lines=tuple(
            (kind, y(value), f"{VERBS[kind]} {words}")
            for kind, value, words in set_bounds(bounds, unit)
            if low <= value <= high
        ),
        gaps=tuple((x(a), round(max(2.0, x(b) - x(a)), 1)) for a, b in holes),
        top=quantity(high, unit),
        bottom=quantity(low, unit),
        end=lasting(end),
    )


def domain(
    values: t.Sequence[float], bounds: Bounds, *, whole: bool = False
) -> tuple[float, float]:
    """What the height spans: all values and the bounds to pass; the others where they are near.

    `whole`: they are shares of 1, so that no axis goes beyond it unless a value does.
    """
    observed = [*values, *(b for b in (bounds.minimum, bounds.maximum) if b is not None)]
    # Most metrics are counts and shares, whose zero says more than an arbitrary bottom.
    if min(observed) >= 0 and bounds.minimum is None and bounds.below is None:
        observed.append(0.0)
    low, high = min(observed), max(observed)
    reach = REACH * ((high - low) or abs(high) or 1.0)
    others = [b for b in (bounds.below, bounds.above) if b is not None]
    observed += [bound for bound in others if low - reach <= bound <= high + reach]
    low, high = min(observed), max(observed)
    room = 0.12 * ((high - low) or abs(high) or 1.0)
    bottom, top = (low if low == 0 else low - room), high + room
    if whole and low >= 0 and high <= 1:
        return max(0.0, bottom), min(1.0, top)
    return bottom, top


def runs_of(samples: t.Sequence[Sample]) -> tuple[list[list[Point]], list[Point]]:
    """Stretches of values without a gap, and the gaps: missing samples, or none for far too long."""
    steps = [b.at - a.at for a, b in itertools.pairwise(samples)]
    longest = GAP * statistics.median(steps) if steps else 0.0
    runs: list[list[Point]] = []
    holes: list[Point] = []
    since, missing = samples[0].at, True  # the last value, and whether one is missing since
    for at, value, _status in samples:
        if value is None:
            missing = True
            continue
        if missing or (longest and at - since > longest):
            holes.append((since, at))
            runs.append([])
        runs[-1].append((at, value))
        since, missing = at, False
    if missing:
        holes.append((since, samples[-1].at))
    return runs, [hole for hole in holes if hole[1] > hole[0]]
