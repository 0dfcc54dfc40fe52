"""Values of treated users beside those of the control: what chance may do, and what is found."""

import itertools
import math
import random

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    CohortComparison,
    Cohorts,
    ComparisonEvidence,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.compare import detectable

HOW = CohortComparison(at_most=10.0)


def evidence(
    *looks: tuple[float, float, float, float], how: CohortComparison = HOW
) -> ComparisonEvidence:
    """After looks at running numbers: treated users and the sum of their values, those of the control."""
    found = ComparisonEvidence(last=Cohorts())
    for look in looks:
        found, problem = found.looked(Cohorts.of(look), how)
        assert not problem
    return found


@pytest.mark.parametrize(("treated", "control"), [(1, 1), (2, 5), (6, 3)])
@pytest.mark.parametrize("high", [0.05, 0.5, 0.9])
def test_on_average_a_look_adds_no_evidence_where_values_are_no_higher(treated, control, high):
    """Values that are nothing or all have the largest spread there is."""
    for allowed in (0.0, 2.0):
        how = CohortComparison(at_most=10.0, allowed=allowed)
        chance = min(1.0, high + allowed / 10.0)
        mean = math.fsum(
            math.comb(treated, k)
            * chance**k
            * (1 - chance) ** (treated - k)
            * math.comb(control, m)
            * high**m
            * (1 - high) ** (control - m)
            * evidence((treated, 10.0 * k, control, 10.0 * m), how=how).value(how)
            for k, m in itertools.product(range(treated + 1), range(control + 1))
        )
        assert mean <= 1 + 1e-12


def test_higher_values_are_found_lower_ones_and_those_of_everybody_are_not():
    assert evidence((1000, 4500, 1000, 3000)).value(HOW) > 100
    assert evidence((1000, 3000, 1000, 4500)).value(HOW) < 1
    assert evidence((1000, 9000, 1000, 9000)).value(HOW) < 1
    assert (
        evidence((1000, 4500, 1000, 3000), how=CohortComparison(at_most=10.0, allowed=2.0)).value(
            HOW
        )
        < 1
    )


def test_users_wait_until_there_is_somebody_to_compare_with():
    alone = evidence((0, 0, 40, 200), (0, 0, 90, 400))
    assert alone.value(HOW) == 1.0
    assert evidence((0, 0, 40, 200), (5, 20, 90, 400)) == evidence((5, 20, 90, 400))


def test_values_beyond_the_range_are_no_evidence():
    found, problem = ComparisonEvidence(last=Cohorts()).looked(Cohorts.of((10, 101, 10, 5)), HOW)
    assert problem == "the values of treated users are above 10 on average"
    assert found.value(HOW) == 1.0


def test_the_smallest_difference_is_found_nine_times_of_ten_or_more():
    """Or more: values that are nothing or all are the worst that can be."""
    total = Cohorts.of((2000, 2000 * 5.0, 2000, 2000 * 5.0))
    difference = detectable(total, HOW).difference
    assert difference is not None
    draw, times = random.Random(1).binomialvariate, 0
    for _watch in range(200):
        found, now = ComparisonEvidence(last=Cohorts()), [0.0] * 4
        for _look in range(20):
            grown = (100, 10 * draw(100, 0.5 + difference / 10), 100, 10 * draw(100, 0.5))
            now = [old + new for old, new in zip(now, grown, strict=True)]
            found, _problem = found.looked(Cohorts.of(now), HOW)
        times += found.value(HOW) >= HOW.needed
    assert times / 200 >= 0.86
    assert detectable(Cohorts.of((2, 9, 900, 4000)), HOW).difference is None
