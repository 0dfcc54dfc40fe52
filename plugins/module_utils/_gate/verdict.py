# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide proceed, hold or rollback by rule. Missing data never passes, and blindness alone never rolls back."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Decision,
    Metric,
    Reason,
    Series,
    Verdict,
)

Watched = t.Mapping[str, Series]


@dataclass(frozen=True)
class Rules:
    breaches: int
    """So many definite breaches in a row roll back."""
    max_missing: float
    """The share of samples of a metric that may be missing."""


def breached(metrics: t.Sequence[Metric], watched: Watched, rules: Rules) -> tuple[Reason, ...]:
    """The metrics that call for a rollback now, without waiting for the end of the watch."""
    found = []
    for metric in metrics:
        series = watched[metric.name]
        if series.breaches >= rules.breaches:
            value = _last_definite(series)
            found.append(
                Reason(
                    metric=metric.name,
                    verdict=Verdict.ROLLBACK,
                    text=f"{metric.name} was {metric.bounds.describe_breach(value)}{_unit(metric)} "
                    f"{series.breaches} times in a row (last {value:g})",
                    value=value,
                )
            )
    return tuple(found)


def decide(metrics: t.Sequence[Metric], watched: Watched, rules: Rules) -> Decision:
    """The verdict at the end of the watch."""
    breaches = breached(metrics, watched, rules)
    if breaches:
        return Decision(Verdict.ROLLBACK, breaches)
    doubts = [_doubt(metric, watched[metric.name], rules) for metric in metrics]
    held = tuple(
        Reason(metric.name, Verdict.HOLD, text, _last_value(watched[metric.name]))
        for metric, text in zip(metrics, doubts, strict=True)
        if text
    )
    if not metrics:
        held = (Reason("", Verdict.HOLD, "there is no metric to look at", None),)
    return Decision(Verdict.HOLD if held else Verdict.PROCEED, held)


def _doubt(metric: Metric, series: Series, rules: Rules) -> str:
    """Why the metric does not pass, empty when it does."""
    last = series.last
    if last is None or not series.count:
        return f"{metric.name} has no data ({last.problem if last else 'it was never looked at'})"
    if last.value is None:
        return f"{metric.name} has no data at the end ({last.problem})"
    if series.missing_share > rules.max_missing:
        return f"{metric.name} has no data in {series.missing} of {series.count + series.missing} samples"
    if not metric.bounds.good(last.value):
        return (
            f"{metric.name} is {last.value:g}{_unit(metric)} and should be "
            f"{metric.bounds.describe_good()}"
        )
    return "" if not metric.bounds.breached(last.value) else f"{metric.name} is in breach"


def _last_definite(series: Series) -> float:
    """The last value; for a metric in breach there is one."""
    if series.last is not None and series.last.value is not None:
        return series.last.value
    return t.cast("float", series.maximum)


def _last_value(series: Series) -> float | None:
    return series.last.value if series.last else None


def _unit(metric: Metric) -> str:
    return f" {metric.unit}" if metric.unit else ""
