# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at several things side by side, each again and again until it is well or its time is over.

Nothing that one look raises keeps another from ending, or from being told.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ._errors import DeployError
from ._redaction import excerpt
from ._threads import Lock, side_by_side

_THREADS = 32
"""Most of them wait for an answer from somewhere else."""
_SHOWN = 200
Item = t.TypeVar("Item")
Found = t.TypeVar("Found")
Result = t.TypeVar("Result")


class UnexpectedError(DeployError):
    """A look ended by what nobody thought of, which says nothing about what it looked at."""

    reason = "Unexpected"


@dataclass(frozen=True)
class Patience:
    """In seconds; a `timeout` of 0 is one look."""

    timeout: float = 0
    pause: float = 0
    clock: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


ONE_LOOK = Patience()


@dataclass(frozen=True)
class Looking(t.Generic[Item, Found, Result]):  # noqa: UP046 - targets may run an older Python
    """`judge` makes the result of what `look` found or raised, within so many seconds."""

    look: t.Callable[[Item], Found]
    judge: t.Callable[[Item, Found | DeployError, float], Result]
    well: t.Callable[[Result], bool] = lambda _result: True
    patience: Patience = ONE_LOOK

    def at(self, item: Item) -> Result:
        """In the caller's thread."""
        patience = self.patience
        deadline = patience.clock() + patience.timeout
        while True:
            started = patience.clock()
            found = self._attempt(item)
            result = self.judge(item, found, patience.clock() - started)
            if self.well(result) or patience.clock() + patience.pause >= deadline:
                return result
            patience.sleep(patience.pause)

    def at_all(
        self, items: t.Sequence[Item], report: t.Callable[[Result], object] = lambda _result: None
    ) -> list[Result]:
        """The results in the order of the items. `report` hears of each as it ends, one at a time."""
        telling = Lock()

        def act(item: Item) -> Result:
            result = self.at(item)
            with telling:
                report(result)
            return result

        return side_by_side(act, items, at_once=_THREADS)

    def _attempt(self, item: Item) -> Found | DeployError:
        try:
            return self.look(item)
        except DeployError as exc:
            return exc
        except Exception as exc:
            said = excerpt(str(exc), _SHOWN)
            return UnexpectedError(f"it could not be checked ({type(exc).__name__}: {said})")
