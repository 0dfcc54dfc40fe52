# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Run checks side by side, each to its end whatever becomes of the others."""

from __future__ import annotations

import typing as t

from .._errors import DeployError, InputError, NotReadyError, UnreachableError
from .._side_by_side import Looking, UnexpectedError
from .models import Check, Finding, Ground, Row, Runner, failed, held

Found = tuple[list[Row], list[Finding]]


def run_checks(
    checks: t.Sequence[Check],
    runners: t.Mapping[str, Runner],
    ground: Ground,
    *,
    report: t.Callable[[Row], None],
) -> Found:
    """The rows in the order of the checks, and the findings behind them. `report` hears of each as it ends."""

    def tell(found: Found) -> None:
        for row in found[0]:
            report(row)

    looking = Looking(look=lambda check: runners[check.kind](check.options, ground), judge=_judge)
    ended = looking.at_all(checks, tell)
    return (
        [row for rows, _findings in ended for row in rows],
        [finding for _rows, findings in ended for finding in findings],
    )


def _judge(check: Check, found: t.Sequence[Finding] | DeployError, seconds: float) -> Found:
    findings = [_finding_of(found)] if isinstance(found, DeployError) else list(found)
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


def _finding_of(problem: DeployError) -> Finding:
    """A mistake in the question, or of ours, says nothing about what it asks of."""
    if isinstance(problem, InputError):
        return held(f"its options are wrong: {problem}")
    unseen = isinstance(problem, (UnreachableError, NotReadyError, UnexpectedError))
    return (held if unseen else failed)(str(problem))
