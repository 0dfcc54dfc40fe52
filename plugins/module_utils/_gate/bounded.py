# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that values of treated users, such as the length of an answer, are higher on average. Pure.

Each user brings one value from 0 to `at_most`. A look adds `n` treated users with the mean `x` and `m` of the control
with the mean `y`, of the range 1. With `h = 1 / (1 / n + 1 / m)` and a stake `c` the evidence is multiplied by

    exp(h (c (x - y - allowed) - c ** 2 / 8))

whose mean is at most 1 as long as treated users' values are higher by `allowed` at most (Hoeffding, 1963), whatever hit
all of them at that look. The differences for which it stays below 1 / alpha are a confidence sequence (Howard and
others, 2021). It takes sums alone; by each user's own value bets could be bolder (Waudby-Smith and Ramdas, 2023).
"""

from __future__ import annotations

import math
import typing as t

STAKES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Each finds a difference of a quarter of it soonest, as a share of the range: from half a percent to 25 %."""
_NORMAL = 1.2816


def grown_by(
    logs: t.Sequence[float],
    treated: tuple[float, float],
    control: tuple[float, float],
    *,
    at_most: float,
    allowed: float,
) -> tuple[float, ...]:
    """The logarithms after more users, of whom each cohort tells how many and the sum of their values."""
    users = harmonic(treated[0], control[0])
    higher = (treated[1] / treated[0] - control[1] / control[0] - allowed) / at_most
    return tuple(
        log + users * (stake * higher - stake * stake / 8.0)
        for log, stake in zip(logs, STAKES, strict=True)
    )


def harmonic(treated: float, control: float) -> float:
    """How many users a difference of both cohorts is worth."""
    return 1.0 / (1.0 / treated + 1.0 / control)


def smallest(users: float, *, at_most: float, allowed: float, needed: float) -> float | None:
    """The smallest difference that is found nine times of ten; None when it is beyond the range.

    `needed` is the logarithm of the evidence for a breach. Of the stakes one alone must bring it.
    """
    alone = needed + math.log(len(STAKES))
    least = min(alone / (users * stake) + stake / 8.0 for stake in STAKES)
    found = allowed + at_most * (least + _NORMAL / 2.0 / math.sqrt(users))
    return found if found < at_most else None
