# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway, `python -m sandbox.gateway.server <state folder>`: its own pages, faults and figures.

All else goes to a pod, and to another one when the first could not have begun to work on it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter
from yarl import URL

from sandbox.faults import Faults
from sandbox.gateway.routes import Endpoints, Object, Target, follow, public_name, resolve
from sandbox.metrics import HttpMetrics, page
from sandbox.node.client import Client
from sandbox.ports import reached
from sandbox.serving import end_to_end, until_stopped
from sandbox.world import World

# The body's length is made anew beside what belongs to one connection.
SET_ANEW = ("content-length",)
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# By it whoever asks says that the same may be asked twice.
REPEATABLE = "Idempotency-Key"
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=3)


# Nothing of the request reached the pod.
CONNECT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
# The pod closed the connection before any byte of its answer.
CLOSED_ERRORS = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@dataclass(eq=False)
class UpstreamError(Exception):
    """Why a pod's answer could not be had: the status and the one-word reason to answer with."""

    status: int
    reason: str
    message: str


@dataclass
class Proxy:
    """`on_retry` is told the service and the reason of each second try."""

    session: aiohttp.ClientSession
    endpoints: Endpoints
    on_retry: t.Callable[[str, str], None]

    async def forward(self, request: web.BaseRequest, target: Target) -> web.Response:
        """The pod's answer. Raises UpstreamError when there is none."""
        first = self.endpoints.choose(target.service, unready=target.health)
        if first is None:
            raise self._no_endpoints(target.service)
        body = await request.read() if request.body_exists else None
        try:
            return await self._exchange(request, target, first, body)
        except UpstreamError as exc:
            # Doing twice what a pod may have done already is worse than saying so.
            again = exc.reason == "ConnectFailed" or (
                exc.reason == "ClosedEarly"
                and (request.method in IDEMPOTENT or REPEATABLE in request.headers)
            )
            if not again:
                raise
            second = self.endpoints.choose(target.service, but=first, unready=target.health)
            if second is None:
                raise
            self.on_retry(target.service, exc.reason)
        return await self._exchange(request, target, second, body)

    async def _exchange(
        self, request: web.BaseRequest, target: Target, address: str, body: bytes | None
    ) -> web.Response:
        query = request.rel_url.raw_query_string
        url = f"http://{reached(address)}{target.path}{'?' if query else ''}{query}"
        headers = end_to_end(request.headers, without=SET_ANEW)
        headers["X-Forwarded-For"] = request.remote or "unknown"
        try:
            async with self.session.request(
                request.method,
                URL(url, encoded=True),
                data=body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
        except CONNECT_ERRORS as exc:
            raise _failed(target.service, address, "ConnectFailed", exc) from exc
        except CLOSED_ERRORS as exc:
            raise _failed(target.service, address, "ClosedEarly", exc) from exc
        except aiohttp.ClientPayloadError as exc:
            raise _failed(target.service, address, "AnswerBrokeOff", exc) from exc
        except TimeoutError as exc:
            raise _failed(target.service, address, "TimedOut", exc, 504) from exc
        answered = end_to_end(answer.headers, without=SET_ANEW)
        return web.Response(status=answer.status, body=content, headers=answered)

    def _no_endpoints(self, service: str) -> UpstreamError:
        _, known = self.endpoints.counts(service)
        message = f"None of the {known} pods of {service} is ready." if known else "It has no pods."
        return UpstreamError(503, "NoReadyEndpoint", message)


def _failed(
    service: str, address: str, reason: str, exc: Exception, status: int = 502
) -> UpstreamError:
    detail = f"{type(exc).__name__}: {exc}".removesuffix(": ")
    return UpstreamError(status, reason, f"{service} at {address}: {detail}")


NAME = "gateway"


class Figures:
    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = HttpMetrics(self.registry, NAME)
        self._upstream = Counter(
            "gateway_upstream_requests_total",
            "Requests by the service they were for.",
            ("upstream", "status"),
            registry=self.registry,
        )
        self._retries = Counter(
            "gateway_retries_total",
            "Second tries on another pod.",
            ("upstream", "reason"),
            registry=self.registry,
        )

    def answered(self, method: str, upstream: str, status: int, seconds: float) -> None:
        self._requests.observe(method=method, status=status, seconds=seconds)
        self._upstream.labels(upstream, str(status)).inc()

    def retried(self, upstream: str, reason: str) -> None:
        self._retries.labels(upstream, reason).inc()


class Server:
    def __init__(self, proxy: Proxy, faults: Faults, figures: Figures) -> None:
        self._proxy = proxy
        self._faults = faults
        self._figures = figures
        self._services: frozenset[str] = frozenset()

    def set_services(self, services: t.Iterable[Object]) -> None:
        self._services = frozenset(map(public_name, services))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/healthz":
            known = bool(self._services) and self._proxy.endpoints.known
            body = {"status": "ok" if known else "starting", "services": sorted(self._services)}
            return web.json_response(body, status=200 if known else 503)
        if request.path == "/metrics":
            return page(self._figures.registry)
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
        service = target.service.rpartition("/")[2]
        if (slow := self._faults.active(NAME, "slow", service)) is not None:
            await asyncio.sleep(slow.number("seconds", 3))
        if (errors := self._faults.active(NAME, "errors", service)) is not None:
            percent = errors.number("percent", 100)
            if random.uniform(0, 100) < percent:  # noqa: S311 - chance, not secrecy
                return refusal(target.service, 500, "InjectedFault", "The fault 'errors' is set.")
        try:
            return await self._proxy.forward(request, target)
        except UpstreamError as exc:
            return refusal(target.service, exc.status, exc.reason, exc.message)


def refusal(service: str, status: int, reason: str, message: str) -> web.Response:
    body = {"error": message, "service": service, "reason": reason}
    return web.json_response(body, status=status)


async def serve(world: World) -> None:
    facts = world.facts("kubernetes")
    api = Client(facts["server"], facts["token"], facts["ca_cert"], agent="gateway/1")
    # Shorter than a pod keeps an idle connection, so that no request meets one just being closed.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
    pods = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, auto_decompress=False)
    endpoints, figures = Endpoints(), Figures()
    server = Server(Proxy(pods, endpoints, figures.retried), Faults(world.faults_file), figures)
    async with api, pods:
        runner = web.ServerRunner(web.Server(server.handle, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", world.port("gateway")).start()
        await until_stopped(
            follow(api, "services", server.set_services),
            follow(api, "endpointslices", endpoints.replace),
        )
        await runner.cleanup()


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(World(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
