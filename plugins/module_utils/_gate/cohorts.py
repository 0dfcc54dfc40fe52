# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether treated users fail more often than those of the control, as evidence that may be looked at at any time. Pure.

At each look `k` of the `k + m` users who failed for the first time are treated, and so is a share `q` of all who could
have. If treated users fail `r` times as often, a failing user is a treated one with probability

    theta(r) = q r / (q r + 1 - q)

and `k` and `m` multiply the evidence for `r` against the margin by

    (theta(r) / theta(margin)) ** k * ((1 - theta(r)) / (1 - theta(margin))) ** m

As long as treated users fail at most `margin` times as often, its expectation never grows, so that it ever reaches
1 / alpha in at most a share alpha of watches (Ville, 1939), however often one looks. It is the safe logrank test of
Grünwald, Ly, Pérez-Ortiz and ter Schure (2020), and the test for counts of Lindon and Malek (2022). The proof
is in tests/benchmarks/gate_trial/README.md.

Evidence that values of treated users, such as the length of an answer, are higher on average. Pure.

Each user brings one value from 0 to `at_most`. A look adds `n` treated users with the mean `x` and `m` of the control
with the mean `y`, of the range 1. With `h = 1 / (1 / n + 1 / m)` and a stake `c` the evidence is multiplied by

    exp(h (c (x - y - allowed) - c ** 2 / 8))

whose mean is at most 1 as long as treated users' values are higher by `allowed` at most (Hoeffding, 1963), whatever hit
all of them at that look. The differences for which it stays below 1 / alpha are a confidence sequence (Howard and
others, 2021). It takes sums alone; by each user's own value bets could be bolder (Waudby-Smith and Ramdas, 2023).
"""

from __future__ import annotations

import math
import operator
import typing as t
from dataclasses import dataclass, replace

STAKES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Each finds a difference of a quarter of it soonest, as a share of the range: from half a percent to 25 %."""
_NORMAL = 1.2816


def bounded_growth(
    logs: t.Sequence[float],
    treated: tuple[float, float],
    control: tuple[float, float],
    *,
    at_most: float,
    allowed: float,
) -> tuple[float, ...]:
    """The logarithms after more users. Each cohort gives their count and the sum of their values."""
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
    count = allowed + at_most * (least + _NORMAL / 2.0 / math.sqrt(users))
    return count if count < at_most else None


RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""So many times as often as the margin allows: what the evidence is gathered for, in equal parts."""
_LARGEST = 1e9
"""More evidence is shown as so much."""
_CONTRADICTION = math.log(1e4)
"""How improbable a share of treated users must be before it contradicts the one that was configured."""


class Counts(t.NamedTuple):
    """Users of one cohort; where values are compared, `failed` is their sum."""

    observed: float = 0.0
    failed: float = 0.0


class Cohorts(t.NamedTuple):
    treated: Counts = Counts()
    control: Counts = Counts()

    @property
    def flat(self) -> tuple[float, ...]:
        return *self.treated, *self.control

    @classmethod
    def of(cls, flat: t.Iterable[float]) -> Cohorts:
        observed, failed, control_seen, control_failed = flat
        return cls(Counts(observed, failed), Counts(control_seen, control_failed))

    def plus(self, grown: Cohorts) -> Cohorts:
        return Cohorts.of(map(operator.add, self.flat, grown.flat))

    @property
    def share(self) -> float | None:
        """Of the users seen those who are treated; None when no user was seen."""
        observed = self.treated.observed + self.control.observed
        return self.treated.observed / observed if observed > 0 else None

    @property
    def ratio(self) -> float | None:
        """How many times as often treated users failed; None when that is not known."""
        if self.treated.observed <= 0 or self.control.failed <= 0:
            return None
        return (
            self.treated.failed
            / self.treated.observed
            / self.control.failed
            * self.control.observed
        )


@dataclass(frozen=True)
class CohortComparison:
    """How the cohorts of one metric are compared.

    `margin`: treated users may fail so many times as often. `alpha` is for all `of` comparisons of a watch together.
    `before`: the evidence of the watch before this one. `must_detect`: a harm that the watch must be able to see.
    `share`: of the users those who should be treated, if that is known; with 0 or 1 no users are compared. With
    `at_most` each user has a value from 0 to that; those of treated users may be higher by `allowed` on average.
    """

    margin: float = 1.0
    alpha: float = 0.01
    of: int = 1
    before: float = 1.0
    must_detect: float | None = None
    share: float | None = None
    at_most: float | None = None
    allowed: float = 0.0

    @property
    def needed(self) -> float:
        """So much evidence is a breach, were this the only metric that has any."""
        return self.of / self.alpha

    @property
    def missing_arm(self) -> str:
        """Why there are no users to compare; empty when there should be."""
        if self.share == 0.0:
            return "no user has the feature"
        return "all users have the feature" if self.share == 1.0 else ""

    @property
    def question(self) -> tuple[float | None, ...]:
        """What other evidence would be an answer to."""
        return self.margin, self.at_most, self.allowed

    @property
    def start(self) -> float:
        """Half of the stake is for this watch alone, half goes on from the watch before."""
        return (1.0 + self.before) / 2.0


@dataclass(frozen=True)
class ComparisonEvidence:
    """What is kept of a comparison: the same few numbers after an hour as after a minute.

    `last`: the four running counts when they were read last, None before the first look. `total`: how far they grew
    since the watch began. `logs`: the logarithm of the evidence for each of RATIOS, or of STAKES.
    """

    last: Cohorts | None = None
    total: Cohorts = Cohorts()  # noqa: RUF009 - frozen
    logs: tuple[float, ...] = (0.0,) * len(RATIOS)
    resets: int = 0

    def looked(self, now: Cohorts, how: CohortComparison) -> tuple[ComparisonEvidence, str]:
        """With the counts of another look, or the same and why these say nothing."""
        if not all(math.isfinite(entry) and entry >= 0 for entry in now.flat):
            return self, "a number of users is below 0"
        if self.last is None:
            return replace(self, last=now), ""
        grown = Cohorts.of(map(operator.sub, now.flat, self.last.flat))
        if min(grown.flat) < 0:
            # What became of users meanwhile is not known, in neither cohort.
            return replace(self, last=now, resets=self.resets + 1), "a count began again"
        total = self.total.plus(grown)
        if how.at_most is not None:
            for name, entry in grown._asdict().items():
                if entry.failed > entry.observed * how.at_most:
                    return self, f"the values of {name} users are above {how.at_most:g} on average"
            if not grown.treated.observed or not grown.control.observed:
                return self, ""  # those who were seen wait for somebody to be compared with
            logs = bounded_growth(self.logs, *grown, at_most=how.at_most, allowed=how.allowed)
            return replace(self, last=now, total=total, logs=logs), ""
        for name, entry in total._asdict().items():
            if entry.failed > entry.observed:
                # Failures are counted before users seen: the next look has both.
                return self, f"more {name} users failed than were seen"
        at_risk = Cohorts(
            Counts(total.treated.observed - self.total.treated.failed),
            Counts(total.control.observed - self.total.control.failed),
        )
        failed = grown.treated.failed, grown.control.failed
        logs = grown_by(self.logs, *failed, at_risk.share, how.margin)
        return replace(self, last=now, total=total, logs=logs), ""

    def value(self, comparison: CohortComparison) -> float:
        return min(math.exp(min(self.log(comparison), 700.0)), _LARGEST)

    def log(self, comparison: CohortComparison) -> float:
        return log_mean(self.logs) + math.log(comparison.start)


def grown_by(
    logs: t.Sequence[float], treated: float, control: float, share: float | None, margin: float
) -> tuple[float, ...]:
    """The logarithms after so many failing users more. A share of 0 or 1 leaves them: no users are compared."""
    if share is None:
        return tuple(logs)
    allowed = math.log1p(share * (margin - 1.0))
    grown = []
    for log, times in zip(logs, RATIOS, strict=True):
        spread = allowed - math.log1p(share * (times * margin - 1.0))
        grown.append(log + treated * math.log(times) + (treated + control) * spread)
    return tuple(grown)


def log_mean(logs: t.Sequence[float]) -> float:
    """Of what these are the logarithms of, without ever leaving them."""
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(log - highest) for log in logs) / len(logs))


def blamed(results: t.Mapping[str, float], alpha: float) -> frozenset[str]:
    """The metrics to blame, given the evidence of every comparison; none as long as all may well be good.

    The mean is evidence against "all are good". Which are not, e-BH tells (Wang and Ramdas, 2022): of those that it
    blames, at most a share alpha is blamed wrongly. Where it blames none although not all can be good, the gravest is.
    """
    if not results or math.fsum(results.values()) / len(results) < 1.0 / alpha:
        return frozenset()
    ranked = sorted(results, key=lambda name: results[name], reverse=True)
    enough = [
        number
        for number, name in enumerate(ranked, start=1)
        if results[name] >= len(results) / (alpha * number)
    ]
    return frozenset(ranked[: max(enough, default=1)])


def contradicts(total: Cohorts, configured: float) -> bool:
    """Whether the share of treated users is certainly more than twice, or less than half, what it should be."""
    share = total.share
    if share is None or not 0.0 < configured < 1.0:
        return False
    odds = configured / (1.0 - configured)
    low, high = (entry / (1.0 + entry) for entry in (odds / 2.0, odds * 2.0))
    if low <= share <= high:
        return False
    observed = total.treated.observed + total.control.observed
    return observed * _divergence(share, low if share < low else high) >= _CONTRADICTION


def _divergence(share: float, other: float) -> float:
    """Of Kullback and Leibler, between two coins."""
    parts = ((share, other), (1.0 - share, 1.0 - other))
    return math.fsum(entry * math.log(entry / two) for entry, two in parts if entry > 0)
