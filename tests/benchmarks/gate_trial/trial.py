"""Try every gate on the same releases, and tell how often each was wrong, how soon it was right, and at whose cost."""

import math
import typing as t
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from tests.benchmarks.gate_trial import gates
from tests.benchmarks.gate_trial.releases import EVERY, LOOKS, Kind, Release, generated

OURS, OVERALL, TREATED = "comparison of cohorts", "bound, tuned", "bound on treated users, tuned"
SHIPPED = "bound of 5 %, as shipped"
GATES = (OURS, SHIPPED, OVERALL, TREATED)
FALSE_ALARMS = 0.01
"""Bounds are tuned to so many, on the very releases they are then tried on: no bound can do better."""


@dataclass(frozen=True)
class Tried:
    """Of one release when each gate went back, and at each look how many users had been harmed."""

    kind: Kind
    ends: t.Mapping[str, float | None]
    overall: gates.Highs
    treated: gates.Highs
    harmed: t.Sequence[float]

    @property
    def worse(self) -> bool:
        return self.kind.ratio > 1.0

    def ends_by(self, gate: str, bounds: t.Mapping[str, float]) -> float | None:
        if gate in bounds:
            return (self.treated if gate == TREATED else self.overall).first_above(bounds[gate])
        return self.ends[gate]

    def harmed_until(self, end: float | None) -> float:
        return self.harmed[-1 if end is None else min(LOOKS, int(end / EVERY)) - 1]


@dataclass(frozen=True)
class Result:
    """`low` and `high`: what the share of false alarms is at least and at most, at 95 % (Clopper and Pearson)."""

    gate: str
    false_alarms: float
    low: float
    high: float
    found: float
    seconds: float | None
    harmed: float


def tried(release: Release) -> Tried:
    kind, everybody = release.kind, gates.overall(release)
    now = gates.rates(everybody)
    extra = 1.0 - 1.0 / kind.ratio
    ends = {
        OURS: gates.comparison(release),
    }
    overall, treated = gates.highs(now), gates.highs(gates.rates(release.treated))
    harmed = tuple(accumulate(extra * one.failed for one in release.treated))
    return Tried(kind, ends, overall, treated, harmed)


def tuned(found: t.Sequence[Tried]) -> dict[str, float]:
    """The lowest bounds with no more false alarms than that."""
    healthy = [one for one in found if not one.worse]
    allowed = int(FALSE_ALARMS * len(healthy))
    overall, treated = (
        sorted((highs.highest for highs in of), reverse=True)[allowed]
        for of in ([one.overall for one in healthy], [one.treated for one in healthy])
    )
    return {SHIPPED: gates.SHIPPED, OVERALL: overall, TREATED: treated}


def results(found: t.Sequence[Tried]) -> list[Result]:
    bounds = tuned(found)
    healthy, worse = ([one for one in found if one.worse is bad] for bad in (False, True))
    told = []
    for gate in GATES:
        alarms = sum(1 for one in healthy if one.ends_by(gate, bounds) is not None)
        ends = [one.ends_by(gate, bounds) for one in worse]
        times = [end for end in ends if end is not None]
        low, high = interval(alarms, len(healthy))
        harmed = [one.harmed_until(end) for one, end in zip(worse, ends, strict=True)]
        told.append(
            Result(
                gate,
                alarms / len(healthy),
                low,
                high,
                len(times) / len(worse),
                median(times) if times else None,
                math.fsum(harmed) / len(harmed),
            )
        )
    return told


@dataclass(frozen=True)
class Row:
    """Ours on releases of one kind: the share that it ends, and after how long."""

    ratio: float
    share: float
    ended: float
    seconds: float | None
    ninety: float | None


def row(ratio: float, share: float, number: int) -> Row:
    ends = [
        gates.comparison(generated(seed, Kind(share, ratio, 0.95)))
        for seed in range(1_000_000, 1_000_000 + number)
    ]
    times = sorted(end for end in ends if end is not None)
    ninety = times[math.ceil(0.9 * number) - 1] if len(times) >= 0.9 * number else None
    return Row(ratio, share, len(times) / number, median(times) if times else None, ninety)


def interval(count: int, of: int) -> tuple[float, float]:
    """Exact, at 95 %."""
    low = 0.0 if count == 0 else _where(lambda p: 1.0 - _at_most(count - 1, of, p) >= 0.025)
    return low, 1.0 if count == of else _where(lambda p: _at_most(count, of, p) <= 0.025)


def _at_most(count: int, of: int, chance: float) -> float:
    if not 0.0 < chance < 1.0:
        return 1.0 if chance <= 0.0 else float(count >= of)
    logs = (
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(chance)
        + (of - k) * math.log1p(-chance)
        for k in range(count + 1)
    )
    return math.fsum(math.exp(one) for one in logs)


def _where(holds: t.Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _step in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
