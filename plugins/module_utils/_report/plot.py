# SPDX-License-Identifier: GPL-3.0-or-later
"""A metric as a small plot: coordinates for an SVG, and the same in words. Pure."""

from __future__ import annotations

import itertools
import statistics
import typing as t
from dataclasses import dataclass

from .._formats import counted, lasting, quantity
from .._gate.models import Bounds, SampleStatus
from .._gate.models import Point as Sample

WIDTH, HEIGHT = 320, 132
LEFT, RIGHT, TOP, BOTTOM = 8, 312, 12, 112
REACH = 2.5
"""The rollback bound is drawn when it stands within this many heights of what else there is to see."""
GAP = 4.0
"""So many times the usual distance between two samples is a gap."""

Point = tuple[float, float]


def bound_words(bounds: Bounds, unit: str) -> str:
    passes = [
        f"{side} {quantity(value, unit)}"
        for side, value in (("from", bounds.minimum), ("up to", bounds.maximum))
        if value is not None
    ]
    fails = [
        f"{side} {quantity(value, unit)}"
        for side, value in (
            ("below", bounds.below),
            ("above", bounds.above),
        )
        if value is not None
    ]
    text = f"Passes {' '.join(passes)}" if passes else "No bound to pass"
    return f"{text}; rolls back {' or '.join(fails)}." if fails else f"{text}."


@dataclass(frozen=True)
class BoundLine:
    """A bound: how high it stands, of which kind, and what it says."""

    y: float
    kind: str
    label: str


@dataclass(frozen=True)
class Band:
    """A stretch from `at` on: of height for a breach or what passes, of time for a gap."""

    kind: str
    at: float
    extent: float


@dataclass(frozen=True)
class Plot:
    title: str
    words: str
    strokes: tuple[str, ...]
    lone: tuple[Point, ...]
    between: tuple[Point, ...]
    breaches: tuple[Point, ...]
    last: Point | None
    lines: tuple[BoundLine, ...]
    bands: tuple[Band, ...]
    gaps: tuple[Band, ...]
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
        share = (min(high, max(low, value)) - low) / (high - low)
        return round(BOTTOM - (BOTTOM - TOP) * share, 1)

    lines = tuple(bound_lines(bounds, unit, low, high, y))
    runs, holes = runs_of(samples)
    placed = [[(x(at), y(value)) for at, value in run] for run in runs]
    breaches, between = (
        tuple(
            (x(at), y(value))
            for at, value, was in samples
            if was == entry.shown and value is not None
        )
        for entry in (SampleStatus.BREACH, SampleStatus.BETWEEN)
    )
    return Plot(
        title=name,
        words=plot_words(unit, samples, values, len(breaches), len(holes)),
        strokes=tuple(" ".join(f"{px},{py}" for px, py in run) for run in placed if len(run) > 1),
        lone=tuple(run[0] for run in placed if len(run) == 1),
        between=between,
        breaches=breaches,
        last=placed[-1][-1],
        lines=lines,
        bands=tuple(bound_bands(bounds, low, high, y)),
        gaps=tuple(Band("gap", x(a), round(max(2.0, x(b) - x(a)), 1)) for a, b in holes),
        top=quantity(high, unit),
        bottom=quantity(low, unit),
        end=lasting(end),
    )  # fmt: skip


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
    height = (high - low) or abs(high) or 1.0
    for bound in (bounds.below, bounds.above):
        if bound is not None and low - (REACH - 1) * height <= bound <= high + (REACH - 1) * height:
            observed.append(bound)
    low, high = min(observed), max(observed)
    room = 0.12 * ((high - low) or abs(high) or 1.0)
    bottom, top = (low if low == 0 else low - room), high + room
    if whole and low >= 0 and high <= 1:
        return max(0.0, bottom), min(1.0, top)
    return bottom, top


def runs_of(samples: t.Sequence[Sample]) -> tuple[list[list[Point]], list[Point]]:
    """Stretches of values without a gap, and the gaps: missing samples, or none for far too long."""
    steps = [b.at - a.at for a, b in itertools.pairwise(samples)]
    usual = statistics.median(steps) if steps else 0.0
    runs: list[list[Point]] = []
    holes: list[Point] = []
    since: float | None = None  # the last moment with a value, when values are missing since
    previous: float | None = None
    for at, value, _status in samples:
        if value is None:
            since = since if since is not None else (previous if previous is not None else at)
        else:
            if since is None and previous is not None and usual and at - previous > GAP * usual:
                since = previous
            if since is not None or not runs:
                runs.append([])
            if since is not None:
                holes.append((since, at))
                since = None
            runs[-1].append((at, value))
        previous = at if value is not None else previous
    if since is not None:
        holes.append((since, samples[-1].at))
    return runs, holes


def bound_lines(
    bounds: Bounds, unit: str, low: float, high: float, y: t.Callable[[float], float]
) -> t.Iterator[BoundLine]:
    for value, kind, word in (
        (bounds.minimum, "passing", "pass from"),
        (bounds.maximum, "passing", "pass up to"),
        (bounds.below, "breaching", "roll back below"),
        (bounds.above, "breaching", "roll back above"),
    ):
        if value is not None and low <= value <= high:
            yield BoundLine(y(value), kind, f"{word} {quantity(value, unit)}")


def bound_bands(
    bounds: Bounds, low: float, high: float, y: t.Callable[[float], float]
) -> t.Iterator[Band]:
    bottom, top = (
        max(low, bounds.minimum if bounds.minimum is not None else low),
        min(high, bounds.maximum if bounds.maximum is not None else high),
    )
    if (bounds.minimum is not None or bounds.maximum is not None) and bottom < top:
        yield Band("passes", y(top), round(y(bottom) - y(top), 1))
    if bounds.above is not None and bounds.above < high:
        yield Band("breaches", TOP, round(y(bounds.above) - TOP, 1))
    if bounds.below is not None and bounds.below > low:
        yield Band("breaches", y(bounds.below), round(BOTTOM - y(bounds.below), 1))


def plot_words(
    unit: str, samples: t.Sequence[Sample], values: t.Sequence[float], breaches: int, holes: int
) -> str:
    last = samples[-1].value
    sentences = [
        f"over {lasting(samples[-1].at) or 'no time'}",
        f"between {quantity(min(values), unit)} and {quantity(max(values), unit)}",
        f"at the end {quantity(last, unit)}",
    ]
    sentences += [f"{counted(breaches, 'point')} in breach"] if breaches else []
    sentences += [counted(holes, "gap")] if holes else []
    return ", ".join(sentences)
