# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's public address, with its own metrics, in the words that the services use for theirs.

/functions/v1 goes to the functions' workers, with the platform's errors and bodies streamed in both directions;
/rest/v1 and /auth/v1/health stand behind the project's keys.
"""

from __future__ import annotations

import asyncio
import hmac
import time
import typing as t

import jwt
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, web
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry
from yarl import URL

from sandbox.faults import Faults
from sandbox.metrics import HttpMetrics, page
from sandbox.serving import end_to_end
from sandbox.supabase.data import Data
from sandbox.supabase.errors import RefusedError
from sandbox.supabase.functions import Function
from sandbox.supabase.management import effective
from sandbox.supabase.runtime import BootError, BundleError, Runtime, Worker
from sandbox.supabase.settings import NAME, Settings
from sandbox.supabase.store import Store

SERVICE = "supabase-functions"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


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


POSTGREST_VERSION = "14.1"
NO_KEY = {
    "message": "No API key found in request",
    "hint": "No `apikey` request header or url param was found.",
}
WRONG_KEY = {
    "message": "Invalid API key",
    "hint": "Double check your Supabase `anon` or `service_role` API key.",
}
FORBIDDEN_SCHEMA = {
    "message": "Access to schema is forbidden",
    "hint": "Accessing the schema via the REST API is only allowed using a secret API key.",
}


class RestGateway:
    def __init__(self, settings: Settings, data: Data, registry: CollectorRegistry) -> None:
        self._roles = {settings.anon_key: "anon", settings.service_role_key: "service_role"}
        self._data = data
        self._registry = registry

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/rest/v1/", self.schema),
            web.get("/rest/v1/{table}", self.table),
            web.get("/auth/v1/health", self.auth_health),
            web.get("/metrics", self.metrics),
        ]

    async def schema(self, request: web.Request) -> web.Response:
        try:
            if self._role(request) != "service_role":
                raise RefusedError(403, FORBIDDEN_SCHEMA)
            return web.json_response(openapi(await self._data.tables()))
        except RefusedError as exc:
            return exc.to_response()

    async def table(self, request: web.Request) -> web.Response:
        try:
            role = self._role(request)
            table = request.match_info["table"]
            rows = await self._data.select(table, request.query.items(), role=role)
            return web.json_response(rows)
        except RefusedError as exc:
            return exc.to_response()

    async def auth_health(self, request: web.Request) -> web.Response:
        try:
            self._role(request)
        except RefusedError as exc:
            return exc.to_response()
        description = "GoTrue is a user registration and authentication API"
        return web.json_response(
            {"version": "v2.180.0", "name": "GoTrue", "description": description}
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        return page(self._registry)

    def _role(self, request: web.Request) -> str:
        given = request.headers.get("apikey") or request.query.get("apikey")
        if not given:
            raise RefusedError(401, NO_KEY)
        for key, role in self._roles.items():
            if hmac.compare_digest(given.encode(), key.encode()):
                return role
        raise RefusedError(401, WRONG_KEY)


def openapi(tables: list[str]) -> dict[str, object]:
    """What PostgREST tells about itself; its version is what clients read."""
    paths = {f"/{table}": {"get": {"tags": [table]}} for table in tables}
    return {
        "swagger": "2.0",
        "info": {"title": "standard public schema", "version": POSTGREST_VERSION},
        "basePath": "/",
        "paths": {"/": {"get": {"tags": ["Introspection"]}}, **paths},
    }


NOT_THERE = "Requested function was not found"
NOT_STARTED = "Function failed to start (please check logs)"
NOT_FINISHED = "Function exited due to an error (please check logs)"


def refused(status: int, code: str, message: str) -> RefusedError:
    return RefusedError(status, {"code": code, "message": message}, {"sb-error-code": code})


class FunctionsGateway:
    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        faults: Faults,
        registry: CollectorRegistry,
        jwt_secret: str,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._faults = faults
        self._metrics = HttpMetrics(registry, SERVICE, "function", buckets=BUCKETS)
        self._jwt_secret = jwt_secret
        self.session: ClientSession | None = None
        """Opened and closed with the application: workers' connections are kept alive."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/functions/v1/{slug}", self.handle),
            web.route("*", "/functions/v1/{slug}/{rest:.*}", self.handle),
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        slug = request.match_info["slug"]
        function = self._store.functions.get(slug)
        try:
            if function is None:
                raise refused(404, "NOT_FOUND", NOT_THERE)
            response = await self._answer(request, function)
        except RefusedError as exc:
            response = exc.to_response()
        # A stranger's path must not become a label: labels are kept for ever.
        label = slug if function else "unknown"
        seconds = time.perf_counter() - started
        self._metrics.observe(label, method=request.method, status=response.status, seconds=seconds)
        return response

    async def _answer(self, request: web.Request, function: Function) -> web.StreamResponse:
        await self._apply_faults(function)
        if effective(function, self._faults).verify_jwt and request.method != "OPTIONS":
            self._check_token(request)
        worker = self._runtime.live(function.slug) or await self._booted(function)
        path = request.rel_url.raw_path.removeprefix("/functions/v1")
        assert self.session is not None  # noqa: S101
        with worker.serving() as url:
            try:
                return await exchange(self.session, request, url, path)
            except (ClientError, TimeoutError) as exc:
                if isinstance(exc, ClientError):
                    # It died, which is seen here before its exit code is there.
                    self._runtime.retire(function.slug, worker)
                raise refused(500, "WORKER_ERROR", NOT_FINISHED) from exc

    async def _booted(self, function: Function) -> Worker:
        try:
            return await self._runtime.boot(function)
        except (BootError, BundleError) as exc:
            raise refused(503, "BOOT_ERROR", NOT_STARTED) from exc

    async def _apply_faults(self, function: Function) -> None:
        if self._faults.active(NAME, "missing-blob", function.slug):
            raise refused(404, "NOT_FOUND_FUNCTION_BLOB", NOT_THERE)
        for fault in self._faults.all():
            if (fault.component, fault.target) != (NAME, function.slug):
                continue
            if fault.name == "slow":
                await asyncio.sleep(fault.number("seconds", 2))
            if fault.name == "errors":
                # As the edge runtime tells what nobody caught: https://github.com/supabase/edge-runtime/issues/206.
                self._runtime.log(function, "event loop error: Error: uncaught", is_error=True)
                raise refused(500, "WORKER_ERROR", NOT_FINISHED)

    def _check_token(self, request: web.Request) -> None:
        authorization = request.headers.get("Authorization")
        if authorization is None:
            raise RefusedError(401, {"code": 401, "message": "Missing authorization header"})
        try:
            jwt.decode(
                authorization.removeprefix("Bearer "), self._jwt_secret, algorithms=["HS256"]
            )
        except (jwt.ExpiredSignatureError, jwt.InvalidSignatureError) as exc:
            raise RefusedError(401, {"code": 401, "message": "Invalid JWT"}) from exc
        except jwt.InvalidTokenError as exc:
            message = "Invalid Token or Protected Header formatting"
            raise RefusedError(401, {"code": 401, "message": message}) from exc
