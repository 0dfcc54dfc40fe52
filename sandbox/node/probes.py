# SPDX-License-Identifier: GPL-3.0-or-later
"""Startup, readiness and liveness probes: what to ask, how often, and when an answer counts."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass

import aiohttp

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
    """A number, or the container's port of that name."""
    for offered in container.get("ports") or ():
        if offered.get("name") == port:
            return int(offered["containerPort"])
    return int(port)


class ThresholdCounter:
    """Counts equal results in a row against the thresholds."""

    def __init__(self, probe: Probe, *, passing: bool) -> None:
        self._probe = probe
        self._result_run = 0
        self._last_result: bool | None = None
        self.passing = passing

    def observe(self, success: bool) -> bool:
        """Count one result; whether the probe passes now."""
        self._result_run = self._result_run + 1 if success is self._last_result else 1
        self._last_result = success
        threshold = self._probe.success_threshold if success else self._probe.failure_threshold
        if self._result_run >= threshold:
            self.passing = success
        return self.passing


async def run_probe(probe: Probe, address: str, session: aiohttp.ClientSession) -> str | None:
    """Perform the probe once. None: success; otherwise what went wrong, in the kubelet's words."""
    if probe.path is None:
        return await _connect(probe, address)
    url = f"http://{address}:{probe.port}{probe.path}"
    headers = {"User-Agent": "kube-probe/1.36", **dict(probe.headers)}
    try:
        async with session.get(
            url,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=probe.timeout),
        ) as answer:
            if 200 <= answer.status < 400:
                return None
            return f"HTTP probe failed with statuscode: {answer.status}"
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return f'Get "{url}": {why}'
    except aiohttp.ClientError:
        return f'Get "{url}": dial tcp {address}:{probe.port}: connect: connection refused'


async def _connect(probe: Probe, address: str) -> str | None:
    try:
        async with asyncio.timeout(probe.timeout):
            _, writer = await asyncio.open_connection(address, probe.port)
    except TimeoutError:
        return f"dial tcp {address}:{probe.port}: i/o timeout"
    except OSError:
        return f"dial tcp {address}:{probe.port}: connect: connection refused"
    writer.close()
    return None
