# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What is kept of a metric's samples, the same size after an hour as after a minute. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from .models import Metric, Sample, SampleStatus
from .points import Point, add_point


@dataclass(frozen=True)
class Series:
    count: int = 0
    missing: int = 0
    minimum: float | None = None
    maximum: float | None = None
    total: float = 0.0
    last: Sample | None = None
    value: float | None = None
    """The last one there was."""
    status: SampleStatus = SampleStatus.NO_DATA
    breaches: int = 0
    """Definite samples in a row, up to the last definite one, that were breaches."""
    points: tuple[Point, ...] = ()

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    @property
    def missing_share(self) -> float:
        return self.missing / max(1, self.count + self.missing)

    def add(self, sample: Sample, metric: Metric, at: float = 0.0) -> Series:
        status, value = metric.judge(sample), sample.value
        points = add_point(self.points, Point(at, value, status.shown))
        if value is None:
            # A gap neither confirms a breach nor ends one.
            return replace(
                self, missing=self.missing + 1, last=sample, status=status, points=points
            )
        return replace(
            self,
            count=self.count + 1,
            minimum=value if self.minimum is None else min(self.minimum, value),
            maximum=value if self.maximum is None else max(self.maximum, value),
            total=self.total + value,
            last=sample,
            value=value,
            status=status,
            breaches=self.breaches + 1 if status is SampleStatus.BREACH else 0,
            points=points,
        )

    def miss(self, looks: int, at: float) -> Series:
        """So many looks that nobody took, up to that second."""
        if looks <= 0:
            return self
        unseen, status = Sample(None, "nobody looked"), SampleStatus.NO_DATA
        points = add_point(self.points, Point(at, None, status.shown))
        missing = self.missing + looks
        return replace(self, missing=missing, last=unseen, status=status, points=points)

    def to_json(self) -> dict[str, t.Any]:
        return {
            **asdict(self),
            "last": self.last.to_json() if self.last else None,
            "status": self.status.value,
            "points": [list(p) for p in self.points],
        }

    @classmethod
    def from_json(cls, body: t.Mapping[str, t.Any]) -> Series:
        """KeyError for what is none. What another version kept beside it is left out."""
        known = {"status": body.get("mark"), **body}
        last = known["last"]
        return cls(
            **{
                **{name: known[name] for name in cls.__dataclass_fields__},
                "last": Sample(**last) if last else None,
                "status": SampleStatus(known["status"]),
                "points": tuple(Point(float(at), *rest) for at, *rest in known["points"]),
            }
        )
