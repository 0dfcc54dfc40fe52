# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Try again when another transaction's lock was in the way: nobody queues behind us for longer than lock_timeout."""

from __future__ import annotations

import random
import time
import typing as t
from dataclasses import dataclass, field

from .._postgres import SqlError
from .locks import BlockerMonitor, NoWatch
from .session import LOCK_NOT_AVAILABLE

if t.TYPE_CHECKING:
    from collections.abc import Callable

DEADLOCK_DETECTED = "40P01"
_OF_LOCKS = {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}
_LONGEST = 15.0
_JITTER = 0.25


def _to_nobody(_event: str, _text: str, _data: dict[str, t.Any]) -> None:
    pass


@dataclass(frozen=True)
class LockRetries:
    """`count` is how often, after the first time. `report` hears of each as event, text and data."""

    count: int = 0
    watch: BlockerMonitor = field(default_factory=NoWatch)
    report: Callable[[str, str, dict[str, t.Any]], None] = _to_nobody
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def insist(self, what: str, attempt: Callable[[], None], undo: Callable[[], bool]) -> None:
        """Make `attempt` until it doesn't fail for a lock, or `count` more times.

        `undo` clears away what a failed one left and returns whether that was all, so that it may be made again.
        """
        for number in range(1, self.count + 1):
            try:
                with self.watch.waiting():
                    attempt()
            except SqlError as exc:
                if exc.sqlstate not in _OF_LOCKS or not undo():
                    raise
                self._pause(what, exc.sqlstate, number)
            else:
                return
        with self.watch.waiting():
            attempt()

    def advice(self, sqlstate: str) -> str:
        """A sentence, with the space before it, on what was in the way; empty when no lock was."""
        if sqlstate not in _OF_LOCKS:
            return ""
        holder = self.watch.blocker or "another transaction held a lock for longer"
        holder = holder[0].upper() + holder[1:]
        if sqlstate == DEADLOCK_DETECTED:
            return f" {holder}; both waited for each other." if self.watch.blocker else ""
        return (
            f" {holder}, and options 'lock_timeout' and 'lock_retries' allow no longer wait: "
            "end that transaction or let it end, and run again."
        )

    def _pause(self, what: str, sqlstate: str, number: int) -> None:
        wait = min(2.0 ** (number - 1), _LONGEST) * (1 - _JITTER * self.random())
        why = self.watch.blocker or "another transaction held a lock"
        self.report(
            "LockRetry",
            f"{what}: {why}; again in {wait:.1f} s ({number} of {self.count})",
            {"what": what, "sqlstate": sqlstate, "blocker": self.watch.blocker, "retry": number},
        )
        self.sleep(wait)
