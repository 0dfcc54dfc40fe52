"""What the trial of gates stands on: sealed releases, and exact intervals."""

import pytest

from tests.benchmarks.gate_trial.gates import highs
from tests.benchmarks.gate_trial.releases import Kind, generated, kind_of
from tests.benchmarks.gate_trial.trial import interval
from tests.benchmarks.gate_trial.users import Shape, tried


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


def test_a_feature_that_people_like_went_back_and_does_not_any_more():
    liked = tried(Shape("liked", messages=2.0), 1)
    assert (liked.former is not None, liked.ours, liked.holds) == (True, None, False)
    assert tried(Shape("worse", ratio=2.0), 1).ours is not None
