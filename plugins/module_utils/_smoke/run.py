# SPDX-License-Identifier: GPL-3.0-or-later
"""Run smoke tests side by side, each to its end whatever becomes of the others."""

from __future__ import annotations

import typing as t

from .._errors import DeployError, InputError
from .._side_by_side import Looking, UnexpectedError
from .models import Finding, Result, Runner, SmokeTest


def run_tests(
    tests: t.Sequence[SmokeTest],
    runners: t.Mapping[str, Runner],
    *,
    report: t.Callable[[Result], None],
) -> list[Result]:
    """In the order of the tests; `report` hears of each as it ends."""
    looking = Looking(look=lambda test: runners[test.kind](test.options), judge=_judge)
    return looking.at_all(tests, report)


def _judge(test: SmokeTest, found: Finding | DeployError, seconds: float) -> Result:
    finding = _finding_of(found) if isinstance(found, DeployError) else found
    note = test.note if finding.status == "pass" else ""
    return Result(
        name=test.name,
        kind=test.kind,
        status=finding.status,
        seconds=seconds,
        detail="; ".join(part for part in (note, finding.detail) if part),
        scenario=test.scenario,
        steps=finding.steps,
        facts=finding.facts,
    )


def _finding_of(problem: DeployError) -> Finding:
    """A mistake in the question, or of ours, says nothing about the platform."""
    if isinstance(problem, InputError):
        return Finding("hold", f"its options are wrong: {problem}")
    status: t.Literal["hold", "fail"] = "hold" if isinstance(problem, UnexpectedError) else "fail"
    return Finding(status, str(problem), facts=problem.details.get("facts"))
