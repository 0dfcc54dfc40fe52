# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a container's probes, and reports whether it started, is ready, or must be restarted."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import typing as t

from sandbox.node import probes

Object = dict[str, t.Any]

POLL_SECONDS = 0.05
UNREADY_SECONDS = 1.0


class ProbedContainer(t.Protocol):
    """What a probe reads of a container, and changes."""

    spec: Object

    @property
    def process_started(self) -> bool: ...

    def set_health(self, *, started: bool, ready: bool) -> None: ...

    def event(self, kind: str, reason: str, message: str) -> None: ...

    def kill_unhealthy(self, probe: str) -> None: ...


class ProbeWorker:
    """One start of one container."""

    def __init__(self, container: ProbedContainer, address: str) -> None:
        self._container = container
        self._address = address

    def _probe(self, kind: str) -> probes.Probe | None:
        return probes.parse_probe(self._container.spec.get(f"{kind}Probe"), self._container.spec)

    async def run(self) -> None:
        startup = self._probe("startup")
        if startup is None:
            while not self._container.process_started:
                await asyncio.sleep(POLL_SECONDS)
        elif not await self._passed_startup(startup):
            return
        readiness, liveness = self._probe("readiness"), self._probe("liveness")
        self._container.set_health(started=True, ready=readiness is None)
        async with asyncio.TaskGroup() as group:
            if readiness is not None:
                group.create_task(self._watch_readiness(readiness))
            if liveness is not None:
                group.create_task(self._watch_liveness(liveness))

    async def _passed_startup(self, probe: probes.Probe) -> bool:
        counter = probes.ThresholdCounter(probe, passing=True)
        async for failure in self._results(lambda: probe, "Startup"):
            if failure is None:
                return True
            if not counter.observe(False):
                self._container.kill_unhealthy("startup")
                return False
        return False

    async def _watch_readiness(self, probe: probes.Probe) -> None:
        """While the container is not ready it is asked more often, to make it ready faster:
        https://kubernetes.io/docs/concepts/workloads/pods/probes/
        """
        counter = probes.ThresholdCounter(probe, passing=False)
        often = dataclasses.replace(probe, period=min(probe.period, UNREADY_SECONDS))
        async for failure in self._results(
            lambda: probe if counter.passing else often, "Readiness"
        ):
            self._container.set_health(started=True, ready=counter.observe(failure is None))

    async def _watch_liveness(self, probe: probes.Probe) -> None:
        counter = probes.ThresholdCounter(probe, passing=True)
        async for failure in self._results(lambda: probe, "Liveness"):
            if not counter.observe(failure is None):
                self._container.kill_unhealthy("liveness")
                return

    async def _results(
        self, probe: t.Callable[[], probes.Probe], name: str
    ) -> t.AsyncIterator[str | None]:
        """The probe's answers, for ever, one a period; a failed one is told as an event."""
        await asyncio.sleep(probe().initial_delay)
        while True:
            began = time.monotonic()
            failure = await probes.run_probe(probe(), self._address)
            if failure is not None:
                self._container.event("Warning", "Unhealthy", f"{name} probe failed: {failure}")
            yield failure
            await asyncio.sleep(max(0.0, began + probe().period - time.monotonic()))
