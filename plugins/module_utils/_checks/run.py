# SPDX-License-Identifier: GPL-3.0-or-later
"""Run checks side by side, each again and again until it passes or its time is over."""

from __future__ import annotations

import typing as t

from .._errors import DeployError
from .._side_by_side import Looking, Patience
from .kinds import KINDS, read_checks
from .models import Check, CheckError, CheckResult, NotKnownError, Options, Probe

PROBES: t.Mapping[str, Probe] = {name: kind.probe for name, kind in KINDS.items()}


def check_all(options: Options) -> list[CheckResult]:
    """What came of all that `checks_options` ask for, in their order."""
    patience = Patience(options["wait_timeout"], options["wait_sleep"])
    return run_checks(read_checks(options), PROBES, patience)


def run_checks(
    checks: t.Sequence[Check], probes: t.Mapping[str, Probe], patience: Patience
) -> list[CheckResult]:
    """The outcomes in the order of the checks."""
    looking: Looking[Check, str, CheckResult] = Looking(
        look=lambda check: probes[check.kind](check.options, check.timeout),
        judge=lambda check, found, seconds: CheckResult(
            check.name,
            check.kind,
            not isinstance(found, DeployError),
            seconds,
            str(found),
            not isinstance(found, NotKnownError),
        ),
        well=lambda outcome: outcome.passed,
        patience=patience,
    )
    return looking.at_all(checks)


def refuse_failures(outcomes: t.Sequence[CheckResult]) -> None:
    """Raise one error that names every check that fails."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        listed = " ".join(f"{outcome.name}: {outcome.detail}" for outcome in failed)
        raise CheckError(
            f"{len(failed)} of {len(outcomes)} checks fail. {listed}",
            results=[outcome.to_result() for outcome in outcomes],
        )
