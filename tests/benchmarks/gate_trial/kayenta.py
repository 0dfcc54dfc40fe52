"""Kayenta's judge for one metric that must not increase, from what its source describes.

A metric is High when the interval of the Mann-Whitney test for the shift between canary and baseline, at a confidence
of 98 %, begins above a quarter of the shift's own estimate (Hodges and Lehmann), and the canary's mean is not lower.
"""

import math
import typing as t
from bisect import bisect_left, bisect_right
from itertools import groupby
from statistics import NormalDist, fmean

CONFIDENCE, TOLERANCE, EFFECT = 0.98, 0.25, 1.0


def is_high(
    canary: t.Sequence[float],
    baseline: t.Sequence[float],
    *,
    confidence: float = CONFIDENCE,
    tolerance: float = TOLERANCE,
    effect: float = EFFECT,
) -> bool:
    """`effect`: so many times the mean of the baseline, which is ignored where that is 0."""
    if not canary or not baseline or sorted(canary) == sorted(baseline):
        return False
    wanted = NormalDist().inv_cdf(0.5 + confidence / 2)
    # The interval begins above 0 when the test finds the canary higher at all.
    if len({*canary, *baseline}) == 1 or score(canary, baseline, 0.0) <= wanted:
        return False
    if fmean(baseline) and fmean(canary) / fmean(baseline) < effect:
        return False
    return shift(canary, baseline, wanted) > tolerance * abs(shift(canary, baseline))


def score(canary: t.Sequence[float], baseline: t.Sequence[float], off: float) -> float:
    """The test's normal score with `off` taken off the canary, corrected for ties and continuity."""
    ranked, m, n = sorted(baseline), len(canary), len(baseline)
    lowered = sorted(one - off for one in canary)
    wins = math.fsum((bisect_left(ranked, x) + bisect_right(ranked, x)) / 2 for x in lowered)
    excess = wins - m * n / 2
    ties = (len(list(group)) for _value, group in groupby(sorted([*lowered, *ranked])))
    tied = sum(count**3 - count for count in ties) / ((m + n) * (m + n - 1))
    deviation = math.sqrt(m * n / 12 * (m + n + 1 - tied))
    return (excess - math.copysign(0.5, excess) * (excess != 0)) / deviation if deviation else 0.0


def shift(canary: t.Sequence[float], baseline: t.Sequence[float], wanted: float = 0.0) -> float:
    """The least that is to be taken off the canary for a score no higher than that, to a millionth of all there is."""
    low, high = min(canary) - max(baseline), max(canary) - min(baseline)
    width = high - low
    while high - low > 1e-6 * width:
        middle = (low + high) / 2
        low, high = (middle, high) if score(canary, baseline, middle) > wanted else (low, middle)
    return high
