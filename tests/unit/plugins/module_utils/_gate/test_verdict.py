import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    Series,
    Verdict,
    failed_sample,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.verdict import (
    all_good,
    decide,
)

MISSING: t.Any = {"max_missing": 0.25}
ERRORS = Metric(
    "error_rate", "prometheus", "q", "ratio", Bounds(maximum=0.01, above=0.05), **MISSING
)
SUCCESS = Metric("success", "prometheus", "q", "", Bounds(minimum=0.99, below=0.95), **MISSING)
GAP = None
FAILED = "could not be asked"


def sample(value: float | str | None) -> Sample:
    if isinstance(value, str):
        return failed_sample(value)
    return Sample(value, "no series" if value is None else "")


def series(metric: Metric, *values: float | str | None) -> Series:
    found = Series()
    for at, value in enumerate(values):
        found = found.add(sample(value), metric, float(at))
    return found


def limited(**limits: t.Any) -> Metric:
    return replace(ERRORS, **limits)


def verdict(metric: Metric, *values: float | str | None) -> Verdict:
    return decide([metric], {metric.name: series(metric, *values)}).verdict


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([0.001] * 4, Verdict.PROCEED, id="good"),
        pytest.param([0.01], Verdict.PROCEED, id="the-bound-itself-is-good"),
        pytest.param([0.03] * 4, Verdict.HOLD, id="between-the-bounds"),
        pytest.param([0.0, 0.0, 0.0, 0.03], Verdict.HOLD, id="outside-at-the-end"),
        pytest.param([0.03, 0.0, 0.0], Verdict.PROCEED, id="recovered"),
        pytest.param([0.05] * 4, Verdict.HOLD, id="the-rollback-bound-itself-is-no-breach"),
        pytest.param([0.0, 0.09], Verdict.HOLD, id="one-breach-is-not-certain"),
        pytest.param([0.09, 0.09], Verdict.ROLLBACK, id="two-breaches-are"),
        pytest.param([0.09, 0.0, 0.09], Verdict.HOLD, id="breaches-apart"),
        pytest.param([0.09, GAP, 0.09], Verdict.ROLLBACK, id="a-gap-ends-no-breach"),
        pytest.param([0.09, GAP, GAP], Verdict.HOLD, id="a-gap-confirms-none"),
        pytest.param([], Verdict.HOLD, id="never-looked"),
        pytest.param([GAP] * 9, Verdict.HOLD, id="no-data"),
        pytest.param([0.0, 0.0, 0.0, GAP], Verdict.HOLD, id="no-data-at-the-end"),
        pytest.param([0.0, GAP, 0.0, 0.0], Verdict.PROCEED, id="a-small-gap"),
        pytest.param([0.0, GAP, GAP, 0.0], Verdict.HOLD, id="a-large-gap"),
    ],
)
def test_the_verdict_follows_from_the_samples(values, expected):
    assert verdict(ERRORS, *values) is expected


def test_lower_bounds_work_the_same():
    assert verdict(SUCCESS, 1.0, 0.99) is Verdict.PROCEED
    assert verdict(SUCCESS, 0.97) is Verdict.HOLD
    assert verdict(SUCCESS, 0.9, 0.9) is Verdict.ROLLBACK


def test_a_metric_without_bounds_needs_data_only():
    metric = Metric("seen", "prometheus", "q", "", Bounds(), **MISSING)
    assert verdict(metric, 1e9) is Verdict.PROCEED
    assert verdict(metric, GAP) is Verdict.HOLD


def test_nothing_to_look_at_holds():
    assert decide([], {}).verdict is Verdict.HOLD


def test_one_breach_outweighs_everything_else():
    watched = {"error_rate": series(ERRORS, 0.09, 0.09), "success": series(SUCCESS, GAP)}
    decision = decide([ERRORS, SUCCESS], watched)
    assert decision.verdict is Verdict.ROLLBACK
    assert [reason.text for reason in decision.reasons] == [
        "error_rate was above 0.05 ratio 2 times in a row (last 0.09)"
    ]


def test_every_doubt_is_named_with_its_value_and_bound():
    watched = {"error_rate": series(ERRORS, 0.03), "success": series(SUCCESS, GAP)}
    decision = decide([ERRORS, SUCCESS], watched)
    assert [reason.text for reason in decision.reasons] == [
        "error_rate is 0.03 ratio and should be at most 0.01",
        "success has no data (no series)",
    ]


def test_what_is_kept_of_samples_does_not_grow():
    kept = series(ERRORS, 0.1, GAP, 0.3, 0.2)
    assert (kept.count, kept.missing, kept.minimum, kept.maximum) == (3, 1, 0.1, 0.3)
    assert kept.total / kept.count == pytest.approx(0.2)
    assert kept.last == Sample(0.2)


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        pytest.param(limited(breaches=3), [0.09, 0.09, 0], Verdict.PROCEED, id="two-of-three"),
        pytest.param(limited(breaches=3), [0.09] * 3, Verdict.ROLLBACK, id="three-of-three"),
        pytest.param(limited(count=3), [0, 0], Verdict.HOLD, id="too-few-samples"),
        pytest.param(limited(count=3), [0, 0, 0], Verdict.PROCEED, id="enough-samples"),
        pytest.param(limited(), [FAILED] * 99, Verdict.HOLD, id="blindness-never-rolls-back"),
    ],
)
def test_limits_of_a_metric_decide(metric, values, expected):
    assert verdict(metric, *values) is expected


def test_the_reason_names_value_bound_query_and_number():
    reasons = decide([ERRORS], {"error_rate": series(ERRORS, 0.0, 0.09, 0.08)}).reasons
    found = reasons[0].to_result()
    assert (found["value"], found["bound"], found["query"], found["count"]) == (0.08, 0.05, "q", 3)


def test_only_what_is_seen_now_is_good_now():
    assert all_good([ERRORS], {"error_rate": series(ERRORS, 0.09, GAP, 0.0)})
    assert not all_good([ERRORS], {"error_rate": series(ERRORS, 0.0, GAP)})
    assert not all_good([ERRORS], {"error_rate": series(ERRORS)})
    assert not all_good([], {})
