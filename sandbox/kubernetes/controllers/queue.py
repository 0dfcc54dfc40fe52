# SPDX-License-Identifier: GPL-3.0-or-later
"""The work queue of a controller: each key once, later when asked, with backoff after a failure."""

from __future__ import annotations

import asyncio

FIRST_DELAY = 0.005
# The real controllers go on to 1000 s; here a cleared fault should be noticed while somebody watches.
LAST_DELAY = 10.0


def backoff(failures: int) -> float:
    """Seconds before the next try: 5 ms doubling, as the real rate limiter, to `LAST_DELAY`."""
    return min(LAST_DELAY, FIRST_DELAY * 2.0 ** min(failures, 30))


class WorkQueue:
    def __init__(self) -> None:
        self._ready: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._failures: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def add(self, key: str) -> None:
        self._ready[key] = None
        self._wake.set()

    def add_later(self, key: str, delay: float) -> None:
        """Add after `delay` seconds; an earlier appointment for the same key stands."""
        loop = asyncio.get_running_loop()
        planned = self._timers.get(key)
        if planned is not None:
            if planned.when() <= loop.time() + delay:
                return
            planned.cancel()
        self._timers[key] = loop.call_later(delay, self._due, key)

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def retry(self, key: str) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_later(key, backoff(failures))

    def forget(self, key: str) -> None:
        """The key was reconciled without failure: its next failure starts the backoff anew."""
        self._failures.pop(key, None)

    async def take(self) -> str:
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        return key

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
