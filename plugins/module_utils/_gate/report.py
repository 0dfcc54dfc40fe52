# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A watch in words and numbers: while it goes on, at its end, and as the failure that a verdict may be."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Metric,
    Series,
    Verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import Look, Watch


class HoldError(DeployError):
    reason = "Hold"


class RollbackError(DeployError):
    reason = "Rollback"


_AFTERWARDS = {
    Verdict.HOLD: (HoldError, "Put it right or wait for the data, then run the same phase again"),
    Verdict.ROLLBACK: (RollbackError, "Roll back, or find the cause and run the same phase again"),
}


def refuse_verdict(watch: Watch, result: dict[str, t.Any], fail_on: t.Collection[str]) -> None:
    """Raise when the verdict is one of `fail_on`, with what to do about it."""
    verdict = watch.decision.verdict
    if verdict.value in fail_on:
        error, advice = _AFTERWARDS[verdict]
        reasons = "; ".join(reason.text for reason in watch.decision.reasons)
        raise error(f"{verdict.value.capitalize()}: {reasons}. {advice}.", **result)


def describe_look(metrics: t.Sequence[Metric], look: Look) -> str:
    shown = ", ".join(
        f"{metric.name} {_shown(metric, look.samples[metric.name].value)}" for metric in metrics
    )
    return f"watched {look.elapsed:.0f} of {look.duration:.0f} s: {shown}"


def _shown(metric: Metric, value: float | None) -> str:
    if value is None:
        return "no data"
    marks = "!!" if metric.bounds.breached(value) else "" if metric.bounds.good(value) else "!"
    return f"{value:.3g}{marks}"


def describe_watch(metrics: t.Sequence[Metric], watch: Watch) -> dict[str, t.Any]:
    return {
        "changed": False,
        "verdict": watch.decision.verdict.value,
        "reasons": [reason.to_result() for reason in watch.decision.reasons],
        "samples": [_describe_series(metric, watch.series[metric.name]) for metric in metrics],
        "duration": round(watch.seconds, 1),
    }


def _describe_series(metric: Metric, series: Series) -> dict[str, t.Any]:
    last = series.last
    return {
        "name": metric.name,
        "unit": metric.unit,
        "query": metric.query,
        "count": series.count,
        "missing": series.missing,
        "min": series.minimum,
        "max": series.maximum,
        "mean": series.mean,
        "last": last.value if last else None,
        "problem": last.problem if last else "",
    }
