# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Look at all metrics every so often until the time is over, a breach is certain, or a person has decided."""

from __future__ import annotations

import math
import time
import typing as t
from dataclasses import dataclass

from .._errors import InputError
from .._threads import side_by_side
from .cohort_source import CohortSource
from .manual_decision import ManualDecision
from .models import Decision, Metric, Sample, SampleStatus, failed_sample
from .schedule import Step, WatchPlan, due_now, next_step
from .series import Series
from .state import Schedule, WatchState, as_begun, begin
from .verdict import breached

_THREADS = 8
_STANDSTILL = 60.0
"""Seconds that no look takes: the process was stopped meanwhile, as its machine may be."""


class Source(t.Protocol):
    def sample(self, query: str) -> Sample: ...


Sources = t.Mapping[str, "Source | CohortSource"]


class Memory(t.Protocol):
    """What is kept of a watch beyond the process that watches."""

    def recall(self, plan: WatchPlan) -> WatchState | None:
        """Where a watch that was stopped goes on."""

    def said(self, state: WatchState) -> ManualDecision | None:
        """What a person decided of it."""

    def keep(self, state: WatchState) -> None: ...


@dataclass(frozen=True)
class Measurement:
    """What is told after each look: of every metric the last sample, of whenever that was."""

    elapsed: float
    duration: float
    samples: t.Mapping[str, Sample]
    statuses: t.Mapping[str, SampleStatus]
    holding: bool = False


@dataclass(frozen=True)
class WatchResult:
    """At its end. `said` is the person's decision that ended it."""

    decision: Decision
    state: WatchState
    said: ManualDecision | None = None

    @property
    def series(self) -> t.Mapping[str, Series]:
        return self.state.series

    @property
    def seconds(self) -> float:
        return self.state.elapsed


class Watcher:
    """One watch. `sources` has one for each metric by name; `report` hears of every look."""

    def __init__(
        self,
        metrics: t.Sequence[Metric],
        sources: Sources,
        *,
        report: t.Callable[[Measurement], None],
        memory: Memory | None = None,
        clock: t.Callable[[], float] = time.monotonic,
        wall: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._metrics = tuple(metrics)
        self._sources = sources
        self._report = report
        self._memory = memory
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._shortest = min((one.interval for one in metrics), default=math.inf)

    def run(self, schedule: Schedule) -> WatchResult:
        state = self._begin(WatchPlan(self._metrics, schedule))
        self._metrics = as_begun(self._metrics, state)
        plan = WatchPlan(self._metrics, schedule)
        zero = self._clock() - state.elapsed
        # All are asked at first, so that a query that cannot work is told at once.
        seen = self._look(self._metrics, state, first=True)
        due = [one for one in self._metrics if one.delay <= state.elapsed]
        step = self._judge(plan, state.looked(due, seen, self._clock() - zero))
        while step.decision is None:
            self._sleep(max(0.0, zero + step.wait - self._clock()))
            began = max(step.wait, self._clock() - zero)
            due = due_now(plan, step.state, began)
            seen = self._look(due, step.state)
            at, state = self._clock() - zero, step.state
            if began - step.wait >= self._shortest or at - began >= _STANDSTILL:
                state = state.unseen(self._metrics, schedule, at)
            step = self._judge(plan, state.looked(due, seen, at))
        return WatchResult(step.decision, step.state, step.said)

    def _look(
        self,
        due: t.Sequence[Metric],
        state: WatchState,
        *,
        first: bool = False,
    ) -> dict[str, Sample]:
        return sample_all(due, self._sources, began=state.started, wall=self._wall, first=first)

    def _begin(self, plan: WatchPlan) -> WatchState:
        if self._memory is not None:
            state = self._memory.recall(plan)
            if state is not None:
                return state
        self._sleep(plan.schedule.initial_delay)
        return begin(self._metrics, self._wall())

    def _judge(self, plan: WatchPlan, state: WatchState) -> Step:
        said = None
        # A certain breach waits for nobody's answer.
        if self._memory and not breached(self._metrics, state.series):
            said = self._memory.said(state)
        step = next_step(plan, state, said)
        self._show(step.state, plan.schedule)
        if self._memory:
            self._memory.keep(step.state)
        return step

    def _show(self, state: WatchState, schedule: Schedule) -> None:
        unseen = Sample(None, "it was not sampled yet")
        samples = {name: one.last or unseen for name, one in state.series.items()}
        statuses = {name: one.status for name, one in state.series.items()}
        holding = state.held is not None
        self._report(Measurement(state.elapsed, schedule.duration, samples, statuses, holding))


def sample_all(
    due: t.Sequence[Metric],
    sources: Sources,
    *,
    began: float,
    wall: t.Callable[[], float],
    first: bool = False,
) -> dict[str, Sample]:
    """A sample of each. At the `first` look a query that cannot work is an InputError."""

    def one(metric: Metric) -> Sample:
        source = sources[metric.name]
        try:
            if isinstance(source, CohortSource):
                share = metric.comparison.share if metric.comparison else None
                return source.count(began, wall(), share)
            return source.sample(metric.query)
        except InputError as exc:
            # A query that never worked is a mistake in it; one that stops working is blindness.
            if first:
                raise InputError(f"Metric {metric.name!r}: {exc}") from exc
            return failed_sample(str(exc))

    return dict(
        zip([metric.name for metric in due], side_by_side(one, due, at_once=_THREADS), strict=True)
    )
