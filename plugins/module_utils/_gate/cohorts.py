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
"""

from __future__ import annotations

import math
import operator
import typing as t
from dataclasses import dataclass, replace

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""So many times as often as the margin allows: what the evidence is gathered for, in equal parts."""
_LARGEST = 1e9
"""More evidence is shown as so much."""
_CONTRADICTION = math.log(1e4)
"""How improbable a share of treated users must be before it contradicts the one that was configured."""


class Counts(t.NamedTuple):
    """Users of one cohort."""

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
    `share`: of the users those who should be treated, if that is known; with 0 or 1 no users are compared.
    """

    margin: float = 1.0
    alpha: float = 0.01
    of: int = 1
    before: float = 1.0
    must_detect: float | None = None
    share: float | None = None

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
    def start(self) -> float:
        """Half of the stake is for this watch alone, half goes on from the watch before."""
        return (1.0 + self.before) / 2.0


@dataclass(frozen=True)
class ComparisonEvidence:
    """What is kept of a comparison: the same few numbers after an hour as after a minute.

    `last`: the four running counts when they were read last, None before the first look. `total`: how far they grew
    since the watch began. `logs`: the logarithm of the evidence for each of RATIOS.
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
        total = Cohorts.of(map(operator.add, self.total.flat, grown.flat))
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
        log = log_mean(self.logs) + math.log(comparison.start)
        return min(math.exp(min(log, 700.0)), _LARGEST)


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
