# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate looks at: metrics with their bounds and limits, and the samples taken of them.

What is kept of a metric's samples, the same size after an hour as after a minute. Pure.

The course of a metric as few points, whose extremes stay. Pure.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import asdict, dataclass, field, replace
from enum import Enum

from .._decode import under
from .._errors import DeployError, InputError
from .cohorts import CohortComparison


class Verdict(Enum):
    PROCEED = "proceed"
    HOLD = "hold"
    ROLLBACK = "rollback"


class SampleStatus(Enum):
    """What a sample is. Only the first three are of a value; the others are never good and never a breach."""

    GOOD = "good"
    BETWEEN = "between"
    BREACH = "breach"
    NO_DATA = "no_data"
    ERROR = "error"

    @property
    def shown(self) -> str:
        """As progress and the record show it."""
        return "missing" if self in (SampleStatus.NO_DATA, SampleStatus.ERROR) else self.value


@dataclass(frozen=True)
class Bounds:
    """Good is from `minimum` to `maximum`; beyond `below` or `above` is a breach. None is no bound."""

    minimum: float | None = None
    maximum: float | None = None
    below: float | None = None
    above: float | None = None

    def judge(self, value: float) -> SampleStatus:
        """The one rule by which a value is judged, once, when it is taken."""
        if self.below is not None and value < self.below:
            return SampleStatus.BREACH
        if self.above is not None and value > self.above:
            return SampleStatus.BREACH
        return SampleStatus.GOOD if self.bound(value) is None else SampleStatus.BETWEEN

    @property
    def crossed(self) -> bool:
        """Whether a value could be good and a breach at once."""
        low = self.minimum is not None and self.below is not None and self.below > self.minimum
        high = self.maximum is not None and self.above is not None and self.above < self.maximum
        return low or high

    def bound(self, value: float) -> float | None:
        """The bound that the value is beyond, the worst first; None for a good value."""
        above = (self.above, self.maximum)
        below = (self.below, self.minimum)
        beyond = [entry for entry in above if entry is not None and value > entry]
        beyond += [entry for entry in below if entry is not None and value < entry]
        return beyond[0] if beyond else None

    def describe_good(self) -> str:
        limits = (("at least", self.minimum), ("at most", self.maximum))
        return " and ".join(f"{how} {bound:g}" for how, bound in limits if bound is not None)

    def describe_breach(self, value: float) -> str:
        bound = self.bound(value)
        if bound is None:
            return "beyond its bound"
        return f"{'below' if value < bound else 'above'} {bound:g}"


@dataclass(frozen=True)
class Volume:
    """What a ratio is of: with fewer than `at_least` of them it says nothing."""

    query: str
    at_least: float
    unit: str


@dataclass(frozen=True)
class Metric:
    """`interval` and `delay` in seconds, the delay from the first look of the watch.

    So many `breaches` in a row roll back, and a share of `max_missing` samples may be missing. `count`: so many samples
    with a value end its own watch, None for no such end. With a `comparison` its value is the evidence that treated
    users fail more often than the control.
    """

    name: str
    kind: str
    query: str
    unit: str
    bounds: Bounds
    breaches: int = 2
    max_missing: float = 0.1
    count: int | None = None
    interval: float = 10.0
    delay: float = 0.0
    volume: Volume | None = None
    cohorts: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    """By cohort its queries, `seen` and `failed`."""
    comparison: CohortComparison | None = None

    def judge(self, sample: Sample) -> SampleStatus:
        if sample.judged:
            return SampleStatus(sample.judged)
        if sample.value is None:
            return SampleStatus.ERROR if sample.error else SampleStatus.NO_DATA
        return self.bounds.judge(sample.value)


@dataclass(frozen=True)
class Sample:
    """One look at a metric. Without a value, `problem` says why: no data is not the same as a good value.

    `error`: the source failed, or gave what is no number, instead of having nothing to tell. `note` is what the
    value is about, and `judged` the status that its source gives it, "" for that of the bounds. `counts` are
    what a comparison is made of, and `series` the values by labels of an answer that has any.
    """

    value: float | None = None
    problem: str = ""
    error: bool = field(default=False, compare=False)
    note: str = ""
    judged: str = ""
    counts: t.Mapping[str, float] | None = field(default=None, compare=False)
    series: t.Mapping[str, float] = field(default_factory=dict, compare=False)


def failed_sample(problem: str) -> Sample:
    return Sample(None, problem, error=True)


def missing_on_failure(look: t.Callable[..., Sample]) -> t.Callable[..., Sample]:
    """Of a source that fails the sample is missing, with the reason. An InputError is a wrong query, and goes on."""

    @functools.wraps(look)
    def sample(*given: t.Any) -> Sample:
        try:
            return look(*given)
        except InputError:
            raise
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))

    return sample


@dataclass(frozen=True)
class Reason:
    """Why a metric keeps the gate from proceeding. `bound` is what the value is beyond.

    `concern`: what an approval covers, the metric with whether its data or its value is in doubt: texts have figures.
    """

    metric: str
    verdict: Verdict
    text: str
    value: float | None
    bound: float | None = None
    query: str = ""
    count: int = 0
    concern: str = ""

    def to_result(self) -> dict[str, t.Any]:
        result = {**asdict(self), "verdict": self.verdict.value}
        del result["concern"]
        return result


@dataclass(frozen=True)
class Decision:
    verdict: Verdict
    reasons: tuple[Reason, ...]


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
    remaining = [point for number in sorted(spans) for point in _extremes(spans[number])]
    return (*remaining, points[-1])


def _extremes(span: t.Sequence[Point]) -> list[Point]:
    """In their order. A span without any value is one gap."""
    values = [(entry.value, place) for place, entry in enumerate(span) if entry.value is not None]
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
    status: SampleStatus = under("status", "mark", default=SampleStatus.NO_DATA)  # noqa: RUF009 - frozen
    breaches: int = 0
    """Definite samples in a row, up to the last definite one, that were breaches."""
    points: tuple[Point, ...] = ()

    @property
    def missing_share(self) -> float:
        return self.missing / max(1, self.count + self.missing)

    def add(self, sample: Sample, metric: Metric, at: float = 0.0) -> Series:
        status, value = metric.judge(sample), sample.value
        points = add_point(self.points, Point(at, value, status.shown))
        longer = replace(self, last=sample, status=status, points=points)
        if value is None:
            # A gap neither confirms a breach nor ends one.
            return replace(longer, missing=self.missing + 1)
        return replace(
            longer,
            count=self.count + 1,
            minimum=value if self.minimum is None else min(self.minimum, value),
            maximum=value if self.maximum is None else max(self.maximum, value),
            total=self.total + value,
            value=value,
            breaches=self.breaches + 1 if status is SampleStatus.BREACH else 0,
        )

    def miss(self, looks: int, at: float) -> Series:
        """So many missed looks, up to that second."""
        if looks <= 0:
            return self
        unseen, status = Sample(None, "the watch did not look"), SampleStatus.NO_DATA
        points = add_point(self.points, Point(at, None, status.shown))
        missing = self.missing + looks
        return replace(self, missing=missing, last=unseen, status=status, points=points)
