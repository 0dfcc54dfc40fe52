# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a release record keeps of a watched metric, of which nothing is certain. Pure.

The gate judged each sample when it was taken, and its status is read here. A record of an older version has none: its
numbers are judged by the same rule.
"""

from __future__ import annotations

import typing as t

from .._numbers import number
from .models import Bounds, SampleStatus
from .points import Point

Metric = t.Mapping[str, t.Any]


def bounds_of(metric: Metric) -> Bounds:
    """What is no number is no bound."""
    good, breach = (
        one if isinstance(one, dict) else {} for one in map(metric.get, ("pass", "rollback"))
    )
    return Bounds(
        minimum=number(good.get("min")),
        maximum=number(good.get("max")),
        below=number(breach.get("below")),
        above=number(breach.get("above")),
    )


def status_of(metric: Metric) -> str:
    """Of the last sample: good, between, breach or missing, and "" when nobody judged it."""
    kept = metric.get("status") or metric.get("mark")
    if kept:
        return str(kept)
    return _judged(number(metric.get("last", metric.get("value"))), bounds_of(metric))


def course_of(metric: Metric) -> list[Point]:
    """In the order of time; what is no point is left out."""
    found, bounds, points = [], bounds_of(metric), metric.get("points")
    for one in points if isinstance(points, list) else []:
        if isinstance(one, (list, tuple)) and len(one) in (2, 3):
            at, value = number(one[0]), number(one[1])
            if at is not None and at >= 0:
                status = str(one[2]) if len(one) == 3 else _judged(value, bounds)
                found.append(Point(at, value, status))
    return sorted(found, key=lambda point: point.at)


def _judged(value: float | None, bounds: Bounds) -> str:
    if value is None:
        return SampleStatus.NO_DATA.shown
    return "" if bounds == Bounds() else bounds.judge(value).shown
