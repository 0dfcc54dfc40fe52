# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a gate, and what their types cannot say about them."""

from __future__ import annotations

import re
import typing as t

from .._errors import InputError
from .._module import refuse_below, refuse_twice
from .cohort_options import refuse_bad_comparisons
from .http_json import read_pointer
from .models import Bounds, Limits, Metric, Volume

PROMETHEUS, POSTGRES, LOG, ALERTS = "prometheus", "postgres", "kubernetes_log", "alerts"
HTTP, FUNCTION_LOG = "http", "function_log"
KINDS = (PROMETHEUS, POSTGRES, LOG, ALERTS, HTTP, FUNCTION_LOG)

ONE_LOOK: t.Mapping[str, float] = {
    "duration": 0,
    "initial_delay": 0,
    "breaches": 1,
    "max_missing": 0,
    "interval": 1,
}
"""What a metric without its own gets from a gate, for which one look is all."""


METRIC_RULES: t.Mapping[str, t.Any] = {
    "mutually_exclusive": [("query", "treated"), ("volume", "treated"), ("count", "treated")],
    "required_one_of": [("query", "treated")],
    "required_together": [("treated", "control")],
    "required_if": [
        ("kind", POSTGRES, ["connection"]),
        ("kind", LOG, ["deployment"]),
        ("kind", HTTP, ["url"]),
        ("kind", FUNCTION_LOG, ["functions", "supabase"]),
    ],
}
"""What a metric that is watched needs together."""


def read_metrics(params: t.Mapping[str, t.Any]) -> list[Metric]:
    """Of the options of a gate. Raises InputError for what their types cannot say."""
    metrics = [read_metric(entry, params) for entry in params["metrics"]]
    refuse_bad_input(params, metrics)
    refuse_bad_comparisons(params, metrics)
    return metrics


def read_metric(entry: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any]) -> Metric:
    """`params` has the gate's own `interval`, `breaches` and `max_missing`, for a metric without."""
    good, bad = (entry.get(name) or {} for name in ("pass", "rollback"))
    bounds = Bounds(
        minimum=good.get("min"),
        maximum=good.get("max"),
        below=bad.get("below"),
        above=bad.get("above"),
    )
    return Metric(
        name=entry["name"],
        kind=entry["kind"],
        query=entry.get("query") or "",
        unit=entry["unit"],
        bounds=bounds,
        limits=_read_limits(entry, params),
        interval=_given(entry, params, "interval"),
        # One look waits for no metric.
        delay=entry.get("initial_delay") or 0.0 if params.get("duration") else 0.0,
        volume=Volume(**entry["volume"]) if entry.get("volume") else None,
    )


def _read_limits(entry: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any]) -> Limits:
    return Limits(
        breaches=_given(entry, params, "breaches"),
        max_missing=_given(entry, params, "max_missing"),
        count=entry.get("count"),
    )


def _given(entry: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any], option: str) -> t.Any:
    return params[option] if entry.get(option) is None else entry[option]


def refuse_bad_input(params: t.Mapping[str, t.Any], metrics: t.Sequence[Metric]) -> None:
    refuse_twice("Metrics", metrics)
    kinds = {metric.kind for metric in metrics}
    if kinds & {PROMETHEUS, ALERTS} and not params["prometheus"]:
        raise InputError("Option 'prometheus' is missing, and metrics need Prometheus.")
    refuse_below(params, duration=0, initial_delay=0)
    if params["query_timeout"] <= 0:
        raise InputError(
            f"Option 'query_timeout' is {params['query_timeout']:g}; it is more than 0."
        )
    for metric in metrics:
        _refuse_bad_metric(metric, params["duration"])


def refuse_bad_keeping(params: t.Mapping[str, t.Any], metrics: t.Sequence[Metric]) -> None:
    refuse_below(params, hold_for=0, recover_for=0, max_gap=0)
    if params["kubernetes"]:
        return
    if params["release"]:
        raise InputError(
            "Option 'kubernetes' is missing: with 'release' the watch is stored there."
        )
    if any(metric.kind == LOG for metric in metrics):
        raise InputError("Option 'kubernetes' is missing, and metrics read logs there.")


def _refuse_bad_metric(metric: Metric, duration: float) -> None:
    name, limits = f"metric {metric.name!r}", metric.limits
    if metric.bounds.crossed:
        raise InputError(f"The bounds of {name} cross: a value would pass and be a breach at once.")
    if metric.interval <= 0:
        raise InputError(f"The 'interval' of {name} is {metric.interval:g}; it is more than 0.")
    if not 0 <= metric.delay <= duration:
        raise InputError(
            f"The 'initial_delay' of {name} is {metric.delay:g}; it is from 0 to the watch's {duration:g} s."
        )
    for option, value in (("breaches", limits.breaches), ("count", limits.count)):
        if value is not None and value < 1:
            raise InputError(f"Option {option!r} of {name} is {value}; it is at least 1.")
    if not 0 <= limits.max_missing <= 1:
        raise InputError(
            f"Option 'max_missing' of {name} is {limits.max_missing:g}; it is from 0 to 1."
        )
    if metric.volume and metric.volume.at_least <= 0:
        raise InputError(
            f"Option 'at_least' of the volume of {name} is {metric.volume.at_least:g}; it is more than 0."
        )
    if not metric.query:
        return  # it counts users, by queries of its own
    if metric.kind in (LOG, FUNCTION_LOG):
        read_pattern(metric.query)
    if metric.kind == HTTP:
        read_pointer(metric.query)
    if metric.kind == ALERTS and not alert_names(metric.query):
        raise InputError(f"The 'query' of {name} names no alert: give their names with | between.")


def alert_names(query: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in query.split("|") if name.strip())


def read_pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as exc:
        raise InputError(f"{text!r} is not a regular expression: {exc}.") from exc
