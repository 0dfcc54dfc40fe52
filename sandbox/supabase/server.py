# SPDX-License-Identifier: GPL-3.0-or-later
"""The project in one process with two listeners: `python -m sandbox.supabase.server <state folder>`.

Before every call of the Management API stand faults, token, rate limit, JSON errors.
"""

from __future__ import annotations

import asyncio
import hmac
import sys
import time
import typing as t
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from sandbox.faults import Faults
from sandbox.serving import stop_event
from sandbox.supabase.data import Data
from sandbox.supabase.errors import ApiError, RefusedError
from sandbox.supabase.functions import MAX_UPLOAD
from sandbox.supabase.gateway import FunctionsGateway, RestGateway, client_session
from sandbox.supabase.management import FunctionsApi, ProjectApi
from sandbox.supabase.runtime import Runtime
from sandbox.supabase.settings import NAME, Settings, read_settings
from sandbox.supabase.store import FunctionLogs, Store
from sandbox.world import World

Handler = t.Callable[[web.Request], t.Awaitable[web.StreamResponse]]
REQUESTS_A_MINUTE = 120
WINDOW_SECONDS = 60
MANAGEMENT = "management"
"""The target by which a fault means the Management API and no function."""


@dataclass
class Window:
    """The calls of one endpoint in the minute that ends at `ends`, on the monotonic clock."""

    ends: float
    used: int = 0


class RateLimit:
    """So many calls a minute to each endpoint, then none until the minute is over."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Window] = {}

    def admit(self, endpoint: tuple[str, str], *, limit: int, now: float) -> dict[str, str]:
        """The headers that tell what is left; raises ApiError 429 when nothing is."""
        window = self._windows.get(endpoint)
        if window is None or window.ends <= now:
            window = self._windows[endpoint] = Window(ends=now + WINDOW_SECONDS)
        window.used += 1
        reset = str(max(1, round(window.ends - now)))
        if window.used > limit:
            raise throttled(limit, reset)
        return rate_headers(limit, limit - window.used, reset)


def rate_headers(limit: int, remaining: int, reset: str) -> dict[str, str]:
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    return dict(zip(names, (str(limit), str(remaining), reset), strict=True))


def throttled(limit: int, reset: str) -> ApiError:
    headers = {**rate_headers(limit, 0, reset), "Retry-After": reset}
    return ApiError(429, "ThrottlerException: Too Many Requests", headers)


class Admission:
    def __init__(self, faults: Faults, access_token: str, project_ref: str) -> None:
        self._faults = faults
        self._project_ref = project_ref
        self._authorization = f"Bearer {access_token}".encode()
        self._rates = RateLimit()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            headers = await self._admit(request)
            response = await handler(request)
        except RefusedError as exc:
            return exc.to_response()
        except web.HTTPException as exc:
            message = f"Cannot {request.method} {request.path}" if exc.status == 404 else exc.reason
            return ApiError(exc.status, message).to_response()
        if not response.prepared:
            response.headers.update(headers)
        return response

    async def _admit(self, request: web.Request) -> dict[str, str]:
        await self._apply_faults()
        if self._faults.active(NAME, "unauthorized", MANAGEMENT):
            raise ApiError(401, "Unauthorized")
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, self._authorization):
            raise ApiError(401, "Unauthorized" if given else "JWT could not be decoded")
        if request.match_info.get("ref", self._project_ref) != self._project_ref:
            # As of another account's project, or of none: https://github.com/supabase/cli/issues/4802.
            raise ApiError(
                403, "Your account does not have the necessary privileges to access this endpoint."
            )
        resource = request.match_info.route.resource
        endpoint = (request.method, resource.canonical if resource else request.path)
        return self._rates.admit(endpoint, limit=self._limit(), now=time.monotonic())

    async def _apply_faults(self) -> None:
        if slow := self._faults.active(NAME, "slow", MANAGEMENT):
            await asyncio.sleep(slow.number("seconds", 2))
        if self._faults.active(NAME, "errors", MANAGEMENT):
            raise ApiError(500, "Internal Server Error")

    def _limit(self) -> int:
        """The fault `rate-limited` refuses at once, or after so many calls a minute."""
        fault = self._faults.active(NAME, "rate-limited", MANAGEMENT)
        if fault is None:
            return REQUESTS_A_MINUTE
        limit = int(fault.number("limit", 0))
        if limit == 0:
            raise throttled(REQUESTS_A_MINUTE, fault.parameters.get("retry_after", "1"))
        return limit


async def serve(settings: Settings) -> None:
    faults, logs, registry = Faults(settings.faults_file), FunctionLogs(), CollectorRegistry()
    store = Store(settings.folder)
    data = Data(settings.database_url)
    runtime = Runtime(settings, store, logs)
    functions = FunctionsGateway(store, runtime, faults, registry, settings.jwt_secret)

    admission = Admission(faults, settings.access_token, settings.project_ref)
    management = web.Application(middlewares=[admission.middleware], client_max_size=MAX_UPLOAD)
    management.add_routes(FunctionsApi(store, runtime, faults, settings.project_ref).routes())
    management.add_routes(ProjectApi(store, runtime, logs, data).routes())
    gateway = web.Application()
    gateway.add_routes(functions.routes())
    gateway.add_routes(RestGateway(settings, data, registry).routes())

    async with AsyncExitStack() as stack:
        stack.push_async_callback(data.close)
        stack.push_async_callback(runtime.close)
        functions.session = await stack.enter_async_context(client_session())
        for app, port in (
            (management, settings.management_port),
            (gateway, settings.gateway_port),
        ):
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", port).start()
        await stop_event().wait()


if __name__ == "__main__":
    asyncio.run(serve(read_settings(World(Path(sys.argv[1])))))
