# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether a metric is worse than it was before the release: by rank, by size, and twice in a row. Pure."""

from __future__ import annotations

import statistics
import typing as t
from dataclasses import asdict, dataclass, replace

from .mann_whitney import p_greater


@dataclass(frozen=True)
class Baseline:
    """`window`, `step` and `interval` in seconds; `before` is a time in seconds since 1970, None for the release's."""

    window: float
    step: float
    interval: float
    higher_is_worse: bool
    scale: float
    """What the difference is measured by where the median before was nothing."""
    before: float | None = None
    alpha: float = 0.02
    least: int = 20
    """So many values each side must have."""
    effect: float = 0.25
    """By what share of the median before the median must be worse."""
    rolls_back: bool = False


CONFIRMED = 2
"""So many comparisons in a row must find it worse: one that is made often finds something by chance."""


@dataclass(frozen=True)
class Comparison:
    """The last one made. `worse` counts those in a row that found the release worse."""

    before: float | None = None
    after: float | None = None
    values_before: int = 0
    values_after: int = 0
    p: float | None = None
    worse: int = 0
    problem: str = ""

    @property
    def confirmed(self) -> bool:
        return self.worse >= CONFIRMED

    def to_json(self) -> dict[str, t.Any]:
        return asdict(self)


def compare(
    last: Comparison, baseline: Baseline, before: t.Sequence[float], after: t.Sequence[float]
) -> Comparison:
    counted = Comparison(values_before=len(before), values_after=len(after))
    if min(len(before), len(after)) < baseline.least:
        few = f"{len(before)} values before and {len(after)} since, at least {baseline.least} each"
        return replace(counted, problem=f"too few to compare: {few}")
    was, now = statistics.median(before), statistics.median(after)
    p = p_greater(after, before) if baseline.higher_is_worse else p_greater(before, after)
    difference = now - was if baseline.higher_is_worse else was - now
    large = difference > 0 and difference >= baseline.effect * (abs(was) or baseline.scale)
    worse = last.worse + 1 if large and p < baseline.alpha else 0
    return replace(counted, before=was, after=now, p=p, worse=worse)


def blind(last: Comparison, problem: str) -> Comparison:
    """One that could not be made neither confirms the last nor takes it back."""
    return replace(last, problem=problem)
