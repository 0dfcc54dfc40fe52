# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's web server: its own pages, faults and figures. All else goes to the proxy."""

from __future__ import annotations

import asyncio
import random
import time
import typing as t

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from sandbox.gateway.paths import Target, resolve
from sandbox.gateway.proxy import UpstreamError

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.gateway.endpoints import Object
    from sandbox.gateway.proxy import Proxy

NAME = "gateway"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)


class Figures:
    """What the gateway counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "http_requests_total",
            "Requests answered.",
            ("service", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "How long an answer took.",
            ("service",),
            buckets=BUCKETS,
            registry=self._registry,
        ).labels(NAME)
        self._upstream = Counter(
            "gateway_upstream_requests_total",
            "Requests by the service they were for.",
            ("upstream", "status"),
            registry=self._registry,
        )
        self._retries = Counter(
            "gateway_retries_total",
            "Second tries on another pod.",
            ("upstream", "reason"),
            registry=self._registry,
        )

    def answered(self, method: str, upstream: str, status: int, seconds: float) -> None:
        self._requests.labels(NAME, method, str(status)).inc()
        self._upstream.labels(upstream, str(status)).inc()
        self._seconds.observe(seconds)

    def retried(self, upstream: str, reason: str) -> None:
        self._retries.labels(upstream, reason).inc()

    def page(self) -> bytes:
        return generate_latest(self._registry)


class Server:
    """`synced` tells whether the cluster's services and endpoints are known yet."""

    def __init__(
        self, proxy: Proxy, faults: Faults, figures: Figures, synced: t.Callable[[], bool]
    ) -> None:
        self._proxy = proxy
        self._faults = faults
        self._figures = figures
        self._synced = synced
        self._services: frozenset[str] = frozenset()

    def set_services(self, services: t.Iterable[Object]) -> None:
        self._services = frozenset(service["metadata"]["name"] for service in services)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/healthz":
            known = self._synced()
            body = {"status": "ok" if known else "starting", "services": sorted(self._services)}
            return web.json_response(body, status=200 if known else 503)
        if request.path == "/metrics":
            headers = {"Content-Type": "text/plain; version=0.0.4"}
            return web.Response(body=self._figures.page(), headers=headers)
        started = time.perf_counter()
        target = resolve(request.rel_url.raw_path, self._services)
        if target is None:
            response = refusal("", 404, "NoSuchRoute", f"Nothing is served at {request.path}.")
        else:
            response = await self._answer(request, target)
        upstream = target.service if target else ""
        seconds = time.perf_counter() - started
        self._figures.answered(request.method, upstream, response.status, seconds)
        return response

    async def _answer(self, request: web.BaseRequest, target: Target) -> web.Response:
        if (slow := self._faults.active(NAME, "slow", target.service)) is not None:
            await asyncio.sleep(float(slow.parameters.get("seconds", "3")))
        if (errors := self._faults.active(NAME, "errors", target.service)) is not None:
            percent = float(errors.parameters.get("percent", "100"))
            if random.uniform(0, 100) < percent:  # noqa: S311 - chance, not secrecy
                return refusal(target.service, 500, "InjectedFault", "The fault 'errors' is set.")
        try:
            return await self._proxy.forward(request, target)
        except UpstreamError as exc:
            return refusal(target.service, exc.status, exc.reason, exc.message)


def refusal(service: str, status: int, reason: str, message: str) -> web.Response:
    body = {"error": message, "service": service, "reason": reason}
    return web.json_response(body, status=status)
