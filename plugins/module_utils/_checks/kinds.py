# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of checks, the options of a task that has some of them, and the libraries that these need."""

from __future__ import annotations

import typing as t

from .._errors import InputError
from .._library import Library, refuse_missing
from .._options import Spec
from . import http, kafka, kubernetes, metric, postgres, program, redis
from .models import Check, Kind, Options

KINDS: t.Mapping[str, Kind] = {
    "postgres": postgres.KIND,
    "redis": redis.KIND,
    "kafka": kafka.KIND,
    "http": http.KIND,
    "kubernetes": kubernetes.KIND,
    "exec": program.KIND,
    "metric": metric.KIND,
}


def checks_options() -> Spec:
    """Several checks, each with the options of its kind under that name, and how long they may take to be well."""
    return {
        "checks": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "kind": {"type": "str", "choices": list(KINDS), "required": True},
                "timeout": {"type": "float", "default": 10},
                **{name: {"type": "dict", "options": kind.options} for name, kind in KINDS.items()},
            },
            "required_if": [("kind", name, [name]) for name in KINDS],
        },
        "wait_timeout": {"type": "float", "default": 0},
        "wait_sleep": {"type": "float", "default": 1.0},
    }


def read_checks(options: Options) -> list[Check]:
    return [_read(entry) for entry in options["checks"]]


def _read(entry: Options) -> Check:
    if entry["timeout"] <= 0:
        raise InputError(
            f"The timeout of check {entry['name']!r} is {entry['timeout']:g}; it is more than 0."
        )
    return Check(entry["name"], entry["kind"], entry[entry["kind"]], entry["timeout"])


def libraries(kinds: t.Iterable[str]) -> list[Library]:
    """Only what a check of this task needs must be installed."""
    return [library for kind in sorted(set(kinds)) for library in KINDS[kind].libraries]


def refuse_missing_libraries(checks: t.Iterable[Check]) -> None:
    refuse_missing(libraries(check.kind for check in checks))
