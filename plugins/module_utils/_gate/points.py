# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The course of a metric as few points, whose extremes stay. Pure."""

from __future__ import annotations

import typing as t


class Point(t.NamedTuple):
    """`at` in seconds since the watch began; `value` is None where there was none; `status` as it was judged then."""

    at: float
    value: float | None
    status: str = ""


SHOWN = 120
"""How many points a course has at most when it is shown."""
_KEPT = 2 * SHOWN


def add_point(points: tuple[Point, ...], point: Point) -> tuple[Point, ...]:
    """Never grows beyond what is kept, however long the watch."""
    longer = (*points, point._replace(at=round(point.at, 1)))
    return longer if len(longer) <= _KEPT else thin(longer)


def thin(points: tuple[Point, ...], most: int = SHOWN) -> tuple[Point, ...]:
    """At most so many: the lowest and the highest of each span of time, and the last."""
    if len(points) <= most:
        return points
    first, last = points[0].at, points[-1].at
    spans: dict[int, list[Point]] = {}
    pairs = (most - 1) // 2
    width = (last - first) / pairs or 1.0
    for point in points[:-1]:
        spans.setdefault(min(pairs - 1, int((point.at - first) / width)), []).append(point)
    kept = [point for number in sorted(spans) for point in _extremes(spans[number])]
    return (*kept, points[-1])


def _extremes(span: t.Sequence[Point]) -> list[Point]:
    """In their order. A span without any value is one gap."""
    values = [(one.value, place) for place, one in enumerate(span) if one.value is not None]
    if not values:
        return [span[0]]
    places = {min(values)[1], max(values)[1]}
    return [span[place] for place in sorted(places)]
