"""What a watch could have seen, against watches of simulated users."""

import random
from itertools import pairwise

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    COUNTS,
    CohortComparison,
    Cohorts,
    ComparisonEvidence,
    Counts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.compare import detectable

LOOKS, WATCHES = 40, 250


def cohorts(seen: float, share: float, risk: float) -> Cohorts:
    treated, control = seen * share, seen * (1 - share)
    return Cohorts(Counts(treated, treated * risk), Counts(control, control * risk))


def found(comparison: CohortComparison, of: Cohorts, ratio: float, seed: int) -> tuple[bool, float]:
    """Whether a watch ends with a breach in which so many users are seen, and treated ones fail so often.

    And as much of what failed as counted.
    """
    draw = random.Random(seed).binomialvariate
    risk = of.control.failed / of.control.observed
    names = [f"{cohort} {what}" for cohort, what in COUNTS]
    now = dict.fromkeys(names, 0.0)
    evidence, _problem = ComparisonEvidence().looked(now, comparison, 0.0)
    seen = (round(of.treated.observed / LOOKS), round(of.control.observed / LOOKS))
    breach = False
    for look in range(1, LOOKS + 1):
        grown = (seen[0], draw(seen[0], risk * ratio), seen[1], draw(seen[1], risk))
        now = {name: now[name] + new for name, new in zip(names, grown, strict=True)}
        evidence, _problem = evidence.looked(now, comparison, 10.0 * look)
        breach = breach or evidence.value(comparison) >= comparison.needed
    failed = evidence.total.treated.failed + evidence.total.control.failed
    return breach, evidence.by_message.counted / failed


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
    ratio = detectable(of, comparison, found(comparison, of, 1.5, 0)[1])
    assert ratio is not None
    times = sum(found(comparison, of, ratio, seed)[0] for seed in range(WATCHES))
    assert 0.86 <= times / WATCHES <= 0.97
    less = comparison.margin + 0.6 * (ratio - comparison.margin)
    assert sum(found(comparison, of, less, seed)[0] for seed in range(WATCHES)) / WATCHES < 0.75


def test_more_users_see_less_harm_and_a_smaller_share_needs_more_of_them():
    ratios = [
        detectable(cohorts(seen, 0.05, 0.01), CohortComparison()) or 0 for seen in (2e4, 2e5, 2e6)
    ]
    assert all(fewer > more for fewer, more in pairwise(ratios))
    one, half = (detectable(cohorts(2e5, share, 0.01), CohortComparison()) for share in (0.01, 0.5))
    assert (one or 0) > 2 > (half or 9)


def test_nothing_can_be_seen_without_users_or_failures_in_both_cohorts_or_with_too_few():
    for nobody in (Cohorts(), cohorts(100, 0.0, 0.1), cohorts(100, 1.0, 0.1)):
        assert detectable(nobody, CohortComparison()) is None
    assert detectable(cohorts(20, 0.05, 0.5), CohortComparison()) is None
    assert detectable(cohorts(2000, 0.5, 0.0), CohortComparison()) is None
