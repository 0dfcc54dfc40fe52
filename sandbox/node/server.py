# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's process: a web application on its pod's address that ends gracefully."""

from __future__ import annotations

import asyncio
import typing as t

from aiohttp import web

# A request that was routed here before the endpoint went may still arrive after SIGTERM.
DRAIN_SECONDS = 0.3


class Server:
    """Serves `app`, but for the paths that it `refuses`.

    After `drain` begins every answer asks the client to close the connection.
    """

    def __init__(self, app: web.Application, *, refuses: t.Callable[[str], bool]) -> None:
        self._app = app
        self._draining = False
        self._refuses = refuses
        self._runner: web.AppRunner | None = None
        app.middlewares.insert(0, self._guard())
        app.on_response_prepare.append(self._before_answer)

    def _guard(self) -> t.Any:
        @web.middleware
        async def guard(
            request: web.Request,
            handler: t.Callable[[web.Request], t.Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            if self._refuses(request.path):
                return web.json_response({"status": "fail"}, status=503)
            return await handler(request)

        return guard

    async def _before_answer(self, _request: web.Request, response: web.StreamResponse) -> None:
        if self._draining:
            response.force_close()

    async def start(self, address: str, ports: t.Iterable[int]) -> None:
        """Listen. Anything the application raises in its start-up, and OSError, comes through."""
        self._runner = web.AppRunner(
            self._app, access_log=None, handle_signals=False, shutdown_timeout=60
        )
        await self._runner.setup()
        for port in ports:
            await web.TCPSite(self._runner, address, port, backlog=128).start()

    async def drain(self, grace: float) -> bool:
        """Stop accepting, finish what is in flight within `grace` seconds. False: it was cut off."""
        if self._runner is None:
            return True
        self._draining = True
        await asyncio.sleep(min(DRAIN_SECONDS, max(0.0, grace)))
        try:
            async with asyncio.timeout(max(0.1, grace - DRAIN_SECONDS)):
                await self._runner.cleanup()
        except TimeoutError:
            await self.kill()
            return False
        return True

    async def kill(self) -> None:
        """End at once, as SIGKILL does: open connections break."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        server = runner.server
        if server is not None:
            for connection in server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await server.shutdown(0)
        await self._app.cleanup()
