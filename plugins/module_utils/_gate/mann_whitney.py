# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The Mann-Whitney U test, one-sided: do values of one sample tend to be greater than those of another? Pure.

Exact where no values are equal and the samples are small, otherwise the normal approximation with the corrections for
ties and for continuity.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter

_EXACT = 400
"""The largest product of the sizes for which all arrangements are counted."""


def p_greater(left: t.Sequence[float], right: t.Sequence[float]) -> float:
    """How likely values in `left` come out so great beside `right` if both are alike."""
    m, n = len(left), len(right)
    if not m or not n:
        return 1.0
    ties = Counter([*left, *right])
    u = statistic(left, right)
    if len(ties) == m + n and m * n <= _EXACT:
        arrangements = _arrangements(m, n)
        return sum(arrangements[int(u) :]) / math.comb(m + n, m)
    total = m + n
    tied = sum(count**3 - count for count in ties.values())
    variance = m * n / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = (u - m * n / 2 - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) / 2


def statistic(left: t.Sequence[float], right: t.Sequence[float]) -> float:
    """U of `left`: in how many pairs its value is the greater one; equal ones count half."""
    ranks = _mid_ranks([*left, *right])
    return sum(ranks[value] for value in left) - len(left) * (len(left) + 1) / 2


def _mid_ranks(values: t.Sequence[float]) -> dict[float, float]:
    ranks: dict[float, float] = {}
    passed = 0
    for value, count in sorted(Counter(values).items()):
        ranks[value] = passed + (count + 1) / 2
        passed += count
    return ranks


def _arrangements(m: int, n: int) -> list[int]:
    """How many arrangements of both samples give each U, from 0 to m n: the Gaussian binomial's coefficients."""
    counts = [1] + [0] * (m * n)
    for step in range(1, m + 1):
        # Times (1 - q^(n + step)), divided by (1 - q^step).
        for u in range(m * n, n + step - 1, -1):
            counts[u] -= counts[u - n - step]
        for u in range(step, m * n + 1):
            counts[u] += counts[u - step]
    return counts
