# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault `users-fail`: a share of messages has no answer, and another of those of users who have the feature."""

from __future__ import annotations

import typing as t

from sandbox.services.routing import COHORTS

if t.TYPE_CHECKING:
    from sandbox.faults import Fault
    from sandbox.services.routing import Cohort

FAULT = "users-fail"


class BrokenError(Exception):
    """What a bug raises that its author did not think of."""


class UsersFail:
    """Evenly, so that few messages are enough for the share that was asked for: every 25th of 4 percent."""

    def __init__(self, fault: t.Callable[[str], Fault | None]) -> None:
        self._fault = fault
        self._due = dict.fromkeys(COHORTS, 0.0)

    def unless_spared(self, drawn: Cohort | None) -> None:
        """Raises BrokenError in place of the answer to a message. Whom nobody drew is spared."""
        fault = self._fault(FAULT)
        if fault is None or drawn is None:
            return
        percent = fault.parameters.get("percent", "0")
        if drawn == "treated":
            percent = fault.parameters.get("treated", percent)
        self._due[drawn] += float(percent)
        if self._due[drawn] >= 100:
            self._due[drawn] -= 100
            raise BrokenError(f"the fault {FAULT}")
