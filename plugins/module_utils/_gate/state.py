# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a watch stands: all that a rerun goes on from, and what it tells the next watch of the release. Pure."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field, replace

from .._formats import number
from .._release.record import Comparison, Record
from .._time import of_epoch
from .cohorts import ComparisonEvidence
from .compare import compare
from .models import Metric, Sample, Series

Body = t.Mapping[str, t.Any]


def evidence_before(record: Record, guarded: Body | None = None) -> dict[str, float]:
    """By metric, {} where nothing was compared yet. `guarded` is the guard's own watch, with `began` and `evidence`.

    Of two watches the one that began later has gone on from the other, and what it found replaces that.
    """
    began, compared = newest(record)
    if guarded and guarded["began"] > began:
        results = {name: number(entry) for name, entry in guarded["evidence"].items()}
    else:
        results = {name: entry.evidence for name, entry in compared.items()}
    return {name: result for name, result in results.items() if result is not None}


def newest(record: Record) -> tuple[str, dict[str, Comparison]]:
    """When the watch began that began last, be it phase 7 or a step of the ramp, and what it compared, by metric."""
    steps = (watch.samples for watch in record.facts.ramp_watches)
    best: tuple[str, dict[str, Comparison]] = ("", {})
    for samples in (record.evidence("monitoring").metrics, *steps):
        compared = {entry.name: entry.comparison for entry in samples if entry.comparison}
        began = max((entry.started for entry in samples if entry.comparison), default="")
        if began > best[0]:
            best = (began, compared)
    return best


@dataclass(frozen=True)
class Schedule:
    """In seconds. `hold_for`: how long it guards on while it holds; `recover_for`: how long all must be good then."""

    duration: float
    interval: float = 10.0
    initial_delay: float = 0.0
    hold_for: float = 0.0
    recover_for: float = 600.0
    max_gap: float = 300.0
    """A longer time without a look begins the watch anew."""


@dataclass(frozen=True)
class WatchState:
    """`started` in seconds since 1970, every other time in seconds since then."""

    started: float
    series: t.Mapping[str, Series]
    elapsed: float = 0.0
    held: float | None = None
    """When it began to hold."""
    held_why: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()
    """Of the same reasons: what an approval of this hold covers."""
    guards_until: float | None = None
    """When it stops guarding while it holds."""
    good_since: float | None = None
    """Since when all metrics are good, while it holds."""
    ended: str = ""
    """The verdict, once there is one."""
    attempt: int = 0
    phase_started: str = ""
    """When the try of the phase began that watched last."""
    definition: str = ""
    """What was watched: samples of another question count for nothing."""
    evidence: t.Mapping[str, ComparisonEvidence] = field(default_factory=dict)
    """What each comparison of cohorts has found so far."""
    carried: t.Mapping[str, float] = field(default_factory=dict)
    """And the evidence of the watch before, with which it began: a run that goes on begins with no other."""

    @property
    def began_at(self) -> str:
        return of_epoch(self.started)

    @property
    def held_at(self) -> str:
        return "" if self.held is None else of_epoch(self.started + self.held)

    def looked(
        self, metrics: t.Sequence[Metric], observed: t.Mapping[str, Sample], at: float
    ) -> WatchState:
        evidence, judged = compare(metrics, self.evidence, observed, at)
        added = {
            metric.name: self.series[metric.name].add(judged[metric.name], metric, at)
            for metric in metrics
            if metric.name in observed
        }
        return replace(self, series={**self.series, **added}, evidence=evidence, elapsed=at)

    def unseen(self, metrics: t.Sequence[Metric], schedule: Schedule, now: float) -> WatchState:
        """The same after a time without looks.

        Those looks are missing in the watch. A hold comes after it: who waited for a person's decision missed none.
        """
        end = min(now, schedule.duration)
        missed = {
            metric.name: self.series[metric.name].miss(
                math.floor((end - self.elapsed) / metric.interval + 1e-9) - (end == now), now
            )
            for metric in metrics
            if self.held is None and not finished(metric, self.series[metric.name])
        }
        return replace(self, series={**self.series, **missed}, good_since=None, elapsed=now)


def begin(metrics: t.Sequence[Metric], started: float) -> WatchState:
    carried = {metric.name: metric.comparison.before for metric in metrics if metric.comparison}
    return WatchState(started, {metric.name: Series() for metric in metrics}, carried=carried)


def as_begun(metrics: t.Sequence[Metric], state: WatchState) -> tuple[Metric, ...]:
    """The metrics with the evidence that the watch began with. A later one may hold users that this one has seen."""
    return tuple(
        replace(metric, comparison=replace(metric.comparison, before=state.carried[metric.name]))
        if metric.comparison and metric.name in state.carried
        else metric
        for metric in metrics
    )


def finished(metric: Metric, series: Series) -> bool:
    """Whether the metric's own watch is over before the gate's."""
    return metric.count is not None and series.count >= metric.count
