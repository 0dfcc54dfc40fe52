# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Run checks side by side, each to its end whatever becomes of the others."""

from __future__ import annotations

import typing as t

from .._errors import DeployError, InputError, NotReadyError, UnreachableError
from .._side_by_side import Looking, UnexpectedError
from .._variables.check import placeholders
from .models import STOPPING, Check, Finding, Ground, Row, Runner, failed, held, skipped

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

    looking = Looking(
        look=lambda check: _unmet(check) or runners[check.kind](check.options, ground), judge=_judge
    )
    ended = looking.at_all(checks, tell)
    return (
        [row for rows, _findings in ended for row in rows],
        [finding for _rows, findings in ended for finding in findings],
    )


def _unmet(check: Check) -> list[Finding]:
    """Why it is not looked at. What is missing is a problem of its own, told elsewhere and once."""
    if check.unless:
        return [skipped(check.unless)]
    missing = [name for name, value in check.needs.items() if not str(value or "").strip()]
    if missing:
        return [skipped(f"not known from here: {', '.join(missing)} has no value")]
    left = list(placeholders(check.kind, check.options))
    if left:
        return [skipped(f"not known before {', '.join(left)} is filled in")]
    return []


def _judge(check: Check, found: t.Sequence[Finding] | DeployError, seconds: float) -> Found:
    findings = [_finding_of(found)] if isinstance(found, DeployError) else list(found)
    rows = [
        Row(
            name=one.name or check.name,
            item=one.item or check.item,
            kind=check.kind,
            status=one.status,
            detail=_with_cure(one, check.cure),
            seconds=seconds,
        )
        for one in findings
    ]
    return rows, findings


def _with_cure(finding: Finding, cure: str) -> str:
    if not cure or finding.status not in STOPPING:
        return finding.detail
    return f"{finding.detail.rstrip('.')}. {cure}"


def _finding_of(problem: DeployError) -> Finding:
    """A mistake in the question, or of ours, says nothing about what it asks of."""
    if isinstance(problem, InputError):
        return held(f"its options are wrong: {problem}")
    unseen = isinstance(problem, (UnreachableError, NotReadyError, UnexpectedError))
    return (held if unseen else failed)(str(problem))
