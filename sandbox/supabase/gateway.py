# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's public address: /functions/v1 goes to the functions' workers, with the platform's errors."""

from __future__ import annotations

import asyncio
import time

from aiohttp import ClientError, ClientSession, web

from sandbox.faults import Faults
from sandbox.jwt import TokenError, verify
from sandbox.supabase.errors import RefusedError
from sandbox.supabase.functions import Function
from sandbox.supabase.management import effective
from sandbox.supabase.metrics import Metrics
from sandbox.supabase.proxy import exchange
from sandbox.supabase.runtime import Runtime
from sandbox.supabase.settings import NAME
from sandbox.supabase.store import Store
from sandbox.supabase.worker import BootError, BundleError, Worker

NOT_THERE = "Requested function was not found"
NOT_STARTED = "Function failed to start (please check logs)"
NOT_FINISHED = "Function exited due to an error (please check logs)"


def refused(status: int, code: str, message: str) -> RefusedError:
    return RefusedError(status, {"code": code, "message": message}, {"sb-error-code": code})


class FunctionsGateway:
    def __init__(
        self, store: Store, runtime: Runtime, faults: Faults, metrics: Metrics, jwt_secret: str
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._faults = faults
        self._metrics = metrics
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
        self._metrics.observe(label, request.method, response.status, seconds)
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
                await asyncio.sleep(float(fault.parameters.get("seconds", "2")))
            if fault.name == "errors":
                # As the edge runtime tells what nobody caught: https://github.com/supabase/edge-runtime/issues/206.
                self._runtime.log(function, "event loop error: Error: uncaught", is_error=True)
                raise refused(500, "WORKER_ERROR", NOT_FINISHED)

    def _check_token(self, request: web.Request) -> None:
        authorization = request.headers.get("Authorization")
        if authorization is None:
            raise RefusedError(401, {"code": 401, "message": "Missing authorization header"})
        try:
            verify(self._jwt_secret, authorization.removeprefix("Bearer "), now=time.time())
        except TokenError as exc:
            raise RefusedError(401, {"code": 401, "message": str(exc)}) from exc
