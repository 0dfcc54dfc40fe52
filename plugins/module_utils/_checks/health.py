# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at components, each again and again until it is well or its time is over."""

from __future__ import annotations

import typing as t

from .._errors import DeployError, InputError, Library, refuse_missing
from .._side_by_side import ONE_LOOK, Patience
from . import metrics, models, pods, servers
from .models import FAIL, UNKNOWN, Check, CheckError, Finding, Kinds, NotKnownError, Options, Row

PROBES: Kinds = {**servers.PROBES, **pods.PROBES, **metrics.PROBES}


def read_checks(options: Options) -> list[Check]:
    checks = models.read_checks(options["checks"])
    for check in checks:
        if check.timeout <= 0:
            raise InputError(
                f"The timeout of check {check.name!r} is {check.timeout:g}; it is more than 0."
            )
    return checks


def libraries(checks: t.Iterable[Check]) -> list[Library]:
    """Only what a check of this task needs must be installed."""
    return models.libraries(sorted(checks, key=lambda check: check.kind), PROBES)


def refuse_missing_libraries(checks: t.Iterable[Check]) -> None:
    refuse_missing(libraries(checks))


def check_all(options: Options) -> list[Row]:
    """What came of all checks of a task, in their order."""
    patience = Patience(options["wait_timeout"], options["wait_sleep"])
    return run_probes(read_checks(options), patience)


def run_probes(
    checks: t.Sequence[Check], patience: Patience = ONE_LOOK, kinds: Kinds = PROBES
) -> list[Row]:
    """The outcomes in the order of the checks."""
    return models.run_checks(
        checks,
        lambda check: kinds[check.kind].look(check.options, check.timeout),
        _of_error,
        patience=patience,
    )


def _of_error(problem: DeployError) -> Finding:
    return Finding(UNKNOWN if isinstance(problem, NotKnownError) else FAIL, str(problem))


def refuse_failures(outcomes: t.Sequence[Row]) -> None:
    """Raise one error that names every check that fails."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        sentences = " ".join(f"{outcome.name}: {outcome.detail}" for outcome in failed)
        raise CheckError(
            f"{len(failed)} of {len(outcomes)} checks fail. {sentences}",
            results=[outcome.to_result() for outcome in outcomes],
        )
