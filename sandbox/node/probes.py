# SPDX-License-Identifier: GPL-3.0-or-later
"""Startup, readiness and liveness probes: what to ask, how often, when an answer counts, and what follows from it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import typing as t
from dataclasses import dataclass

from sandbox.ports import listening

if t.TYPE_CHECKING:
    from sandbox.node.container import Container

Object = dict[str, t.Any]


@dataclass(frozen=True)
class Probe:
    """One probe with the API's defaults. Without `path` a connection is enough."""

    port: int
    path: str | None = "/"
    headers: tuple[tuple[str, str], ...] = ()
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3


def parse_probe(spec: Object | None, container: Object) -> Probe | None:
    """None when there is no probe, or one of a kind that a web application cannot be asked by."""
    if not spec or not ("httpGet" in spec or "tcpSocket" in spec):
        return None
    action = spec.get("httpGet") or spec["tcpSocket"]
    return Probe(
        port=port_number(action["port"], container),
        path=action.get("path", "/") if "httpGet" in spec else None,
        headers=tuple((h["name"], h["value"]) for h in action.get("httpHeaders") or ()),
        initial_delay=float(spec.get("initialDelaySeconds", 0)),
        period=float(spec.get("periodSeconds", 10)),
        timeout=float(spec.get("timeoutSeconds", 1)),
        success_threshold=int(spec.get("successThreshold", 1)),
        failure_threshold=int(spec.get("failureThreshold", 3)),
    )


def port_number(port: int | str, container: Object) -> int:
    for offered in container.get("ports") or ():
        if offered.get("name") == port:
            return int(offered["containerPort"])
    return int(port)


class ThresholdCounter:
    def __init__(self, probe: Probe, *, passing: bool) -> None:
        self._probe = probe
        self._result_run = 0
        self._last_result: bool | None = None
        self.passing = passing

    def observe(self, success: bool) -> bool:
        self._result_run = self._result_run + 1 if success is self._last_result else 1
        self._last_result = success
        threshold = self._probe.success_threshold if success else self._probe.failure_threshold
        if self._result_run >= threshold:
            self.passing = success
        return self.passing


async def run_probe(probe: Probe, address: str) -> str | None:
    """Perform the probe once. None: success; otherwise what went wrong, in the kubelet's words.

    By a fresh connection each time, as the kubelet does. Of the answer only the status counts, so no HTTP client reads
    it: fifty a second are most of what a sandbox does at rest.
    """
    where = f"{address}:{probe.port}"
    get = "" if probe.path is None else f'Get "http://{where}{probe.path}": '
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(probe.timeout):
            transport, answer = await loop.create_connection(
                lambda: _Answer(loop.create_future()), address, listening(probe.port)
            )
            try:
                if probe.path is None:
                    return None
                transport.write(_request(probe, where))
                status = int((await answer.line).split()[1])
            finally:
                transport.close()
    except TimeoutError:
        if get:
            return (
                f"{get}context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            )
        return f"dial tcp {where}: i/o timeout"
    except (OSError, ValueError, IndexError):
        return f"{get}dial tcp {where}: connect: connection refused"
    return None if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"


class _Answer(asyncio.Protocol):
    """Waits for the first line. An HTTP client, and even a stream, costs more than the rest of a probe."""

    def __init__(self, line: asyncio.Future[bytes]) -> None:
        self.line = line
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\n" in self._received and not self.line.done():
            self.line.set_result(self._received.partition(b"\n")[0])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self.line.done():
            self.line.set_result(b"")


def _request(probe: Probe, host: str) -> bytes:
    headers = {
        "Host": host,
        "User-Agent": "kube-probe/1.36",
        "Accept": "*/*",
        "Connection": "close",
        **dict(probe.headers),
    }
    lines = [f"GET {probe.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


POLL_SECONDS = 0.05
UNREADY_SECONDS = 1.0


class ProbeWorker:
    """One start of one container."""

    def __init__(self, container: Container, address: str) -> None:
        self._container = container
        self._address = address

    def _probe(self, kind: str) -> Probe | None:
        return parse_probe(self._container.spec.get(f"{kind}Probe"), self._container.spec)

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

    async def _passed_startup(self, probe: Probe) -> bool:
        counter = ThresholdCounter(probe, passing=True)
        async for failure in self._results(lambda: probe, "Startup"):
            if failure is None:
                return True
            if not counter.observe(False):
                self._container.kill_unhealthy("startup")
                return False
        return False

    async def _watch_readiness(self, probe: Probe) -> None:
        """While the container is not ready it is asked more often, to make it ready faster:
        https://kubernetes.io/docs/concepts/workloads/pods/probes/
        """
        counter = ThresholdCounter(probe, passing=False)
        often = dataclasses.replace(probe, period=min(probe.period, UNREADY_SECONDS))
        async for failure in self._results(
            lambda: probe if counter.passing else often, "Readiness"
        ):
            self._container.set_health(started=True, ready=counter.observe(failure is None))

    async def _watch_liveness(self, probe: Probe) -> None:
        counter = ThresholdCounter(probe, passing=True)
        async for failure in self._results(lambda: probe, "Liveness"):
            if not counter.observe(failure is None):
                self._container.kill_unhealthy("liveness")
                return

    async def _results(
        self, probe: t.Callable[[], Probe], name: str
    ) -> t.AsyncIterator[str | None]:
        """The probe's answers, for ever, one a period; a failed one is told as an event."""
        await asyncio.sleep(probe().initial_delay)
        while True:
            began = time.monotonic()
            failure = await run_probe(probe(), self._address)
            if failure is not None:
                self._container.event("Warning", "Unhealthy", f"{name} probe failed: {failure}")
            yield failure
            await asyncio.sleep(max(0.0, began + probe().period - time.monotonic()))
