# SPDX-License-Identifier: GPL-3.0-or-later
"""Health of a service: its checks, asked together, remembered for a moment."""

from __future__ import annotations

import asyncio
import time
import typing as t
from dataclasses import dataclass

from sandbox.services.log import described

REMEMBER_SECONDS = 2.0
TIMEOUT_SECONDS = 2.0
# Slow is not down: while everything is slow, taking pods away would make the rest slower still.
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Check:
    name: str
    probe: t.Callable[[], t.Awaitable[None]]
    """Returns when the dependency answers as it should; raises otherwise."""
    required: bool = True
    """False: the service can work without it, so a failure is told but it stays ready."""


@dataclass(frozen=True)
class CheckResult:
    name: str
    required: bool
    error: str = ""

    def to_dict(self) -> dict[str, str]:
        return {"status": "fail", "error": self.error} if self.error else {"status": "ok"}


@dataclass(frozen=True)
class Report:
    results: tuple[CheckResult, ...] = ()

    @property
    def status(self) -> t.Literal["ok", "degraded", "fail"]:
        failed = [result for result in self.results if result.error]
        if any(result.required for result in failed):
            return "fail"
        return "degraded" if failed else "ok"

    @property
    def http_status(self) -> int:
        return 503 if self.status == "fail" else 200


class Health:
    """Asks all checks at once; callers at the same moment share one asking."""

    def __init__(
        self, checks: t.Sequence[Check], clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._asking = asyncio.Lock()
        self._last_ok = {check.name: float("-inf") for check in checks}
        self._asked_at = float("-inf")
        self._report = Report()

    async def report(self) -> Report:
        async with self._asking:
            if self._clock() - self._asked_at >= REMEMBER_SECONDS:
                results = await asyncio.gather(*(self._ask(check) for check in self._checks))
                self._report = Report(tuple(results))
                self._asked_at = self._clock()
            return self._report

    async def _ask(self, check: Check) -> CheckResult:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await check.probe()
        except TimeoutError:
            if self._clock() - self._last_ok[check.name] < PATIENCE_SECONDS:
                return CheckResult(check.name, check.required)
            error = f"no answer within {TIMEOUT_SECONDS:g} s"
            return CheckResult(check.name, check.required, error)
        except Exception as exc:
            return CheckResult(check.name, check.required, described(exc))
        self._last_ok[check.name] = self._clock()
        return CheckResult(check.name, check.required)
