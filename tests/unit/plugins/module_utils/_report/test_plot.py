"""A plot stands within its frame whatever is measured: gaps are seen, breaches marked, near bounds drawn."""

import math

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Bounds, Point
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import (
    HEIGHT,
    WIDTH,
    Plot,
    plot_of,
)

BOUNDS = Bounds(maximum=1, above=2)


def drawn(*values: float | None, bounds: Bounds = BOUNDS) -> Plot:
    samples = [
        Point(10.0 * n, v, "breach" if v is not None and v > 2 else "good")
        for n, v in enumerate(values)
    ]
    plot = plot_of(samples, bounds)
    assert plot is not None
    return plot


def test_a_gap_divides_the_line_and_a_value_alone_is_a_dot():
    assert len(drawn(1, 2, None, None, 3, None).strokes) == 2
    (alone,) = drawn(0.5).strokes
    assert len({*alone.split()}) == 1


def test_breaches_are_marked_and_bounds_drawn_where_they_are_near():
    plot = drawn(0.5, 3, 0.5)
    assert len(plot.breaches) == 1
    assert [kind for kind, _y in plot.lines] == ["passing", "breaching"]
    far = drawn(0.5, bounds=Bounds(maximum=1, above=1000))
    assert [kind for kind, _y in far.lines] == ["passing"]


@pytest.mark.parametrize("values", [(0,), (5, 5), (-3, 4), (1e300, -1e300), (1e-300, 0)])
def test_all_stands_within_the_frame(values):
    plot = drawn(*values)
    places = [tuple(map(float, place.split(","))) for one in plot.strokes for place in one.split()]
    heights = [y for _x, y in places] + [y for _kind, y in plot.lines]
    assert all(math.isfinite(y) and 0 <= y <= HEIGHT for y in heights)
    assert all(0 <= x <= WIDTH for x, _y in places)


def test_without_a_value_there_is_no_plot():
    assert plot_of([], BOUNDS) is None
    assert plot_of([Point(0.0, None, "missing")], BOUNDS) is None
