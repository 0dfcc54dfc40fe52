# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Run checks side by side, each to its end whatever becomes of the others."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor, as_completed

from .._errors import DeployError, InputError, NotReadyError, UnreachableError
from .._redaction import excerpt
from .models import Check, Finding, Ground, Row, Runner, failed, held

_THREADS = 32
"""Most of them wait for an answer from somewhere else."""

Found = tuple[list[Row], list[Finding]]


def run_checks(
    checks: t.Sequence[Check],
    runners: t.Mapping[str, Runner],
    ground: Ground,
    *,
    report: t.Callable[[Row], None],
    clock: t.Callable[[], float] = time.monotonic,
) -> Found:
    """The rows in the order of the checks, and the findings behind them. `report` hears of each as it ends."""
    with ThreadPoolExecutor(min(_THREADS, len(checks) or 1)) as pool:
        futures = [pool.submit(_one, one, runners[one.kind], ground, clock) for one in checks]
        for future in as_completed(futures):
            for row in future.result()[0]:
                report(row)
    ended = [future.result() for future in futures]
    return (
        [row for rows, _findings in ended for row in rows],
        [finding for _rows, findings in ended for finding in findings],
    )


def _one(check: Check, runner: Runner, ground: Ground, clock: t.Callable[[], float]) -> Found:
    started = clock()
    findings = _look(check, runner, ground)
    seconds = clock() - started
    rows = [
        Row(
            name=one.name or check.name,
            item=one.item or check.item,
            kind=check.kind,
            status=one.status,
            detail=one.detail,
            seconds=seconds,
        )
        for one in findings
    ]
    return rows, findings


def _look(check: Check, runner: Runner, ground: Ground) -> list[Finding]:
    try:
        return list(runner(check.options, ground))
    except (UnreachableError, NotReadyError) as exc:
        return [held(str(exc))]
    except InputError as exc:
        # A mistake in the question says nothing about what it asks of.
        return [held(f"it is asked wrongly: {exc}")]
    except DeployError as exc:
        return [failed(str(exc))]
    except Exception as exc:
        said = excerpt(str(exc), 200)
        return [held(f"it could not be looked at ({type(exc).__name__}: {said})")]
