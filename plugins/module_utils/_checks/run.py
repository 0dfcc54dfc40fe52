# SPDX-License-Identifier: GPL-3.0-or-later
"""Read checks from a task's options, and run them side by side, each to its end whatever becomes of the others."""

from __future__ import annotations

import typing as t
from dataclasses import fields

from .._errors import DeployError, InputError
from .._library import Library
from .._side_by_side import ONE_LOOK, Looking, Patience, UnexpectedError
from .models import FAIL, HOLD, PASS, STOPPING, Check, Finding, Findings, Kinds, Row, held, passed

_OWN = tuple(each.name for each in fields(Check) if each.name != "options")


def read_checks(entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[Check]:
    return [
        Check(options=entry[entry["kind"]], **{name: entry[name] for name in _OWN if name in entry})
        for entry in entries
    ]


def libraries(checks: t.Iterable[Check], kinds: Kinds) -> list[Library]:
    """Those that the checks need, and no others."""
    needed: list[Library] = []
    for check in checks:
        kind = kinds[check.kind]
        needed += [*kind.libraries, *kind.components(check.options)]
    return list(dict.fromkeys(needed))


def run_checks(
    checks: t.Sequence[Check],
    look: t.Callable[[Check], Findings],
    of_error: t.Callable[[DeployError], Finding],
    *,
    report: t.Callable[[Row], object] = lambda _row: None,
    patience: Patience = ONE_LOOK,
) -> list[Row]:
    """The rows in the order of the checks. `report` hears of each as its check ends."""

    def judge(check: Check, found: Findings | DeployError, seconds: float) -> list[Row]:
        findings = of_error(found) if isinstance(found, DeployError) else found
        if isinstance(findings, str):
            findings = passed(findings)
        several = [findings] if isinstance(findings, Finding) else findings
        return [_row(check, finding, seconds) for finding in several]

    looking: Looking[Check, Findings, list[Row]] = Looking(
        look=look,
        judge=judge,
        well=lambda rows: all(row.passed for row in rows),
        patience=patience,
    )
    rows = looking.at_all(checks, lambda ended: [report(row) for row in ended])
    return [row for ended in rows for row in ended]


def error_finding(problem: DeployError, *unseen: type[DeployError]) -> Finding:
    """A mistake in the question, or of ours, says nothing about what it asks of; nor does an error of `unseen`."""
    if isinstance(problem, InputError):
        return held(f"its options are wrong: {problem}")
    status = HOLD if isinstance(problem, (UnexpectedError, *unseen)) else FAIL
    return Finding(status, str(problem), facts=problem.details.get("facts"))


def _row(check: Check, finding: Finding, seconds: float) -> Row:
    return Row(
        name=finding.name or check.name,
        item=finding.item or check.item,
        kind=check.kind,
        status=finding.status,
        detail=_detail(check, finding),
        seconds=seconds,
        scenario=check.scenario,
        warnings=finding.warnings,
        facts=finding.facts,
        steps=finding.steps,
    )


def _detail(check: Check, finding: Finding) -> str:
    if check.cure and finding.status in STOPPING:
        return f"{finding.detail.rstrip('.')}. {check.cure}"
    note = check.note if finding.status == PASS else ""
    return "; ".join(part for part in (note, finding.detail) if part)
