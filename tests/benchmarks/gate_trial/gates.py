"""The gates that are tried: when each would go back, in seconds, None for never."""

import typing as t
from dataclasses import dataclass, field

from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    COUNTS,
    CohortComparison,
    ComparisonEvidence,
)
from tests.benchmarks.gate_trial.releases import EVERY, Look, Release

MINUTE = 6
"""Looks in a minute, over which rates are taken."""
SHIPPED = 0.05
"""The error rate beyond which the shipped metrics go back."""


def comparison(release: Release) -> float | None:
    """Ours."""
    for number, (value, problem) in enumerate(evidences(release), 1):
        if not problem and value >= CohortComparison().needed:
            return float(number * EVERY)
    return None


def evidences(release: Release) -> t.Iterator[tuple[float, str]]:
    """At each look, by the code that gates run with; and what forbids to go by it."""
    how = CohortComparison(share=release.kind.share)
    now = dict.fromkeys((f"{cohort} {what}" for cohort, what in COUNTS), 0.0)
    evidence, _problem = ComparisonEvidence().looked(now, how, 0.0)
    for number, (one, other) in enumerate(zip(release.treated, release.control, strict=True), 1):
        grown = (one.seen, one.failed, other.seen, other.failed)
        now = {name: now[name] + more for name, more in zip(now, grown, strict=True)}
        evidence, problem = evidence.looked(now, how, float(number * EVERY))
        yield evidence.value(how), problem


@dataclass
class Highs:
    """Each time that two rates in a row were higher than all before: from these any bound's first breach is read."""

    found: list[tuple[float, float]] = field(default_factory=list)

    @property
    def highest(self) -> float:
        return self.found[-1][1] if self.found else 0.0

    def first_above(self, bound: float) -> float | None:
        return next((at for at, rate in self.found if rate > bound), None)


def highs(rates: t.Sequence[float | None]) -> Highs:
    kept, last = Highs(), None
    for number, rate in enumerate(rates, 1):
        if rate is None:
            continue
        both = min(rate, last) if last is not None else 0.0
        if both > kept.highest:
            kept.found.append((float(number * EVERY), both))
        last = rate
    return kept


def rates(looks: t.Sequence[Look], *, volume: int = 20) -> list[float | None]:
    """Of the last minute, at each look; None for too few requests, as the shipped metrics have it."""
    found: list[float | None] = []
    for end in range(1, len(looks) + 1):
        window = looks[max(0, end - MINUTE) : end]
        requests = sum(one.requests for one in window)
        found.append(sum(one.errors for one in window) / requests if requests >= volume else None)
    return found


def overall(release: Release) -> list[Look]:
    return [
        Look(*(a + b for a, b in zip(one, other, strict=True)))
        for one, other in zip(release.treated, release.control, strict=True)
    ]
