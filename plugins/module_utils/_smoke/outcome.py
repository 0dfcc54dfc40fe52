# SPDX-License-Identifier: GPL-3.0-or-later
"""How a task with results of smoke tests ends: with its verdict, or as the failure that the verdict is."""

from __future__ import annotations

import typing as t

from .._errors import HoldError, VerificationError
from .plan import ROLLBACK, line, sentence, verdict


def conclude(results: t.Sequence[dict[str, t.Any]], fail_on: t.Collection[str]) -> dict[str, t.Any]:
    """The result of the task; raises when its verdict is one of `fail_on`."""
    outcome = {
        "verdict": verdict(results),
        "results": list(results),
        "lines": [line(result) for result in results],
    }
    if outcome["verdict"] in fail_on:
        error = VerificationError if outcome["verdict"] == ROLLBACK else HoldError
        raise error(sentence(results), **outcome)
    return {"changed": False, "sentence": sentence(results), **outcome}
