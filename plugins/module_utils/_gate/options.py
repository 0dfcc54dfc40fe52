# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a gate, and what their types cannot say about them."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Bounds, Metric
from ansible_collections.easymo.deploy.plugins.module_utils._module import refuse_below
from ansible_collections.easymo.deploy.plugins.module_utils._options import postgres_options


def gate_options() -> dict[str, t.Any]:
    return {
        "prometheus_url": {"type": "str"},
        "prometheus_token": {"type": "str", "no_log": True},
        "ca_cert": {"type": "path"},
        "metrics": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": metric_options(),
            "required_if": [("kind", "postgres", ["connection"])],
        },
        "duration": {"type": "float", "default": 3600},
        "interval": {"type": "float", "default": 10},
        "initial_delay": {"type": "float", "default": 0},
        "breaches": {"type": "int", "default": 2},
        "max_missing": {"type": "float", "default": 0.1},
        "query_timeout": {"type": "float", "default": 10},
        "fail_on": {
            "type": "list",
            "elements": "str",
            "choices": ["hold", "rollback"],
            "default": ["hold", "rollback"],
        },
    }


def metric_options() -> dict[str, t.Any]:
    return {
        "name": {"type": "str", "required": True},
        "kind": {"type": "str", "choices": ["prometheus", "postgres"], "default": "prometheus"},
        "query": {"type": "str", "required": True},
        "unit": {"type": "str", "default": ""},
        # Sanity takes the word for a password.
        "pass": {
            "type": "dict",
            "no_log": False,
            "options": {"min": {"type": "float"}, "max": {"type": "float"}},
        },
        "rollback": {
            "type": "dict",
            "options": {"below": {"type": "float"}, "above": {"type": "float"}},
        },
        "connection": {"type": "dict", "options": postgres_options()},
    }


def read_metric(entry: t.Mapping[str, t.Any]) -> Metric:
    good, bad = entry["pass"] or {}, entry["rollback"] or {}
    return Metric(
        name=entry["name"],
        kind=entry["kind"],
        query=entry["query"],
        unit=entry["unit"],
        bounds=Bounds(
            minimum=good.get("min"),
            maximum=good.get("max"),
            below=bad.get("below"),
            above=bad.get("above"),
        ),
    )


def refuse_bad_input(params: t.Mapping[str, t.Any], metrics: t.Sequence[Metric]) -> None:
    names = [metric.name for metric in metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Metrics share a name, give each its own: {', '.join(twice)}.")
    for metric in metrics:
        if metric.bounds.crossed:
            raise InputError(
                f"The bounds of metric {metric.name!r} cross: a value would pass and be a breach at once."
            )
    if any(metric.kind == "prometheus" for metric in metrics) and not params["prometheus_url"]:
        raise InputError("Option 'prometheus_url' is missing, and metrics ask Prometheus.")
    refuse_below(params, duration=0, initial_delay=0, breaches=1, max_missing=0)
    for option in ("interval", "query_timeout"):
        if params[option] <= 0:
            raise InputError(f"Option {option!r} is {params[option]:g}; it is more than 0.")
