# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Fetch what a comparison with the time before the release needs, every so often."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .comparison import Baseline, Comparison, blind, compare
from .models import Metric
from .state import WatchState


class Historian(t.Protocol):
    def values(
        self, query: str, begin: float, end: float, step: float
    ) -> tuple[list[float], str]: ...


@dataclass
class Comparer:
    """`released`: when the release began, in seconds since 1970; None for when the watch did."""

    metrics: t.Sequence[Metric]
    sources: t.Mapping[str, t.Any]
    released: float | None = None
    # What was before does not change any more.
    _before: dict[str, list[float]] = field(default_factory=dict)

    def compare(self, state: WatchState) -> WatchState:
        due = {
            one: one.baseline
            for one in self.metrics
            if one.baseline
            and state.elapsed >= state.compared_at.get(one.name, 0.0) + one.baseline.interval
        }
        if not due:
            return state
        found = {one.name: self._one(one, baseline, state) for one, baseline in due.items()}
        compared = {**state.compared, **found}
        compared_at = {**state.compared_at, **{one.name: state.elapsed for one in due}}
        return replace(state, compared=compared, compared_at=compared_at)

    def _one(self, metric: Metric, baseline: Baseline, state: WatchState) -> Comparison:
        last = state.compared.get(metric.name, Comparison())
        source: Historian = self.sources[metric.name]
        if metric.name not in self._before:
            end = baseline.before or self.released or state.started
            values, problem = source.values(metric.query, end - baseline.window, end, baseline.step)
            if problem:
                return blind(last, problem)
            self._before[metric.name] = values
        begin, end = state.started, state.started + state.elapsed
        values, problem = source.values(metric.query, begin, end, baseline.step)
        if problem:
            return blind(last, problem)
        return compare(last, baseline, self._before[metric.name], values)
