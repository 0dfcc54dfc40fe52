# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Run checks side by side, each again and again until it passes or its time is over."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .._errors import DeployError
from .models import Check, CheckError, CheckResult, Probe

_THREADS = 16


@dataclass(frozen=True)
class Patience:
    """In seconds; a `timeout` of 0 is one look."""

    timeout: float
    pause: float
    clock: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


def run_checks(
    checks: t.Sequence[Check], probes: t.Mapping[str, Probe], patience: Patience
) -> list[CheckResult]:
    """The outcomes in the order of the checks."""
    deadline = patience.clock() + patience.timeout
    with ThreadPoolExecutor(min(_THREADS, len(checks) or 1)) as pool:
        return list(
            pool.map(lambda check: _until(check, probes[check.kind], patience, deadline), checks)
        )


def run_check(check: Check, probe: Probe, patience: Patience) -> CheckResult:
    """One alone, in the caller's thread."""
    return _until(check, probe, patience, patience.clock() + patience.timeout)


def _until(check: Check, probe: Probe, patience: Patience, deadline: float) -> CheckResult:
    while True:
        outcome = _look(check, probe, patience)
        if outcome.passed or patience.clock() + patience.pause >= deadline:
            return outcome
        patience.sleep(patience.pause)


def _look(check: Check, probe: Probe, patience: Patience) -> CheckResult:
    started = patience.clock()
    try:
        detail, passed = probe(check.options, check.timeout), True
    except DeployError as exc:
        detail, passed = str(exc), False
    return CheckResult(check.name, check.kind, passed, patience.clock() - started, detail)


def refuse_failures(outcomes: t.Sequence[CheckResult]) -> None:
    """Raise one error that names every check that fails."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        listed = " ".join(f"{outcome.name}: {outcome.detail}" for outcome in failed)
        raise CheckError(
            f"{len(failed)} of {len(outcomes)} checks fail. {listed}",
            results=[outcome.to_result() for outcome in outcomes],
        )
