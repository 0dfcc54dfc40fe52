# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Run smoke tests side by side, each to its end whatever becomes of the others."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor, as_completed

from .._errors import DeployError, InputError
from .models import Finding, Result, Runner, SmokeTest

_THREADS = 16


def run_tests(
    tests: t.Sequence[SmokeTest],
    runners: t.Mapping[str, Runner],
    *,
    report: t.Callable[[Result], None],
    clock: t.Callable[[], float] = time.monotonic,
) -> list[Result]:
    """In the order of the tests; `report` hears of each as it ends."""
    with ThreadPoolExecutor(min(_THREADS, len(tests) or 1)) as pool:
        futures = {pool.submit(_one, test, runners[test.kind], clock): test for test in tests}
        for future in as_completed(futures):
            if future.exception() is None:
                report(future.result())
    return [future.result() for future in futures]


def _one(test: SmokeTest, runner: Runner, clock: t.Callable[[], float]) -> Result:
    started = clock()
    try:
        finding = runner(test.options)
    except InputError as exc:
        # A mistake in the question says nothing about the platform.
        finding = Finding("hold", f"it is asked wrongly: {exc}")
    except DeployError as exc:
        finding = Finding("fail", str(exc), facts=exc.details.get("facts"))
    note = test.note if finding.status == "pass" else ""
    return Result(
        name=test.name,
        kind=test.kind,
        status=finding.status,
        seconds=clock() - started,
        detail="; ".join(part for part in (note, finding.detail) if part),
        scenario=test.scenario,
        steps=finding.steps,
        facts=finding.facts,
    )
