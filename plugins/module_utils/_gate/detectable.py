# SPDX-License-Identifier: GPL-3.0-or-later
"""What a comparison could have seen: the smallest harm that it would have found nine times of ten. Pure.

Of `n` failing users a breach needs `k(n)` treated ones, which follows from the rule. With a harm `r` there would be
`m (1 + r o)` failing users, `m` those of the control that were seen and `o` the odds of being treated, and of them a
share theta(r) would be treated. The smallest `r` is the one at which `k(n)` is the tenth percentile of that binomial,
by the arcsine of its square root, whose spread hardly depends on the share. Deterministic, in milliseconds.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from . import bounded
from .cohorts import RATIOS, Cohorts, Comparison, grown_by, log_mean

CHANCE = 0.9
_NORMAL = 1.2816
"""The ninetieth percentile of the normal distribution."""
_LARGEST = 1000.0
"""A harm beyond this is as good as none that could be seen."""
_LONGEST = 400 * 86400.0


@dataclass(frozen=True)
class Detectable:
    """`ratio`: so many times as often as the control; None when no harm could be seen, or nobody of the control failed.

    `failing`: so many of the treated users would have had to fail; None when more than were seen. `difference`: of
    values instead, by so much higher on average.
    """

    ratio: float | None = None
    failing: float | None = None
    difference: float | None = None


def detectable(total: Cohorts, comparison: Comparison) -> Detectable:
    """By a watch that saw these users, whatever it found."""
    share = total.share
    if share is None or not 0.0 < share < 1.0:
        return Detectable()
    if comparison.at_most is not None:
        users = bounded.harmonic(total.treated.seen, total.control.seen)
        difference = bounded.smallest(
            users,
            at_most=comparison.at_most,
            allowed=comparison.allowed,
            needed=_needed(comparison),
        )
        return Detectable(difference=difference)
    failed = total.control.failed
    if failed <= 0:
        few = _plausible(_least(0.0, share, comparison))
        return Detectable(failing=few if few <= total.treated.seen else None)
    ratio = smallest(failed, share, comparison)
    failing = ratio * failed * share / (1.0 - share)
    if ratio >= _LARGEST or failing > total.treated.seen:
        return Detectable()
    return Detectable(ratio, failing)


def smallest(failed: float, share: float, comparison: Comparison) -> float:
    """The smallest harm that is found when so many users of the control fail."""
    odds = share / (1.0 - share)

    def found(ratio: float) -> bool:
        treated = ratio * odds * failed
        number = treated + failed
        least = number * _least_share(number, share, comparison)
        reached = math.asin(math.sqrt(min(1.0, treated / number)))
        asked = math.asin(math.sqrt(min(1.0, max(0.0, least - 0.5) / number)))
        return reached - asked >= _NORMAL / (2.0 * math.sqrt(number))

    return _first(found, comparison.margin, _LARGEST)


def seconds_needed(
    total: Cohorts, seconds: float, share: float, comparison: Comparison, must_detect: float
) -> float | None:
    """How long a watch at another share takes at this traffic until it can see that harm; None when it never can.

    Of a healthy release: all users fail as often as those of the control did.
    """
    seen = total.treated.seen + total.control.seen
    if seconds <= 0 or not 0.0 < share < 1.0 or must_detect <= comparison.margin:
        return None
    if total.control.failed <= 0:
        return None
    rate = total.control.failed / total.control.seen * seen / seconds * (1.0 - share)

    def found(length: float) -> bool:
        return smallest(rate * length, share, comparison) <= must_detect

    needed = _first(found, 1.0, _LONGEST)
    return needed if needed < _LONGEST else None


def _least_share(number: float, share: float, comparison: Comparison) -> float:
    """The share of so many failing users that must be treated for a breach; more than 1 when all are too few."""

    def breach(of: float) -> bool:
        return _log(of * number, (1.0 - of) * number, share, comparison) >= _needed(comparison)

    return _first(breach, 0.0, 1.0) if breach(1.0) else 2.0


def _least(control: float, share: float, comparison: Comparison) -> float:
    """So many treated users must fail for a breach."""
    return _first(
        lambda treated: _log(treated, control, share, comparison) >= _needed(comparison), 0.0, 1e6
    )


def _plausible(least: float) -> float:
    """How many failing users are to be expected for so many to be seen nine times of ten."""
    return (math.sqrt(max(0.0, least - 0.125)) + _NORMAL / 2.0) ** 2 - 0.375


def _log(treated: float, control: float, share: float, comparison: Comparison) -> float:
    return log_mean(grown_by((0.0,) * len(RATIOS), treated, control, share, comparison.margin))


def _needed(comparison: Comparison) -> float:
    return math.log(comparison.needed / comparison.start)


def _first(holds: t.Callable[[float], bool], low: float, high: float) -> float:
    """Where it begins to hold between the two; the upper end when it never does."""
    if not holds(high):
        return high
    while high - low > 1e-4 * high + 1e-9:
        middle = (low + high) / 2.0
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
