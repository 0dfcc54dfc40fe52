# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of checks of a preflight, and of smoke tests."""

from __future__ import annotations

import typing as t

from .._module import refuse_twice
from . import (
    cluster,
    composed,
    database,
    documents,
    git,
    metrics,
    payment,
    people,
    release,
    run,
    web,
)
from .models import Check, Kinds

PREFLIGHT: Kinds = {
    **release.KINDS,
    **composed.KINDS,
    **cluster.KINDS,
    **database.KINDS,
    **git.KINDS,
    **documents.KINDS,
    **web.KINDS,
    **metrics.KINDS,
    **people.KINDS,
}
SMOKE_TESTS: Kinds = {**composed.TESTS, **payment.TESTS, **metrics.TESTS}


def read_preflight(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Check]:
    checks = run.read_checks(entries)
    refuse_twice("Checks", checks)
    return checks


def read_tests(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Check]:
    tests = run.read_checks(entries)
    refuse_twice("Smoke tests", tests)
    for test in tests:
        SMOKE_TESTS[test.kind].refuse(test.name, test.options)
    return tests
