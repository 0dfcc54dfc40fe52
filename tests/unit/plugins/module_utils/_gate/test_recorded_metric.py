"""A sample is judged when it is taken; Slack and the report read what it was, and judge only what nobody has."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._decode import (
    decode,
    encoded,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Point,
    Sample,
    failed_sample,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.report import (
    bounds_of,
    course_of,
    describe_watch,
    judged_as,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import Schedule
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import run_watch
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import (
    RecordedMetric as Recorded,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import plot_of
from ansible_collections.easymo.deploy.plugins.module_utils._report.sections import (
    verdict_of,
)
from tests.tables import cases

BOUNDS = Bounds(minimum=0, maximum=1, below=-5, above=2)


def recorded(**more: t.Any) -> dict[str, t.Any]:
    return {
        "name": "lag",
        "unit": "",
        "pass": {"min": BOUNDS.minimum, "max": BOUNDS.maximum},
        "rollback": {"below": BOUNDS.below, "above": BOUNDS.above},
        **more,
    }


def read(metric: dict[str, t.Any]) -> Recorded:
    return decode(Recorded, metric, "metric", [])


VALUES = [(0.5, "good"), (1.5, "between"), (3, "breach"), (-1, "between"), (-6, "breach")]
TONES = {"good": "good", "between": "warn", "breach": "bad"}


class Once:
    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    def sample(self, query: str) -> Sample:
        return self._sample


def watched_once(sample: Sample, bounds: Bounds = BOUNDS) -> dict[str, t.Any]:
    """What a gate keeps of a metric that it looked at once."""
    metric = Metric("lag", "prometheus", "x", "", bounds)
    watch = run_watch([metric], {"lag": Once(sample)}, Schedule(duration=0))
    (kept,) = describe_watch([metric], watch)["samples"]
    return kept


@pytest.mark.parametrize(("value", "status"), VALUES)
def test_what_the_gate_keeps_is_what_slack_and_the_report_show(value, status):
    kept = watched_once(Sample(value))
    assert (kept["status"], kept["points"]) == (status, [[0.0, value, status]])
    assert encoded(read(kept)) == kept
    # Whatever the bounds say to whoever reads them later.
    other = {**kept, "pass": {"max": 99}, "rollback": {"above": 100}}
    reading = read(other)
    assert judged_as(reading) == status
    plot = plot_of(course_of(reading), bounds_of(reading))
    assert plot is not None
    assert len(plot.breaches) == (status == "breach")


def test_a_sample_without_a_value_is_missing_whyever():
    for sample in (Sample(None, "no series"), failed_sample("no answer")):
        kept = watched_once(sample)
        assert (kept["status"], kept["points"]) == ("missing", [[0.0, None, "missing"]])


@pytest.mark.parametrize(("value", "status"), VALUES)
def test_a_record_of_an_older_version_is_judged_by_the_same_rule(value, status):
    old = recorded(last=value, points=[[0, value]])
    assert Metric("lag", "prometheus", "x", "", BOUNDS).judge(Sample(value)).shown == status
    assert judged_as(read(old)) == status
    assert course_of(read(old)) == [Point(0.0, value, status)]
    assert verdict_of(read(old)).tone == TONES[status]


def test_what_an_older_version_called_a_mark_counts():
    assert judged_as(read(recorded(last=0.5, mark="breach"))) == "breach"
    assert judged_as(read(recorded(last=None, mark="missing"))) == "missing"


@pytest.mark.parametrize("broken", [{}, {"pass": None, "rollback": "x"}, {"pass": {"max": "1"}}])
def test_a_metric_without_bounds_that_can_be_read_has_no_status(broken):
    assert judged_as(read({"name": "lag", "last": 5, **broken})) == ""
    assert course_of(read({"points": [[0, 5]], **broken})) == [Point(0.0, 5.0, "")]


@pytest.mark.parametrize("points", [
    None,
    "x",
    [],
    [[0]],
    [["a", 1]],
    [[-1, 2]],
    [[float("inf"), 2]],
    [[10**400, 2]],
    [[0, 1, "good", 2]],
], ids=repr)  # fmt: skip
def test_what_is_no_point_is_left_out(points):
    assert course_of(read({"points": points})) == []


@cases("value", {"nan": float("nan"), "bool": True, "text": "1", "huge": 10**400})
def test_what_is_no_number_is_missing(value):
    assert course_of(read(recorded(points=[[0, value]]))) == [Point(0.0, None, "missing")]


def test_points_out_of_order_are_put_in_order():
    assert [one.at for one in course_of(read({"points": [[20, 2], [0, 1, "good"]]}))] == [0.0, 20.0]
