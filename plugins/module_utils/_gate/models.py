# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a gate looks at: metrics with their bounds, and the samples taken of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    PROCEED = "proceed"
    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Bounds:
    """Good is from `minimum` to `maximum`; beyond `below` or `above` is a breach. None is no bound."""

    minimum: float | None = None
    maximum: float | None = None
    below: float | None = None
    above: float | None = None

    def good(self, value: float) -> bool:
        low = self.minimum is None or value >= self.minimum
        return low and (self.maximum is None or value <= self.maximum)

    def breached(self, value: float) -> bool:
        low = self.below is not None and value < self.below
        return low or (self.above is not None and value > self.above)

    @property
    def crossed(self) -> bool:
        """Whether a value could be good and a breach at once."""
        low = self.below is not None and self.minimum is not None and self.below > self.minimum
        return low or (
            self.above is not None and self.maximum is not None and self.above < self.maximum
        )

    def describe_good(self) -> str:
        parts = []
        if self.minimum is not None:
            parts.append(f"at least {self.minimum:g}")
        if self.maximum is not None:
            parts.append(f"at most {self.maximum:g}")
        return " and ".join(parts)

    def describe_breach(self, value: float) -> str:
        if self.below is not None and value < self.below:
            return f"below {self.below:g}"
        return f"above {self.above:g}"


@dataclass(frozen=True)
class Metric:
    name: str
    kind: str
    query: str
    unit: str
    bounds: Bounds


@dataclass(frozen=True)
class Sample:
    """One look at a metric. Without a value, `problem` says why: no data is not the same as a good value."""

    value: float | None
    problem: str = ""


@dataclass(frozen=True)
class Series:
    """What is kept of a metric's samples, the same size after an hour as after a minute."""

    count: int = 0
    missing: int = 0
    minimum: float | None = None
    maximum: float | None = None
    total: float = 0.0
    last: Sample | None = None
    breaches: int = 0
    """Definite samples in a row, up to the last definite one, that were breaches."""

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    @property
    def missing_share(self) -> float:
        return self.missing / max(1, self.count + self.missing)

    def add(self, sample: Sample, bounds: Bounds) -> Series:
        value = sample.value
        if value is None:
            # A gap neither confirms a breach nor ends one.
            return Series(
                count=self.count,
                missing=self.missing + 1,
                minimum=self.minimum,
                maximum=self.maximum,
                total=self.total,
                last=sample,
                breaches=self.breaches,
            )
        return Series(
            count=self.count + 1,
            missing=self.missing,
            minimum=value if self.minimum is None else min(self.minimum, value),
            maximum=value if self.maximum is None else max(self.maximum, value),
            total=self.total + value,
            last=sample,
            breaches=self.breaches + 1 if bounds.breached(value) else 0,
        )


@dataclass(frozen=True)
class Reason:
    """Why a metric keeps the gate from proceeding."""

    metric: str
    verdict: Verdict
    text: str
    value: float | None

    def to_result(self) -> dict[str, t.Any]:
        return {
            "metric": self.metric,
            "verdict": self.verdict.value,
            "text": self.text,
            "value": self.value,
        }


@dataclass(frozen=True)
class Decision:
    verdict: Verdict
    reasons: tuple[Reason, ...]
