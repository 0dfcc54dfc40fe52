"""What the trial of gates stands on: sealed releases, exact intervals, and a judge that judges as Kayenta's does."""

from pathlib import Path

import pytest

from tests.benchmarks.gate_trial.__main__ import traces_table
from tests.benchmarks.gate_trial.gates import highs, hour_before
from tests.benchmarks.gate_trial.kayenta import is_high, score, shift
from tests.benchmarks.gate_trial.releases import Kind, generated, kind_of
from tests.benchmarks.gate_trial.traces import recorded
from tests.benchmarks.gate_trial.trial import interval
from tests.tables import cases

ROOT = Path(__file__).parents[2]

LOW, HIGH = (1.0, 2.2, 1.1, 2.5, 3.0), (20.0, 22.0, 21.0, 25.0, 30.0)


@cases(
    ("canary", "baseline", "expected"),
    {
        "high": (HIGH, LOW, True),
        "low": (LOW, HIGH, False),
        "the same": (HIGH, HIGH, False),
        "no data": ((), LOW, False),
        "one value": ([3.0] * 9, [3.0] * 9, False),
    },
)
def test_the_judge_decides_the_published_cases_as_published(canary, baseline, expected):
    assert is_high(canary, baseline, confidence=0.95, tolerance=0.1) is expected


def test_a_difference_within_the_tolerance_is_not_high():
    baseline = [float(n) for n in range(30)]
    assert is_high([one + 30 for one in baseline], baseline)
    assert not is_high([one + 2 for one in baseline], baseline)


def test_the_shift_is_that_of_hodges_and_lehmann_and_the_score_is_none_without_one():
    assert shift([11.0, 12.0, 13.0], [1.0, 2.0, 3.0]) == pytest.approx(10.0, abs=1e-3)
    assert score(LOW, LOW, 0.0) == 0.0


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 100, 0.0164, 0.1128),
        (10, 10, 0.6915, 1.0),
    ],
)
def test_intervals_are_those_of_clopper_and_pearson(count, of, low, high):
    assert interval(count, of) == pytest.approx((low, high), abs=1e-4)


def test_a_seed_is_a_release_for_ever():
    one = generated(7)
    assert one == generated(7)
    assert one.kind == kind_of(7)
    assert one != generated(8)


def test_treated_users_of_a_worse_release_fail_so_many_times_as_often():
    release = generated(1, Kind(share=0.5, ratio=3.0, memory=0.0))
    failed = [sum(one.failed for one in side) for side in (release.treated, release.control)]
    assert failed[0] / failed[1] == pytest.approx(3.0, rel=0.1)
    errors = sum(one.errors for one in release.control)
    assert errors > 2 * failed[1]


def test_a_bound_goes_back_at_the_second_rate_beyond_it_in_a_row():
    found = highs([0.1, 0.5, 0.2, None, 0.3, 0.4])
    assert [found.first_above(bound) for bound in (0.05, 0.15, 0.25, 0.35)] == [
        20.0,
        30.0,
        60.0,
        None,
    ]


def test_the_hour_before_is_compared_by_rank_and_twice():
    before = [0.01 + n / 10_000 for n in range(60)]
    assert hour_before(before, before) is None
    assert hour_before(before, [2 * one for one in before]) == 300.0


def test_more_values_than_nothing_are_high_however_many_are_nothing():
    baseline, canary = [0.0] * 90 + [1.5] * 10, [0.0] * 60 + [1.5] * 40
    assert is_high(canary, baseline)
    assert not is_high(canary, baseline, effect=5.0)
    assert not is_high(baseline, canary)


def test_of_what_the_sandbox_recorded_each_gate_finds_what_it_is_for():
    went_back = {one.trace.name: (one.comparison, one.bound) for one in recorded()}
    found = {name: tuple(end is not None for end in ends) for name, ends in went_back.items()}
    assert found == {
        "well": (False, False),
        "twice": (True, False),
        "everybody": (False, False),
        "breakdown": (False, True),
    }


def test_the_guide_tells_what_was_recorded():
    assert traces_table(recorded()) in (ROOT / "tests/benchmarks/gate_trial/README.md").read_text(
        "utf-8"
    )
