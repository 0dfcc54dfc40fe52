# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a metric's samples, the same size after an hour as after a minute. Pure.

The course of a metric as few points, whose extremes stay. Pure.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from .models import Metric, Sample, SampleStatus


class Point(t.NamedTuple):
    """`at` in seconds since the watch began; `value` is None where there was none; `status` as it was judged then."""

    at: float
    value: float | None
    status: str = ""


SHOWN = 120
"""How many points a course has at most when it is shown."""
_KEPT = 2 * SHOWN


def add_point(points: tuple[Point, ...], point: Point) -> tuple[Point, ...]:
    """Never grows beyond what is kept, however long the watch."""
    longer = (*points, point._replace(at=round(point.at, 1)))
    return longer if len(longer) <= _KEPT else thin(longer)


def thin(points: tuple[Point, ...], most: int = SHOWN) -> tuple[Point, ...]:
    """At most so many: the lowest and the highest of each span of time, and the last."""
    if len(points) <= most:
        return points
    first, last = points[0].at, points[-1].at
    spans: dict[int, list[Point]] = {}
    pairs = (most - 1) // 2
    width = (last - first) / pairs or 1.0
    for point in points[:-1]:
        spans.setdefault(min(pairs - 1, int((point.at - first) / width)), []).append(point)
    kept = [point for number in sorted(spans) for point in _extremes(spans[number])]
    return (*kept, points[-1])


def _extremes(span: t.Sequence[Point]) -> list[Point]:
    """In their order. A span without any value is one gap."""
    values = [(one.value, place) for place, one in enumerate(span) if one.value is not None]
    if not values:
        return [span[0]]
    places = {min(values)[1], max(values)[1]}
    return [span[place] for place in sorted(places)]


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
