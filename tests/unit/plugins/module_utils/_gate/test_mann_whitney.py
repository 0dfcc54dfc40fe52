# SPDX-License-Identifier: GPL-3.0-or-later
"""Against tables, against counting every arrangement, and against itself."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._gate.comparison import (
    Baseline,
    Comparison,
    blind,
    compare,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.mann_whitney import (
    p_greater,
    statistic,
)

VALUES = st.lists(st.integers(0, 30).map(float), min_size=1, max_size=12)
BASELINE = Baseline(window=3600, step=10, interval=60, higher_is_worse=True, scale=1.0)
LOW = [0.1 + index / 1000 for index in range(30)]
HIGH = [value * 2 for value in LOW]


@given(VALUES, VALUES)
def test_u_counts_the_pairs_that_the_left_wins(left, right):
    pairs = [(a > b) + (a == b) / 2 for a in left for b in right]
    assert statistic(left, right) == sum(pairs)


@given(st.permutations(range(9)), st.integers(1, 8))
def test_without_ties_it_is_the_share_of_all_arrangements(values, size):
    left, right = values[:size], values[size:]
    u = statistic(left, right)
    every = [
        statistic(one, [v for v in values if v not in one])
        for one in itertools.combinations(values, size)
    ]
    assert p_greater(left, right) == pytest.approx(sum(one >= u for one in every) / len(every))


@given(VALUES, VALUES)
def test_it_is_a_probability_and_both_directions_cover_all(left, right):
    p, opposite = p_greater(left, right), p_greater(right, left)
    assert 0 <= p <= 1
    assert p + opposite >= 1 - 1e-9


@given(VALUES, VALUES)
def test_greater_values_win_more_pairs(left, right):
    assert statistic([value + 1 for value in left], right) >= statistic(left, right)


@pytest.mark.parametrize(
    ("left", "right", "p"),
    [
        # As printed tables have them: P(U <= 4) and P(U <= 1) of five and five.
        pytest.param([3, 6, 8, 9, 10], [1, 2, 4, 5, 7], 0.0476, id="five-and-five-u-21"),
        pytest.param([5, 7, 8, 9, 10], [1, 2, 3, 4, 6], 0.0079, id="five-and-five-u-24"),
        # By hand: U is 15.5, the variance 16/12 (9 - 30/56), so z is 7 / 3.359.
        pytest.param([2, 3, 4, 5], [1, 1, 1, 2.0], 0.0186, id="ties"),
        pytest.param([1.0] * 20, [1.0] * 20, 1.0, id="all-alike"),
        pytest.param([], [1.0], 1.0, id="none"),
    ],
)
def test_known_values(left, right, p):
    assert p_greater(left, right) == pytest.approx(p, abs=5e-4)


def test_what_is_exact_and_what_is_approximated_nearly_agree():
    left, right = [value + 0.5 for value in range(0, 40, 2)], [float(v) for v in range(20)]
    exact = p_greater(left, right)
    tied = p_greater([*left[:-1], left[-2]], right)  # one tie, so the approximation
    assert tied == pytest.approx(exact, rel=0.2)


def test_worse_must_be_found_twice_in_a_row():
    once = compare(Comparison(), BASELINE, LOW, HIGH)
    assert (once.confirmed, once.p is not None and once.p < 0.001) == (False, True)
    assert compare(once, BASELINE, LOW, HIGH).confirmed
    assert not compare(compare(once, BASELINE, LOW, LOW), BASELINE, LOW, HIGH).confirmed


@pytest.mark.parametrize(
    ("baseline", "before", "after", "worse"),
    [
        pytest.param(BASELINE, LOW, HIGH, 1, id="higher"),
        pytest.param(BASELINE, HIGH, LOW, 0, id="better"),
        pytest.param(BASELINE, LOW, [v + 0.005 for v in LOW], 0, id="significant-and-small"),
        pytest.param(BASELINE, LOW[:19], HIGH, 0, id="too-few-before"),
        pytest.param(BASELINE, LOW, HIGH[:19], 0, id="too-few-since"),
        pytest.param(BASELINE, [0.0] * 30, [0.001] * 30, 0, id="nothing-before-and-hardly-more"),
        pytest.param(BASELINE, [0.0] * 30, [0.3] * 30, 1, id="nothing-before-and-much-now"),
    ],
)
def test_worse_is_significant_and_large(baseline, before, after, worse):
    assert compare(Comparison(), baseline, before, after).worse == worse


def test_a_comparison_that_failed_says_so_and_leaves_the_last():
    once = compare(Comparison(), BASELINE, LOW, HIGH)
    assert (blind(once, "busy").worse, blind(once, "busy").problem) == (1, "busy")
