# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a smoke test, those of each kind under the name of its kind."""

from __future__ import annotations

import typing as t

from .._checks.kinds import checks_options
from .._errors import InputError
from .._gate.options import metric_options
from .._options import Spec, webhook_options
from .models import SmokeTest

KINDS = ("health", "webhook", "payment", "metrics")


def test_options() -> Spec:
    return {
        "name": {"type": "str", "required": True},
        "kind": {"type": "str", "choices": list(KINDS), "required": True},
        "scenario": {"type": "str", "default": ""},
        "note": {"type": "str", "default": ""},
        "health": {"type": "dict", "options": checks_options()},
        "webhook": {"type": "dict", "options": webhook_options()},
        "payment": {"type": "dict", "options": payment_options()},
        "metrics": {"type": "dict", "options": metrics_options()},
    }


def payment_options() -> Spec:
    return {
        "api_url": {"type": "str", "required": True},
        "number": {"type": "str", "required": True},
        "vendor_id": {"type": "raw", "required": True},
        "amount": {"type": "int", "required": True},
        # A key of idempotency, which is no secret.
        "key": {"type": "str", "required": True, "no_log": False},
        "prove_key": {"type": "bool", "default": True, "no_log": False},
        "ca_cert": {"type": "path"},
        "request_timeout": {"type": "float", "default": 10},
    }


def metrics_options() -> Spec:
    return {
        "metrics": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": metric_options(),
        },
        "missing": {"type": "str", "choices": ["hold", "skip"], "default": "hold"},
        "prometheus_url": {"type": "str"},
        "prometheus_token": {"type": "str", "no_log": True},
        "ca_cert": {"type": "path"},
        "query_timeout": {"type": "float", "default": 10},
    }


def read_tests(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[SmokeTest]:
    tests = [
        SmokeTest(
            name=entry["name"],
            kind=entry["kind"],
            options=entry[entry["kind"]],
            scenario=entry["scenario"],
            note=entry["note"],
        )
        for entry in entries
    ]
    names = [test.name for test in tests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Smoke tests share a name, give each its own: {', '.join(twice)}.")
    for test in tests:
        if test.kind == "payment" and test.options["amount"] <= 0:
            raise InputError(
                f"The amount of {test.name!r} is {test.options['amount']}; it is more than 0."
            )
    return tests
