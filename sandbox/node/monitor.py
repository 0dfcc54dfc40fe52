# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a running container's probes in turn, and says when it started, is ready, or must be restarted."""

from __future__ import annotations

import asyncio
import time
import typing as t

from sandbox.node import probes

if t.TYPE_CHECKING:
    import aiohttp

Object = dict[str, t.Any]

LOOK_EVERY = 0.05


class Patient(t.Protocol):
    """The container, as far as its health goes."""

    spec: Object

    @property
    def process_started(self) -> bool: ...

    def set_health(self, *, started: bool, ready: bool) -> None: ...

    def event(self, kind: str, reason: str, message: str) -> None: ...

    def kill_unhealthy(self, probe: str) -> None: ...


class Monitor:
    """One start of one container."""

    def __init__(self, patient: Patient, address: str, session: aiohttp.ClientSession) -> None:
        self._patient = patient
        self._address = address
        self._session = session

    def _probe(self, kind: str) -> probes.Probe | None:
        return probes.parse_probe(self._patient.spec.get(f"{kind}Probe"), self._patient.spec)

    async def run(self) -> None:
        startup = self._probe("startup")
        if startup is None:
            while not self._patient.process_started:
                await asyncio.sleep(LOOK_EVERY)
        elif not await self._passed_startup(startup):
            return
        readiness, liveness = self._probe("readiness"), self._probe("liveness")
        self._patient.set_health(started=True, ready=readiness is None)
        async with asyncio.TaskGroup() as group:
            if readiness is not None:
                group.create_task(self._watch_readiness(readiness))
            if liveness is not None:
                group.create_task(self._watch_liveness(liveness))

    async def _passed_startup(self, probe: probes.Probe) -> bool:
        verdict = probes.Verdict(probe, passing=True)
        async for failure in self._answers(probe, "Startup"):
            if failure is None:
                return True
            if not verdict.observe(False):
                self._patient.kill_unhealthy("startup")
                return False
        return False

    async def _watch_readiness(self, probe: probes.Probe) -> None:
        verdict = probes.Verdict(probe, passing=False)
        async for failure in self._answers(probe, "Readiness"):
            self._patient.set_health(started=True, ready=verdict.observe(failure is None))

    async def _watch_liveness(self, probe: probes.Probe) -> None:
        verdict = probes.Verdict(probe, passing=True)
        async for failure in self._answers(probe, "Liveness"):
            if not verdict.observe(failure is None):
                self._patient.kill_unhealthy("liveness")
                return

    async def _answers(self, probe: probes.Probe, name: str) -> t.AsyncIterator[str | None]:
        """The probe's answers, for ever, one a period; a failed one is told as an event."""
        await asyncio.sleep(probe.initial_delay)
        while True:
            asked = time.monotonic()
            failure = await probes.ask(probe, self._address, self._session)
            if failure is not None:
                self._patient.event("Warning", "Unhealthy", f"{name} probe failed: {failure}")
            yield failure
            await asyncio.sleep(max(0.0, asked + probe.period - time.monotonic()))
