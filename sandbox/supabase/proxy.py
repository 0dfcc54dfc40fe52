# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries one HTTP exchange from the gateway to a worker and back, bodies streamed in both directions."""

from __future__ import annotations

import typing as t

from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from sandbox.hop_by_hop import end_to_end

# Up to this size a body is carried in one piece, which costs far less than a stream.
ONE_PIECE = 64 * 1024
IDLE_SECONDS = 150.0
NO_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


def client_session() -> ClientSession:
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=60.0),
        timeout=ClientTimeout(total=None, sock_connect=5.0, sock_read=IDLE_SECONDS),
        auto_decompress=False,
        skip_auto_headers=NO_AUTOMATIC_HEADERS,
    )


async def exchange(
    session: ClientSession, request: web.Request, worker_url: str, path: str
) -> web.StreamResponse:
    """Raises aiohttp.ClientError when the worker does not answer."""
    query = request.rel_url.raw_query_string
    url = URL(f"{worker_url}{path}{'?' if query else ''}{query}", encoded=True)
    async with session.request(
        request.method,
        url,
        headers=_request_headers(request),
        data=await _request_body(request),
        allow_redirects=False,
    ) as answer:
        headers = end_to_end(answer.headers)
        length = answer.content_length
        if length is not None and length <= ONE_PIECE:
            return web.Response(body=await answer.read(), status=answer.status, headers=headers)
        return await _streamed(request, answer, headers)


async def _request_body(request: web.Request) -> t.Any:
    if not request.body_exists:
        return None
    length = request.content_length
    if length is not None and length <= ONE_PIECE:
        return await request.read()
    return request.content.iter_any()


async def _streamed(
    request: web.Request, answer: ClientResponse, headers: CIMultiDict[str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def _request_headers(request: web.Request) -> CIMultiDict[str]:
    headers = end_to_end(request.headers)
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-For"] = request.remote or ""
    return headers
