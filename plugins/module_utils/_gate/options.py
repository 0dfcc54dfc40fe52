# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a gate, and what their types cannot say about them."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import dataclass, field, replace

from .. import _http
from .._errors import InputError
from .._formats import number
from .._module import refuse_below, refuse_twice
from .cohorts import CohortComparison, blamed
from .models import Bounds, Metric, Sample, Volume, failed_sample, missing_on_failure

_LARGEST = 1 << 20
"""Bytes of an answer, which has a count in it."""


@dataclass(frozen=True)
class HttpSource:
    """`timeout` in seconds. Whatever is answered but one number is a missing sample."""

    url: str
    timeout: float
    token: str = field(default="", repr=False)
    ca_cert: str | None = None

    @missing_on_failure
    def sample(self, query: str) -> Sample:
        where = _http.without_query(self.url)
        answer = _http.ask(
            where,
            "GET",
            self.url,
            timeout=self.timeout,
            authorization=_http.bearer(self.token),
            ca_cert=self.ca_cert,
            largest=_LARGEST,
            headers={"Accept": "application/json"},
        )
        _http.good(answer, where, secret=self.token)
        try:
            document = answer.json()
        except ValueError:
            return failed_sample(f"{where} answered without JSON")
        return number_at(document, query)


def read_pointer(text: str) -> list[str]:
    """The names of a JSON Pointer (RFC 6901), such as "/count/value"; empty for the whole document."""
    if text and not text.startswith("/"):
        raise InputError(
            f"{text!r} is not a JSON Pointer: write the names on the way to the number, each after a slash, "
            "as '/count/value'."
        )
    return [name.replace("~1", "/").replace("~0", "~") for name in text.split("/")[1:]]


def number_at(document: t.Any, pointer: str) -> Sample:
    result = document
    for name in read_pointer(pointer):
        inner = dict(enumerate(result)) if isinstance(result, list) else result
        key = int(name) if isinstance(result, list) and name.isdecimal() else name
        if not isinstance(inner, dict) or key not in inner:
            return failed_sample(f"the answer has nothing at {pointer}")
        result = inner[key]
    if result is None:
        return Sample(None, f"{pointer} is null")
    if isinstance(result, bool) or not isinstance(result, (int, float)):
        return failed_sample(f"{pointer} is no number")
    if not math.isfinite(result):
        return failed_sample(f"{pointer} is {result}")
    return Sample(float(result))


COHORTS = ("treated", "control")
_COUNTING = ("prometheus", "postgres")
"""The kinds that can count users."""


def with_comparisons(metrics: t.Sequence[Metric], params: t.Mapping[str, t.Any]) -> list[Metric]:
    """The metrics of `params`, with how those are compared that count users."""
    entries = params["metrics"]
    before = _before(params, [entry["name"] for entry in entries if entry["treated"]])
    return [
        _compared(metric, entry, params, before) if entry["treated"] else metric
        for metric, entry in zip(metrics, entries, strict=True)
    ]


def _compared(
    metric: Metric,
    entry: t.Mapping[str, t.Any],
    params: t.Mapping[str, t.Any],
    before: t.Mapping[str, float],
) -> Metric:
    comparison = CohortComparison(
        margin=entry["worse_than"],
        alpha=params["alpha"],
        of=len(before),
        before=before[metric.name],
        must_detect=params["must_detect"],
        share=params["treated_share"],
    )
    requested = (f"{name}: {entry[name]['failed']} of {entry[name]['seen']}" for name in COHORTS)
    return replace(
        metric,
        query="; ".join(requested),
        unit=metric.unit or "evidence",
        bounds=Bounds(above=comparison.needed),
        # Enough evidence needs no second breach to confirm it.
        breaches=1,
        cohorts={name: entry[name] for name in COHORTS},
        comparison=comparison,
    )


def _before(params: t.Mapping[str, t.Any], names: t.Sequence[str]) -> dict[str, float]:
    results = {name: params["evidence_before"].get(name, 1.0) for name in names}
    for name, result in results.items():
        if number(result) is None or result < 0:
            raise InputError(
                f"Option 'evidence_before' has {result!r} for metric {name!r}; it is a number from 0 on."
            )
    # What sufficed to go back on is spent.
    return dict.fromkeys(names, 1.0) if blamed(results, params["alpha"]) else results


def refuse_bad_comparisons(params: t.Mapping[str, t.Any], metrics: t.Sequence[Metric]) -> None:
    """Before `with_comparisons`, for which these are numbers that mean something."""
    _refuse_outside("Option 'alpha'", params["alpha"], "between 0 and 1")
    _refuse_outside("Option 'treated_share'", params["treated_share"], "from 0 to 1")
    entries = [metric for metric in params["metrics"] if metric["treated"]]
    for entry in entries:
        if problem := _wrong_comparison(entry):
            raise InputError(f"Metric {entry['name']!r} has {problem}.")
        _refuse_outside("Option 'worse_than'", entry["worse_than"], "at least 1")
        if params["must_detect"] is not None and params["must_detect"] <= entry["worse_than"]:
            raise InputError(
                f"Option 'must_detect' is {params['must_detect']:g}, and metric {entry['name']!r} allows "
                f"{entry['worse_than']:g}: it is more than that."
            )
    names = {item["name"] for item in entries}
    if len({(metric.interval, metric.delay) for metric in metrics if metric.name in names}) > 1:
        raise InputError(
            "Metrics with 'treated' share one budget of false alarms, so that they are looked at together: give them "
            "the same 'interval' and 'initial_delay'."
        )


def _wrong_comparison(entry: t.Mapping[str, t.Any]) -> str:
    """What is wrong with a metric that compares cohorts, "" for nothing."""
    if entry["kind"] not in _COUNTING:
        return (
            f"'treated', and the kind {entry['kind']!r} counts no users: use {', '.join(_COUNTING)}"
        )
    if not entry["control"]:
        return "'treated' and no 'control' to compare with: add it"
    if entry["pass"] or entry["rollback"]:
        return (
            "'treated', so that the evidence decides: leave out 'pass' and 'rollback', or give the bounds to a metric "
            "of their own"
        )
    return ""


_RANGES: t.Mapping[str, t.Callable[[float], bool]] = {
    "between 0 and 1": lambda value: 0 < value < 1,
    "from 0 to 1": lambda value: 0 <= value <= 1,
    "at least 1": lambda value: value >= 1,
    "more than 0": lambda value: value > 0,
}


def _refuse_outside(what: str, value: float | None, bounds: str) -> None:
    if value is not None and not _RANGES[bounds](value):
        raise InputError(f"{what} is {value:g}; it is {bounds}.")


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
    return Metric(
        name=entry["name"],
        kind=entry["kind"],
        query=entry.get("query") or "",
        unit=entry["unit"],
        bounds=Bounds(good.get("min"), good.get("max"), bad.get("below"), bad.get("above")),
        breaches=_given(entry, params, "breaches"),
        max_missing=_given(entry, params, "max_missing"),
        count=entry.get("count"),
        interval=_given(entry, params, "interval"),
        # One look waits for no metric.
        delay=entry.get("initial_delay") or 0.0 if params.get("duration") else 0.0,
        volume=Volume(**entry["volume"]) if entry.get("volume") else None,
    )


def _given(entry: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any], option: str) -> t.Any:
    return params[option] if entry.get(option) is None else entry[option]


def refuse_bad_input(params: t.Mapping[str, t.Any], metrics: t.Sequence[Metric]) -> None:
    refuse_twice("Metrics", metrics)
    kinds = {metric.kind for metric in metrics}
    if kinds & {PROMETHEUS, ALERTS} and not params["prometheus"]:
        raise InputError("Option 'prometheus' is missing, and metrics need Prometheus.")
    refuse_below(params, duration=0, initial_delay=0)
    _refuse_outside("Option 'query_timeout'", params["query_timeout"], "more than 0")
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
    name = f"metric {metric.name!r}"
    if metric.bounds.crossed:
        raise InputError(f"The bounds of {name} cross: a value would pass and be a breach at once.")
    _refuse_outside(f"The 'interval' of {name}", metric.interval, "more than 0")
    if not 0 <= metric.delay <= duration:
        raise InputError(
            f"The 'initial_delay' of {name} is {metric.delay:g}; it is from 0 to the watch's {duration:g} s."
        )
    _refuse_outside(f"Option 'breaches' of {name}", metric.breaches, "at least 1")
    _refuse_outside(f"Option 'count' of {name}", metric.count, "at least 1")
    _refuse_outside(f"Option 'max_missing' of {name}", metric.max_missing, "from 0 to 1")
    volume = metric.volume.at_least if metric.volume else None
    _refuse_outside(f"Option 'at_least' of the volume of {name}", volume, "more than 0")
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
