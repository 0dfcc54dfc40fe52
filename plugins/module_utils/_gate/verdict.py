# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide proceed, hold or rollback by rule. Missing data never passes, and blindness alone never rolls back. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .models import Decision, Metric, Reason, SampleStatus, Verdict
from .series import Series

Watched = t.Mapping[str, Series]
DATA, VALUE = "data", "value"


def breached(metrics: t.Sequence[Metric], watched: Watched) -> tuple[Reason, ...]:
    """The metrics that call for a rollback now, without waiting for the end of the watch."""
    found = []
    for metric in metrics:
        series = watched[metric.name]
        text = _breach(metric, series)
        if text:
            found.append(reason(metric, series, Verdict.ROLLBACK, text, series.value))
    return tuple(found)


def decide(metrics: t.Sequence[Metric], watched: Watched) -> Decision:
    """The verdict at the end of the watch."""
    breaches = breached(metrics, watched)
    if breaches:
        return Decision(Verdict.ROLLBACK, breaches)
    held = []
    for metric in metrics:
        series = watched[metric.name]
        text, concern = _missing_data(metric, series), DATA
        if not text:
            text, concern = _unclear_value(metric, series), VALUE
        if text:
            value = series.last.value if series.last else None
            doubt = reason(metric, series, Verdict.HOLD, text, value)
            held.append(replace(doubt, concern=f"{metric.name} {concern}"))
    if not metrics:
        held = [Reason("", Verdict.HOLD, "there is no metric", None)]
    return Decision(Verdict.HOLD if held else Verdict.PROCEED, tuple(held))


def all_good(metrics: t.Sequence[Metric], watched: Watched) -> bool:
    """Whether what is known of each metric now is good, whatever was before."""
    return bool(metrics) and all(
        watched[metric.name].status is SampleStatus.GOOD for metric in metrics
    )


def reason(
    metric: Metric, series: Series, verdict: Verdict, text: str, value: float | None
) -> Reason:
    bound = metric.bounds.bound(value) if value is not None else None
    return Reason(metric.name, verdict, text, value, bound, metric.query, series.count)


def _breach(metric: Metric, series: Series) -> str:
    """Why the metric rolls back, empty when it does not."""
    if series.value is None or series.breaches < metric.limits.breaches:
        return ""
    if series.last and series.last.note:
        return series.last.note
    return (
        f"{metric.name} was {metric.bounds.describe_breach(series.value)}{_unit(metric)} "
        f"{series.breaches} times in a row (last {series.value:g})"
    )


def _missing_data(metric: Metric, series: Series) -> str:
    """Why there are too few values to judge the metric, empty when there are enough."""
    limits, last = metric.limits, series.last
    if last is None or not series.count or series.value is None:
        return f"{metric.name} has no data ({last.problem if last else 'it was never sampled'})"
    if last.value is None:
        return f"{metric.name} has no data at the end ({last.problem})"
    if series.missing_share > limits.max_missing:
        return f"{metric.name} has no data in {series.missing} of {series.count + series.missing} samples"
    if limits.count is not None and series.count < limits.count:
        return f"{metric.name} has {series.count} of {limits.count} samples"
    return ""


def _unclear_value(metric: Metric, series: Series) -> str:
    """Why a metric with data does not pass, empty when it does."""
    if series.status is SampleStatus.GOOD or series.value is None:
        return ""
    if series.last and series.last.note:
        return series.last.note
    should = metric.bounds.describe_good() or f"not {metric.bounds.describe_breach(series.value)}"
    return f"{metric.name} is {series.value:g}{_unit(metric)} and should be {should}"


def _unit(metric: Metric) -> str:
    return f" {metric.unit}" if metric.unit else ""
