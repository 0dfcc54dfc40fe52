# SPDX-License-Identifier: GPL-3.0-or-later
"""How many messages were counted, and how many of them failed: of users with the feature, and of those without.

Of each user the first of a minute, and none after any that failed, as docs/watch.md asks: who writes more fails no more
often, and whoever tries again and again is one. Which of the two somebody is was drawn, and holds whatever answers in
the end: the menu in an agent's place, or the menu that a user asks for. The fault `users-fail` leaves a share of
messages without an answer, and another of those of users who have the feature.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import typing as t

from prometheus_client import CollectorRegistry, Counter

from sandbox.services.base_service import described
from sandbox.services.routing import COHORTS

if t.TYPE_CHECKING:
    from aiohttp import web

    from sandbox.faults import Fault
    from sandbox.services.base_service import Log
    from sandbox.services.connections import Cache
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
        percent = fault.number("percent", 0)
        self._due[drawn] += fault.number("treated", percent) if drawn == "treated" else percent
        if self._due[drawn] >= 100:
            self._due[drawn] -= 100
            raise BrokenError(f"the fault {FAULT}")


ANSWER_SECONDS = 5.0
"""So long the webhook waits (TIMEOUT_MS in agent_core.ts): whoever is answered later has had its menu."""
SEEN_SECONDS = 60
FAILED_SECONDS = 7200
"""As long as a step of the ramp is watched. So long no other message of the user is counted."""


class Cohorts:
    """Counts beside the answers, which wait for nothing. Users whom nobody can tell apart are not counted at all."""

    def __init__(self, registry: CollectorRegistry, cache: Cache, log: Log) -> None:
        self._cache = cache
        self._log = log
        self._last_error = ""
        self._counting: set[asyncio.Task[bool]] = set()
        self._seen = Counter(
            "users_seen_total",
            "Users who wrote, by their first message of a minute.",
            ("cohort",),
            registry=registry,
        )
        self._failed = Counter(
            "users_failed_total",
            "Those of them for whom it failed, who are not seen for two hours then.",
            ("cohort",),
            registry=registry,
        )
        # Known from the start: nobody who failed is 0, and not silence.
        for cohort in COHORTS:
            self._seen.labels(cohort)
            self._failed.labels(cohort)

    @contextlib.contextmanager
    def answering(self, number: str, cohort: Cohort | None) -> t.Iterator[None]:
        """An answer to that user. What is raised, or comes too late, has failed; the menu has not."""
        started, failed = time.monotonic(), True
        first = self._beside(self._keep(number, SEEN_SECONDS, new=True)) if cohort else None
        try:
            yield
            failed = time.monotonic() - started > ANSWER_SECONDS
        finally:
            if cohort and first:
                self._beside(self._count(first, number, cohort, failed=failed))

    def _beside(self, work: t.Coroutine[t.Any, t.Any, bool]) -> asyncio.Task[bool]:
        task = asyncio.create_task(work)
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)
        return task

    async def _count(
        self, first: asyncio.Task[bool], number: str, cohort: Cohort, *, failed: bool
    ) -> bool:
        if counts := await first:
            self._seen.labels(cohort).inc()
            if failed:
                self._failed.labels(cohort).inc()
        return await self._keep(number, FAILED_SECONDS) if failed else counts

    async def _keep(self, number: str, seconds: int, *, new: bool = False) -> bool:
        """Keeps the user's key for so long, with `new` only where there is none, and tells whether it did."""
        # Without the cohort in the key: a user whom the next step of the ramp moves must not fail once more for that.
        try:
            kept = await self._cache.client().set(f"cohorts:{number}", 1, nx=new, ex=seconds)
        except Exception as exc:
            if (error := described(exc)) != self._last_error:
                self._log.warning("users are not counted", error=error)
                self._last_error = error
            return False
        self._last_error = ""
        return bool(kept)

    async def counting(self, _app: web.Application) -> t.AsyncIterator[None]:
        """Whoever was answered last is counted before the application ends."""
        yield
        if self._counting:
            await asyncio.wait(self._counting, timeout=1)
