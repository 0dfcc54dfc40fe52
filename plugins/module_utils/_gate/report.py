# SPDX-License-Identifier: GPL-3.0-or-later
"""A watch in words and numbers: while it goes on, at its end, and as the failure that a verdict may be."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._decode import encoded
from .._formats import number
from .._release.record import RecordedMetric
from .._time import of_epoch
from . import compare
from .compare import could_see
from .models import Bounds, Metric, Point, Reason, SampleStatus, Series, Verdict, thin
from .state import WatchState
from .verdict import decide, decision_result
from .watch import WatchResult

_AFTERWARDS = {
    Verdict.HOLD: "Fix it or wait for data, then {again}",
    Verdict.ROLLBACK: "Roll back, or fix the cause and {again}",
}
_NEWEST = ("name", "unit", "status", "last")
_SIGNS = {SampleStatus.BREACH: "!!", SampleStatus.BETWEEN: "!"}


def describe_end(metrics: t.Sequence[Metric], watch: WatchResult, *, kept_as: str) -> str:
    """Why the verdict is as it is, and what to do about it. `kept_as`: the gate of which people decide, "" for none."""
    evidence = f" {sentence}" if (sentence := sensitivity(metrics, watch)) else ""
    verdict = watch.decision.verdict
    reasons = "; ".join(_said_once(watch.decision.reasons))
    if verdict is not Verdict.PROCEED:
        more = ""
        if verdict is Verdict.HOLD and kept_as:
            command = f"playbooks/decide.yml {approve_options(kept_as)}"
            more = f"; or decide with {command} (or reject), then run it again"
        # Without a memory it is no watch of a phase.
        again = "run the same phase again" if kept_as else "watch again"
        return f"{reasons}. {_AFTERWARDS[verdict].format(again=again)}{more}."
    if watch.manual:
        return (
            f"Proceed: {watch.manual.by} approved ({watch.manual.reason}) that {reasons}.{evidence}"
        )
    good = "all metrics are good"
    if watch.state.elapsed < 1:
        return f"Proceed: {good} in one look.{evidence}"
    return f"Proceed: {good} after {watch.state.elapsed:.0f} s.{evidence}"


def sensitivity(metrics: t.Sequence[Metric], watch: WatchResult) -> str:
    """Which harm the comparisons of this watch could have seen, for a proceed is worth no more. Empty without any."""
    sentences = [
        f"{metric.name} {could_see(metric.comparison, evidence)}"
        for metric in metrics
        if metric.comparison and (evidence := watch.state.evidence.get(metric.name))
    ]
    return f"{'; '.join(sentences)}." if sentences else ""


def _said_once(reasons: t.Sequence[Reason]) -> list[str]:
    """What is the same of several metrics is said of all of them: a lost Prometheus takes every metric along."""
    metrics: dict[str, list[str]] = {}
    for reason in reasons:
        metrics.setdefault(reason.text.removeprefix(reason.metric), []).append(reason.metric)
    return [
        f"{', '.join(names)}{text.replace(' has ', ' have ', 1) if names[1:] else text}"
        if text.startswith(" ")
        else text
        for text, names in metrics.items()
    ]


def approve_options(gate: str) -> str:
    """What a person types behind the playbook that decides."""
    of = f"-e monitoring_gate={gate} " if gate != "monitoring" else ""
    return f"{of}-e decision=approve -e by=$USER -e \"reason='WHY'\""


def describe_look(metrics: t.Sequence[Metric], state: WatchState, duration: float) -> str:
    shown = ", ".join(f"{metric.name} {_shown(state.series[metric.name])}" for metric in metrics)
    if state.held is not None:
        return f"on hold after {duration:.0f} s; still watching at {state.elapsed:.0f} s: {shown}"
    return f"watched {state.elapsed:.0f} of {duration:.0f} s: {shown}"


def look_data(metrics: t.Sequence[Metric], state: WatchState, duration: float) -> dict[str, t.Any]:
    """What callbacks hear of a look: of each metric what is newest."""
    return {
        "elapsed": state.elapsed,
        "duration": duration,
        "metrics": [_newest(metric, state.series[metric.name]) for metric in metrics],
        "holding": state.held is not None,
    }


def _newest(metric: Metric, series: Series) -> dict[str, t.Any]:
    """Without its points: each look tells it, and a long watch has thousands of them."""
    last = series.last.value if series.last else None
    shown = encoded(
        RecordedMetric(metric.name, metric.unit, status=series.status.shown, newest=last)
    )
    return {key: shown[key] for key in _NEWEST}


def _shown(series: Series) -> str:
    if series.last is None or series.last.value is None:
        return "no data"
    return f"{series.last.value:.3g}{_SIGNS.get(series.status, '')}"


def describe_watch(
    metrics: t.Sequence[Metric], watch: WatchResult, *, kept_as: str = ""
) -> dict[str, t.Any]:
    state = watch.state
    held = {} if state.held is None else {"since": state.held_at, "reasons": list(state.held_why)}
    span = {"started": state.began_at, "ended": of_epoch(state.started + state.elapsed)}
    return {
        "changed": False,
        "verdict": watch.decision.verdict.value,
        "sentence": describe_end(metrics, watch, kept_as=kept_as),
        "reasons": [{**reason.to_result(), **span} for reason in watch.decision.reasons],
        "decision": decision_result(watch.manual) if watch.manual else {},
        "samples": [encoded(_recorded(metric, watch)) for metric in metrics],
        "duration": round(watch.state.elapsed, 1),
        **span,
        "sensitivity": sensitivity(metrics, watch),
        "held": held,
    }


def _recorded(metric: Metric, watch: WatchResult) -> RecordedMetric:
    series, evidence = watch.state.series[metric.name], watch.state.evidence.get(metric.name)
    return replace(
        measured(unmeasured(metric), series),
        verdict=decide([metric], watch.state.series).verdict.value,
        started=watch.state.began_at,
        comparison=compare.compared(metric.comparison, evidence, watch.state.elapsed)
        if metric.comparison and evidence
        else None,
    )


# --- a metric as a record has it --------------------------------------------------------------------------------------


def unmeasured(metric: Metric) -> RecordedMetric:
    """Before anything is known of it."""
    bounds = metric.bounds
    return RecordedMetric(
        name=metric.name,
        unit=metric.unit,
        query=metric.query,
        kind=metric.kind,
        minimum=bounds.minimum,
        maximum=bounds.maximum,
        below=bounds.below,
        above=bounds.above,
    )


def measured(metric: RecordedMetric, series: Series) -> RecordedMetric:
    """With what was seen of it."""
    last = series.last
    return replace(
        metric,
        status=series.status.shown,
        problem=last.problem if last else "",
        newest=last.value if last else None,
        lowest=series.minimum,
        highest=series.maximum,
        mean=series.total / series.count if series.count else None,
        count=series.count,
        missing=series.missing,
        points=thin(series.points),
    )


def bounds_of(metric: RecordedMetric) -> Bounds:
    """What is no number is no bound."""
    return Bounds(metric.minimum, metric.maximum, metric.below, metric.above)


def judged_as(metric: RecordedMetric) -> str:
    """Of the last sample: good, between, breach or missing, and "" without a judgement."""
    return metric.status or _judged(metric.newest, bounds_of(metric))


def course_of(metric: RecordedMetric) -> list[Point]:
    """In the order of time; what is no point is left out."""
    result, bounds = [], bounds_of(metric)
    for entry in metric.points if isinstance(metric.points, list) else []:
        if isinstance(entry, (list, tuple)) and len(entry) in (2, 3):
            moment, value = number(entry[0]), number(entry[1])
            if moment is not None and moment >= 0:
                status = str(entry[2]) if len(entry) == 3 else _judged(value, bounds)
                result.append(Point(moment, value, status))
    return sorted(result, key=lambda point: point.at)


def _judged(value: float | None, bounds: Bounds) -> str:
    if value is None:
        return SampleStatus.NO_DATA.shown
    return "" if bounds == Bounds() else bounds.judge(value).shown
