# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands a request to a pod, and to another one when the first could not have begun to work on it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

from sandbox.gateway.endpoints import Endpoints
from sandbox.gateway.paths import Target
from sandbox.hop_by_hop import end_to_end

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


class UpstreamError(Exception):
    """Why a pod's answer could not be had: the status and the one-word reason to answer with."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


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
        url = f"http://{address}{target.path}{'?' if query else ''}{query}"
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
        kept = end_to_end(answer.headers, without=SET_ANEW)
        return web.Response(status=answer.status, body=content, headers=kept)

    def _no_endpoints(self, service: str) -> UpstreamError:
        _, known = self.endpoints.counts(service)
        message = f"None of the {known} pods of {service} is ready." if known else "It has no pods."
        return UpstreamError(503, "NoReadyEndpoint", message)


def _failed(
    service: str, address: str, reason: str, exc: Exception, status: int = 502
) -> UpstreamError:
    detail = f"{type(exc).__name__}: {exc}".removesuffix(": ")
    return UpstreamError(status, reason, f"{service} at {address}: {detail}")
