"""A plot shows where a metric stood, where it was not seen, and where it went beyond its bounds."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._formats import quantity
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Bounds
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Point as Sample
from ansible_collections.easymo.deploy.plugins.module_utils._gate.report import course_of
from ansible_collections.easymo.deploy.plugins.module_utils._release.decode import decode
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import RecordedMetric
from ansible_collections.easymo.deploy.plugins.module_utils._report.plot import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    bound_words,
    domain,
    plot_of,
)

UP_TO_ONE = Bounds(maximum=1.0, above=2.0)


def drawn(samples, bounds=UP_TO_ONE, unit="seconds"):
    rollback = {"below": bounds.below, "above": bounds.above}
    passes = {"min": bounds.minimum, "max": bounds.maximum}
    recorded = {"points": [list(one) for one in samples], "pass": passes, "rollback": rollback}
    plot = plot_of("p95", unit, course_of(decode(RecordedMetric, recorded, "metric", [])), bounds)
    assert plot is not None
    return plot


def test_samples_stand_from_left_to_right_and_higher_values_higher():
    (stroke,) = drawn([(0, 0.2), (50, 0.4), (100, 0.8)]).strokes
    points = [tuple(map(float, pair.split(","))) for pair in stroke.split()]
    assert [x for x, _y in points] == [LEFT, (LEFT + RIGHT) / 2, RIGHT]
    assert points[0][1] > points[1][1] > points[2][1]
    assert all(TOP <= y <= BOTTOM for _x, y in points)


def test_a_value_at_its_bound_stands_on_the_line_of_the_bound():
    plot = drawn([(0, 1.0), (10, 1.0)])
    (passing, _breaching) = plot.lines
    assert plot.strokes[0].split(",")[1].split()[0] == str(passing[1])
    assert (passing[0], passing[2]) == ("passing", "pass up to 1 s")


def test_missing_samples_are_a_gap_and_never_a_line():
    plot = drawn([(0, 0.5), (10, 0.5), (20, None), (30, None), (40, 0.5), (50, 0.5)])
    assert len(plot.strokes) == 2
    step = (RIGHT - LEFT) / 5
    assert plot.gaps == ((LEFT + step, round(3 * step, 1)),)


def test_a_watch_that_was_interrupted_has_a_gap_too():
    plot = drawn([(0, 0.5), (10, 0.5), (20, 0.5), (300, 0.5), (310, 0.5)])
    assert [len(plot.strokes), len(plot.gaps)] == [2, 1]


def test_data_missing_to_the_end_is_a_gap_to_the_end():
    plot = drawn([(0, 0.5), (10, 0.5), (20, None), (30, None)])
    assert sum(plot.gaps[-1]) == pytest.approx(RIGHT, abs=0.2)


def test_a_single_value_between_gaps_is_a_dot():
    plot = drawn([(0, None), (10, 0.5), (20, None)])
    assert (plot.strokes, {*plot.dots}) == ((), {plot.dots[0]})


def test_values_beyond_a_bound_are_marked():
    plot = drawn([(0, 0.5), (10, 1.5), (20, 2.5), (30, 2.6)])
    assert [kind for kind, _x, _y in plot.dots] == ["between", "breach", "breach", "dot"]


def test_a_lower_bound_is_breached_from_below():
    bounds = Bounds(minimum=0.99, below=0.95)
    assert [bounds.judge(v).value for v in (0.995, 0.97, 0.94)] == ["good", "between", "breach"]
    assert bound_words(bounds, "ratio") == "Passes from 99 %; rolls back below 95 %."


def test_a_far_rollback_bound_does_not_flatten_the_plot():
    far = Bounds(maximum=0.01, above=0.5)
    assert domain([0.002], far)[1] < 0.02
    assert [line[0] for line in drawn([(0, 0.002), (1, 0.003)], far, "ratio").lines] == ["passing"]


def test_the_height_holds_everything_that_is_to_be_seen():
    low, high = domain([0.2, 3.0], UP_TO_ONE)
    assert low == 0
    assert high > 3
    assert domain([5.0, 5.0], Bounds())[0] < domain([5.0, 5.0], Bounds())[1]
    assert domain([-2.0, -1.0], Bounds())[0] < -2


def test_without_a_value_there_is_nothing_to_draw():
    assert plot_of("x", "", [], Bounds()) is None
    assert (
        plot_of(
            "x",
            "",
            course_of(decode(RecordedMetric, {"points": [[0, None]]}, "metric", [])),
            Bounds(),
        )
        is None
    )


@pytest.mark.parametrize(("value", "unit", "words"), [
    (0.0123, "ratio", "1.23 %"),
    (0.84, "seconds", "840 ms"),
    (1234567, "messages", "1,234,567 messages"),
    (0, "", "0"),
    (0.00001, "", "1.0e-05"),
    (None, "ratio", "no data"),
    (float("nan"), "ratio", "no data"),
    (True, "ratio", "no data"),
    (10**400, "", "no data"),
], ids=repr)  # fmt: skip
def test_quantities_are_in_words_that_people_use(value, unit, words):
    assert quantity(value, unit) == words


def test_no_axis_of_shares_goes_beyond_all_or_nothing():
    found = plot_of(
        "redis_hit_rate",
        "ratio",
        [Sample(0.0, 0.996, "good"), Sample(30.0, 0.999, "good")],
        Bounds(minimum=0.8),
    )
    assert found.top == "100 %"
    assert (
        plot_of("x", "ratio", [Sample(0.0, 0.2, "good")], Bounds(maximum=0.8, above=0.95)).top
        == "100 %"
    )
    # A share that is one by name only is shown as it is.
    assert plot_of("x", "ratio", [Sample(0.0, 1.3, "good")], Bounds(maximum=0.8)).top != "100 %"
