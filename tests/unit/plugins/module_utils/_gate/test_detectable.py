"""What a watch could have seen, against watches of simulated users."""

import random
from itertools import pairwise

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    CohortComparison,
    Cohorts,
    ComparisonEvidence,
    Counts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.compare import (
    Detectable,
    detectable,
    seconds_needed,
)
from tests.tables import cases

LOOKS, WATCHES = 40, 250


def cohorts(seen: float, share: float, risk: float) -> Cohorts:
    treated, control = seen * share, seen * (1 - share)
    return Cohorts(Counts(treated, treated * risk), Counts(control, control * risk))


def found(comparison: CohortComparison, of: Cohorts, ratio: float, seed: int) -> bool:
    """Whether a watch ends with a breach in which so many users are seen, and treated ones fail so often."""
    draw = random.Random(seed).binomialvariate
    risk = of.control.failed / of.control.observed
    evidence, now = ComparisonEvidence(last=Cohorts()), [0, 0, 0, 0]
    seen = (round(of.treated.observed / LOOKS), round(of.control.observed / LOOKS))
    for _look in range(LOOKS):
        grown = (seen[0], draw(seen[0], risk * ratio), seen[1], draw(seen[1], risk))
        now = [old + new for old, new in zip(now, grown, strict=True)]
        evidence, _problem = evidence.looked(Cohorts.of(map(float, now)), comparison)
        if evidence.value(comparison) >= comparison.needed:
            return True
    return False


@pytest.mark.parametrize(
    ("seen", "share", "risk", "comparison"),
    [
        (20_000, 0.5, 0.01, CohortComparison()),
        (200_000, 0.05, 0.01, CohortComparison()),
        (400_000, 0.01, 0.01, CohortComparison()),
        (8_000, 0.5, 0.005, CohortComparison()),
        (20_000, 0.5, 0.01, CohortComparison(margin=1.5)),
        (20_000, 0.5, 0.01, CohortComparison(of=3, before=0.0)),
    ],
)
def test_the_smallest_harm_is_found_nine_times_of_ten(seen, share, risk, comparison):
    of = cohorts(seen, share, risk)
    ratio = detectable(of, comparison).ratio
    assert ratio is not None
    times = sum(found(comparison, of, ratio, seed) for seed in range(WATCHES))
    assert 0.86 <= times / WATCHES <= 0.97
    less = comparison.margin + 0.6 * (ratio - comparison.margin)
    assert sum(found(comparison, of, less, seed) for seed in range(WATCHES)) / WATCHES < 0.75


def test_more_users_see_less_harm_and_a_smaller_share_needs_more_of_them():
    ratios = [
        detectable(cohorts(seen, 0.05, 0.01), CohortComparison()).ratio or 0
        for seen in (2e4, 2e5, 2e6)
    ]
    assert all(fewer > more for fewer, more in pairwise(ratios))
    one, half = (
        detectable(cohorts(2e5, share, 0.01), CohortComparison()).ratio for share in (0.01, 0.5)
    )
    assert (one or 0) > 2 > (half or 9)


def test_nothing_can_be_seen_without_users_in_both_cohorts_or_with_too_few():
    for nobody in (Cohorts(), cohorts(100, 0.0, 0.1), cohorts(100, 1.0, 0.1)):
        assert detectable(nobody, CohortComparison()) == Detectable()
    assert detectable(cohorts(20, 0.05, 0.5), CohortComparison()) == Detectable()


def test_where_nobody_of_the_control_failed_it_is_a_number_of_users():
    could = detectable(cohorts(2000, 0.5, 0.0), CohortComparison())
    assert could.ratio is None
    assert 8 < (could.failing or 0) < 20


def test_how_long_a_step_needs_follows_from_the_traffic():
    hour = cohorts(360_000, 0.01, 0.01)
    needed = {
        share: seconds_needed(hour, 3600, share, CohortComparison(), 2.0)
        for share in (0.01, 0.05, 0.5)
    }
    assert 2000 < (needed[0.01] or 0) < 5000
    assert (needed[0.01] or 0) > 4 * (needed[0.05] or 0) > 4 * (needed[0.5] or 0)
    busier = seconds_needed(cohorts(720_000, 0.01, 0.01), 3600, 0.05, CohortComparison(), 2.0)
    assert busier == pytest.approx((needed[0.05] or 0) / 2, rel=0.02)


@cases(
    ("of", "share", "must_detect"),
    {
        "nobody failed": (cohorts(3600, 0.05, 0.0), 0.05, 2.0),
        "no control left": (cohorts(3600, 0.05, 0.01), 1.0, 2.0),
        "nothing to detect": (cohorts(3600, 0.05, 0.01), 0.05, 1.0),
        "nobody seen": (Cohorts(), 0.05, 2.0),
    },
)
def test_how_long_is_not_known_where_it_cannot_be(of, share, must_detect):
    assert seconds_needed(of, 3600, share, CohortComparison(), must_detect) is None
