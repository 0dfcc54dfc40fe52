# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at all metrics until the time is over, a breach is certain, or a person has decided."""

from __future__ import annotations

import math
import time
import typing as t
from dataclasses import dataclass, replace

from .._errors import InputError
from .._release.record import Act
from .._threads import side_by_side
from .models import Decision, Metric, Reason, Sample, SampleStatus, Verdict, failed_sample
from .sources import SampleSource
from .sources import look as look_at
from .state import Schedule, WatchState, as_begun, begin, finished
from .verdict import APPROVE, all_good, breached, covers, decide


@dataclass(frozen=True)
class WatchPlan:
    """What is watched, and when."""

    metrics: tuple[Metric, ...]
    schedule: Schedule


@dataclass(frozen=True)
class WatchStep:
    """After a look. `wait`: until so many seconds since the beginning; with a decision the watch is over."""

    state: WatchState
    wait: float = 0.0
    decision: Decision | None = None
    manual: Act | None = None


def next_step(plan: WatchPlan, state: WatchState, decision: Act | None) -> WatchStep:
    """`manual` is what a person decided of this very watch."""
    reasons = breached(plan.metrics, state.series)
    if reasons:
        return _end(state, Decision(Verdict.ROLLBACK, reasons))
    if decision is not None and decision.decision != APPROVE:
        reason = Reason(
            "", Verdict.ROLLBACK, f"{decision.by} rejected the release: {decision.reason}", None
        )
        return _end(state, Decision(Verdict.ROLLBACK, (reason,)), decision)
    if state.held is None:
        due = min(next_dues(plan, state).values(), default=math.inf)
        if due <= plan.schedule.duration:
            return WatchStep(state, due)
        # The time is over: good, or held from now on.
        judged = decide(plan.metrics, state.series)
        hold = judged.verdict is Verdict.HOLD
        return _begin_hold(plan, state, judged) if hold else _end(state, judged)
    return _hold(plan, state, decision)


def _begin_hold(plan: WatchPlan, state: WatchState, decision: Decision) -> WatchStep:
    held = replace(
        state,
        held=state.elapsed,
        held_why=tuple(reason.text for reason in decision.reasons),
        concerns=tuple(reason.concern for reason in decision.reasons),
        guards_until=state.elapsed + plan.schedule.hold_for,
        good_since=state.elapsed if all_good(plan.metrics, state.series) else None,
    )
    if plan.schedule.hold_for <= 0 or not plan.metrics:
        return _end(held, decision)
    return WatchStep(held, min(next_dues(plan, held).values()))


def _hold(plan: WatchPlan, state: WatchState, manual: Act | None) -> WatchStep:
    since = state.elapsed if state.good_since is None else state.good_since
    state = replace(state, good_since=since if all_good(plan.metrics, state.series) else None)
    decision = decide(plan.metrics, state.series)
    if manual is not None and not in_breach(plan, state):
        if not covers(manual, decision.reasons):
            return _begin_hold(plan, state, decision)
        return _end(state, Decision(Verdict.PROCEED, decision.reasons or _why(state)), manual)
    good_for = 0.0 if state.good_since is None else state.elapsed - state.good_since
    if state.good_since is not None and good_for >= plan.schedule.recover_for:
        return _end(state, Decision(Verdict.PROCEED, ()))
    due = min(next_dues(plan, state).values(), default=math.inf)
    if state.guards_until is not None and due <= state.guards_until + 1e-9:
        return WatchStep(state, due)
    return _end(state, Decision(Verdict.HOLD, decision.reasons or _why(state)))


def _why(state: WatchState) -> tuple[Reason, ...]:
    """What it held for at first."""
    return tuple(Reason("", Verdict.HOLD, text, None) for text in state.held_why)


def in_breach(plan: WatchPlan, state: WatchState) -> bool:
    """Whether a metric's last value is a breach, certain or not: no approval lets it pass."""
    return any(
        state.series[metric.name].breaches > 0
        or state.series[metric.name].status is SampleStatus.BREACH
        for metric in plan.metrics
    )


def _end(state: WatchState, decision: Decision, manual: Act | None = None) -> WatchStep:
    return WatchStep(replace(state, ended=decision.verdict.value), decision=decision, manual=manual)


def next_dues(plan: WatchPlan, state: WatchState) -> dict[str, float]:
    """When each metric is looked at next. While it holds, those too whose own watch is over."""
    return {
        metric.name: next_due(state.elapsed, metric.interval, metric.delay)
        for metric in plan.metrics
        if state.held is not None or not finished(metric, state.series[metric.name])
    }


def next_due(elapsed: float, interval: float, delay: float = 0.0) -> float:
    """The next multiple of the interval; those that a slow look has missed are left out."""
    if elapsed < delay:
        return delay
    return delay + (math.floor((elapsed - delay) / interval + 1e-9) + 1) * interval


def take_up(
    plan: WatchPlan,
    state: WatchState,
    now: float,
    *,
    phase_started: str,
    manual: Act | None,
) -> WatchState | None:
    """The watch of a run before, as this one goes on with it; None when it begins anew.

    A watch that came to its end is the run's that watched. It is taken up when that run died before it could tell, or
    when it held and somebody has decided since.
    """
    same_try = bool(phase_started) and phase_started == state.phase_started
    decided = manual is not None and state.ended in ("", Verdict.HOLD.value)
    late = now - state.elapsed > plan.schedule.max_gap
    if not decided and (late or (state.ended and not same_try)):
        return None
    observed = state.unseen(plan.metrics, plan.schedule, now)
    guards_until = state.guards_until
    if decided and state.held is not None:
        guards_until = now + plan.schedule.hold_for
    return replace(observed, ended="", guards_until=guards_until, phase_started=phase_started)


_THREADS = 8
_STANDSTILL = 60.0
"""Seconds that no look takes: the process was stopped meanwhile, as its machine may be."""


class Memory(t.Protocol):
    """What is kept of a watch beyond the process that watches."""

    def recall(self, plan: WatchPlan) -> WatchState | None:
        """Where a watch that was stopped goes on."""

    def decision_on(self, state: WatchState) -> Act | None:
        """What a person decided of it."""

    def keep(self, state: WatchState) -> None: ...


@dataclass(frozen=True)
class WatchResult:
    """At its end. `manual` is the person's decision that ended it."""

    decision: Decision
    state: WatchState
    manual: Act | None = None


def run_watch(
    metrics: t.Sequence[Metric],
    sources: t.Mapping[str, SampleSource],
    schedule: Schedule,
    *,
    report: t.Callable[[WatchState], None] = lambda _state: None,
    memory: Memory | None = None,
    clock: t.Callable[[], float] = time.monotonic,
    wall: t.Callable[[], float] = time.time,
    sleep: t.Callable[[float], None] = time.sleep,
) -> WatchResult:
    """Watch until there is a verdict. `sources` has one for each metric by name; `report` hears of every look."""
    plan = WatchPlan(tuple(metrics), schedule)
    state = memory.recall(plan) if memory else None
    if state is None:
        sleep(schedule.initial_delay)
        state = begin(metrics, wall())
    plan = WatchPlan(as_begun(metrics, state), schedule)
    shortest = min((metric.interval for metric in metrics), default=math.inf)
    zero, began = clock() - state.elapsed, state.started

    def judge(observed: WatchState) -> WatchStep:
        decision = None
        # A certain breach does not wait for an answer.
        if memory and not breached(plan.metrics, observed.series):
            decision = memory.decision_on(observed)
        step = next_step(plan, observed, decision)
        report(step.state)
        if memory:
            memory.keep(step.state)
        return step

    # All are asked at first, so that a query that cannot work is told at once.
    samples = sample_all(plan.metrics, sources, began=began, first=True)
    due = [metric for metric in plan.metrics if metric.delay <= state.elapsed]
    step = judge(state.looked(due, samples, clock() - zero))
    while step.decision is None:
        sleep(max(0.0, zero + step.wait - clock()))
        looks = max(step.wait, clock() - zero)
        dues = next_dues(plan, step.state)
        due = [entry for entry in plan.metrics if dues.get(entry.name, math.inf) <= looks + 1e-9]
        samples = sample_all(due, sources, began=began)
        at, state = clock() - zero, step.state
        if looks - step.wait >= shortest or at - looks >= _STANDSTILL:
            state = state.unseen(plan.metrics, schedule, at)
        step = judge(state.looked(due, samples, at))
    return WatchResult(step.decision, step.state, step.manual)


def sample_all(
    due: t.Sequence[Metric],
    sources: t.Mapping[str, SampleSource],
    *,
    began: float,
    first: bool = False,
) -> dict[str, Sample]:
    """A sample of each. At the `first` look a query that cannot work is an InputError."""

    def look(metric: Metric) -> Sample:
        try:
            return look_at(sources[metric.name], metric, began)
        except InputError as exc:
            # A query that never worked is a mistake in it; one that stops working is blindness.
            if first:
                raise InputError(f"Metric {metric.name!r}: {exc}") from exc
            return failed_sample(str(exc))

    return dict(
        zip([metric.name for metric in due], side_by_side(look, due, at_once=_THREADS), strict=True)
    )
