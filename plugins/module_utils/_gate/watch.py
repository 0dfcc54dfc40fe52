# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Look at all metrics every so often until the time is over or a breach is certain."""

from __future__ import annotations

import math
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Decision,
    Metric,
    Sample,
    Series,
    Verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.verdict import (
    Rules,
    breached,
    decide,
)

_THREADS = 8


class Source(t.Protocol):
    def sample(self, query: str) -> Sample: ...


@dataclass(frozen=True)
class Schedule:
    """In seconds."""

    duration: float
    interval: float
    initial_delay: float = 0.0


@dataclass(frozen=True)
class Look:
    """What is told after each look."""

    elapsed: float
    duration: float
    samples: t.Mapping[str, Sample]


@dataclass(frozen=True)
class Watch:
    decision: Decision
    series: t.Mapping[str, Series]
    seconds: float


class Watcher:
    """One watch. `sources` has one for each metric by name; `tell` hears of every look."""

    def __init__(
        self,
        metrics: t.Sequence[Metric],
        sources: t.Mapping[str, Source],
        *,
        tell: t.Callable[[Look], None],
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._metrics = metrics
        self._sources = sources
        self._tell = tell
        self._clock = clock
        self._sleep = sleep

    def run(self, schedule: Schedule, rules: Rules) -> Watch:
        series = {metric.name: Series() for metric in self._metrics}
        self._sleep(schedule.initial_delay)
        started = self._clock()
        due = 0.0
        with ThreadPoolExecutor(min(_THREADS, len(self._metrics) or 1)) as pool:
            while True:
                samples = self._look(pool, first=due == 0)
                for metric in self._metrics:
                    series[metric.name] = series[metric.name].add(
                        samples[metric.name], metric.bounds
                    )
                elapsed = self._clock() - started
                self._tell(Look(elapsed, schedule.duration, samples))
                reasons = breached(self._metrics, series, rules)
                if reasons:
                    return Watch(Decision(Verdict.ROLLBACK, reasons), series, elapsed)
                due = next_due(elapsed, schedule)
                if due > schedule.duration:
                    return Watch(decide(self._metrics, series, rules), series, elapsed)
                self._sleep(max(0.0, started + due - self._clock()))

    def _look(self, pool: ThreadPoolExecutor, *, first: bool) -> dict[str, Sample]:
        def one(metric: Metric) -> Sample:
            try:
                return self._sources[metric.name].sample(metric.query)
            except InputError as exc:
                # A query that never worked is a mistake in it; one that stops working is blindness.
                if first:
                    raise InputError(f"Metric {metric.name!r}: {exc}") from exc
                return Sample(None, str(exc))

        names = [metric.name for metric in self._metrics]
        return dict(zip(names, pool.map(one, self._metrics), strict=True))


def next_due(elapsed: float, schedule: Schedule) -> float:
    """The next multiple of the interval; those that a slow look has missed are left out."""
    return (math.floor(elapsed / schedule.interval + 1e-9) + 1) * schedule.interval
