# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The course of a metric as few points, whose extremes stay. Pure."""

from __future__ import annotations

import typing as t

Point = tuple[float, "float | None"]
"""Seconds since the watch began, and the value, None where there was none."""

SHOWN = 120
"""How many points a course has at most when it is shown."""
_KEPT = 2 * SHOWN


def add_point(points: tuple[Point, ...], point: Point) -> tuple[Point, ...]:
    """Never grows beyond what is kept, however long the watch."""
    longer = (*points, (round(point[0], 1), point[1]))
    return longer if len(longer) <= _KEPT else thin(longer)


def thin(points: tuple[Point, ...], most: int = SHOWN) -> tuple[Point, ...]:
    """At most so many: the lowest and the highest of each span of time, and the last."""
    if len(points) <= most:
        return points
    first, last = points[0][0], points[-1][0]
    spans: dict[int, list[Point]] = {}
    pairs = (most - 1) // 2
    width = (last - first) / pairs or 1.0
    for point in points[:-1]:
        spans.setdefault(min(pairs - 1, int((point[0] - first) / width)), []).append(point)
    kept = [point for number in sorted(spans) for point in _extremes(spans[number])]
    return (*kept, points[-1])


def _extremes(span: t.Sequence[Point]) -> list[Point]:
    """In their order. A span without any value is one gap."""
    values = [(value, place) for place, (_at, value) in enumerate(span) if value is not None]
    if not values:
        return [span[0]]
    places = {min(values)[1], max(values)[1]}
    return [span[place] for place in sorted(places)]
