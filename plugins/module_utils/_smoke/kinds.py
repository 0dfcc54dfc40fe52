# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of smoke tests, and the options of a task that has some of them."""

from __future__ import annotations

import typing as t

from .._library import Library
from .._module import refuse_twice
from . import health, metrics, wallet, webhook
from .models import Kind, SmokeTest

KINDS: t.Mapping[str, Kind] = {
    "health": health.KIND,
    "webhook": webhook.KIND,
    "payment": wallet.KIND,
    "metrics": metrics.KIND,
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
    refuse_twice("Smoke tests", tests)
    for test in tests:
        KINDS[test.kind].refuse(test.name, test.options)
    return tests


def libraries(tests: t.Iterable[SmokeTest]) -> list[Library]:
    """Those that the tests need, and no others."""
    found = [one for test in tests for one in KINDS[test.kind].libraries(test.options)]
    return list(dict.fromkeys(found))
