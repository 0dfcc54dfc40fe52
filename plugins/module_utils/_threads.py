# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads, as far as this collection uses them to ask a cluster and others several things at once.

The one place where they are made, so that the simulation can make them steps of its scheduler instead.
"""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")

__all__ = ["Begun", "Event", "LateError", "Lock", "begin", "side_by_side", "spawn"]

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
"""What runs on a thread of its own: whether it is done, and what it returned or raised.

`result(seconds)` raises LateError, which is Python's own TimeoutError from 3.11 on.
"""


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
