# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads, as far as this collection uses them to ask a cluster and others several things at once.

The one place where they are made, so that the simulation can make them steps of its scheduler instead.

Look at several things side by side, each again and again until it is well or its time is over.

Nothing that one look raises keeps another from ending, or from being told.
"""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ._errors import DeployError
from ._redaction import excerpt

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")

Event = threading.Event
Lock = threading.Lock


def side_by_side(  # noqa: UP047 - targets may run an older Python
    act: t.Callable[[Item], Result], items: t.Collection[Item], *, at_once: int | None = None
) -> list[Result]:
    """What `act` returns of each, in their order; all are acted on before the first error is raised.

    `at_once`: so many threads at most, one for each without it.
    """
    if len(items) < 2:
        return [act(entry) for entry in items]
    with ThreadPoolExecutor(min(at_once or len(items), len(items))) as threads:
        acting = [threads.submit(act, entry) for entry in items]
    return [entry.result() for entry in acting]


def spawn(work: t.Callable[[], None]) -> None:
    """Begin it on a thread that ends with the process at the latest."""
    threading.Thread(target=work, daemon=True).start()


Begun = Future
"""What runs on a thread of its own: whether it is done, and what it returned or raised."""


def begin(work: t.Callable[[], Result]) -> Begun[Result]:  # noqa: UP047 - targets may run an older Python
    """Begin it on a thread that ends with the process at the latest, and have what becomes of it."""
    begun: Future[Result] = Future()

    def run() -> None:
        try:
            begun.set_result(work())
        except BaseException as exc:  # pylint: disable=broad-exception-caught
            begun.set_exception(exc)

    spawn(run)
    return begun


_THREADS = 32
"""Most of them wait for an answer from somewhere else."""
_SHOWN = 200
Observation = t.TypeVar("Observation")


class UnexpectedError(DeployError):
    """A look ended by an unexpected error, which says nothing about what it looked at."""

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
class Looking(t.Generic[Item, Observation, Result]):  # noqa: UP046 - targets may run an older Python
    """`judge` makes the result of what `look` found or raised, within so many seconds."""

    look: t.Callable[[Item], Observation]
    judge: t.Callable[[Item, Observation | DeployError, float], Result]
    well: t.Callable[[Result], bool] = lambda _result: True
    patience: Patience = ONE_LOOK

    def at(self, item: Item) -> Result:
        """In the caller's thread."""
        patience = self.patience
        deadline = patience.clock() + patience.timeout
        while True:
            started = patience.clock()
            matching = self._attempt(item)
            result = self.judge(item, matching, patience.clock() - started)
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

    def _attempt(self, item: Item) -> Observation | DeployError:
        try:
            return self.look(item)
        except DeployError as exc:
            return exc
        except Exception as exc:
            text = excerpt(str(exc), _SHOWN)
            return UnexpectedError(f"it could not be checked ({type(exc).__name__}: {text})")
