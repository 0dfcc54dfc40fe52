# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics as M(easymo.deploy.metrics_gate) judges them, at one look at which all have data."""

from __future__ import annotations

import typing as t

from .._gate.models import Metric, SampleStatus, Verdict
from .._gate.options import ONE_LOOK, metric_options, read_metric, refuse_bad_input
from .._gate.series import Series
from .._gate.sources import LIBRARIES, sources_of
from .._gate.state import Schedule
from .._gate.watch import Watcher, WatchResult
from .._options import monitoring_options
from .._report.times import quantity
from .._time import Deadline
from .models import Finding, Kind, Row


def run(options: Row) -> Finding:
    """A definite breach fails, a value between its bounds holds, and so does what is missing after all that waiting."""
    wanted = [read_metric(entry, ONE_LOOK) for entry in options["metrics"]]
    refuse_bad_input({**options, **ONE_LOOK}, wanted)
    deadline = Deadline(options["wait_timeout"])
    while True:
        watch = _look(wanted, options)
        lacking = any(watch.series[metric.name].value is None for metric in wanted)
        if not (lacking and _only_missing(wanted, watch)) or deadline.left() < _WAIT_SLEEP:
            return _finding(wanted, watch, skips=options["missing"] == "skip")
        deadline.sleep(_WAIT_SLEEP)


def _look(wanted: t.Sequence[Metric], options: Row) -> WatchResult:
    watcher = Watcher(wanted, sources_of(options), report=lambda _look: None)
    return watcher.run(Schedule(duration=0))


def _finding(wanted: t.Sequence[Metric], watch: WatchResult, *, skips: bool) -> Finding:
    steps = tuple(_metric_row(metric, watch.series[metric.name]) for metric in wanted)
    seen = ", ".join(f"{step['name']} {step['evidence']}" for step in steps)
    reasons = "; ".join(reason.text for reason in watch.decision.reasons)
    if watch.decision.verdict is Verdict.ROLLBACK:
        return Finding("fail", reasons, steps)
    if watch.decision.verdict is Verdict.PROCEED:
        return Finding("pass", seen, steps)
    if skips and _only_missing(wanted, watch):
        return Finding("skip", f"no data is no pass: {reasons}", steps)
    return Finding("hold", reasons, steps)


_WAIT_SLEEP = 2.0
"""Seconds between two looks while data are missing."""


def _only_missing(wanted: t.Sequence[Metric], watch: WatchResult) -> bool:
    """Whether every metric that has a value is good."""
    series = [watch.series[metric.name] for metric in wanted]
    return all(one.value is None or one.status is SampleStatus.GOOD for one in series)


_OUTCOMES = {
    SampleStatus.GOOD: "pass",
    SampleStatus.BETWEEN: "fail",
    SampleStatus.BREACH: "fail",
}


def _metric_row(metric: Metric, series: Series) -> dict[str, t.Any]:
    value, last = series.value, series.last
    shown = quantity(value, metric.unit)
    problem = f" ({last.problem})" if last and last.problem else ""
    return {
        "name": metric.name,
        "outcome": _OUTCOMES.get(series.status, "hold"),
        "value": value,
        "unit": metric.unit,
        "evidence": shown + problem,
    }


KIND = Kind(
    run,
    {
        "metrics": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": metric_options(),
        },
        "missing": {"type": "str", "choices": ["hold", "skip"], "default": "hold"},
        "wait_timeout": {"type": "float", "default": 0},
        "prometheus": {"type": "dict", "options": monitoring_options()},
        "query_timeout": {"type": "float", "default": 10},
    },
    libraries=lambda options: [LIBRARIES[entry["kind"]] for entry in options["metrics"]],
    intention=lambda options: (
        f"would sample {', '.join(one['name'] for one in options['metrics'])}"
    ),
)
