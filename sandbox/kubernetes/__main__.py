# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m sandbox.kubernetes <state folder>`: the API server and its controllers, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import typing as t
from pathlib import Path

from aiohttp import web

from sandbox.faults import Faults
from sandbox.kubernetes import controllers
from sandbox.kubernetes.component import NAME
from sandbox.kubernetes.server import AUTHORIZER, FAULT_POLL_SECONDS, application, new_store
from sandbox.kubernetes.store import Store
from sandbox.shutdown import stop_event
from sandbox.world import World


async def serve(world: World) -> None:
    store, faults = new_store(), Faults(world.faults_file)
    runner = web.AppRunner(
        application(store, faults, world.secret("kubernetes-token")),
        access_log=None, shutdown_timeout=1, handler_cancellation=True,
    )  # fmt: skip
    await runner.setup()
    stopped = asyncio.create_task(stop_event().wait())
    while not stopped.done():
        await _while_up(runner, world, store, faults, stopped)
        while faults.active(NAME, "down") and not stopped.done():
            await asyncio.sleep(FAULT_POLL_SECONDS)
        runner.app[AUTHORIZER].restart()
    await runner.cleanup()


async def _while_up(
    runner: web.AppRunner,
    world: World,
    store: Store,
    faults: Faults,
    stopped: asyncio.Task[t.Literal[True]],
) -> None:
    """Listen and reconcile until the end or the fault `down`.

    A controller that fails ends the server, so that nobody waits for a dead cluster. While the
    server is down controllers rest, as real ones must: they would take its silence for the nodes'.
    """
    certificate = world.certificate(NAME)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert, certificate.key)
    site = web.TCPSite(runner, "127.0.0.1", world.port(NAME), ssl_context=context)
    await site.start()
    reconciling = asyncio.create_task(controllers.run(store, faults))
    down = asyncio.create_task(_wait_for_down_fault(faults))
    await asyncio.wait({reconciling, stopped, down}, return_when=asyncio.FIRST_COMPLETED)
    if reconciling.done():
        reconciling.result()
    for task in (reconciling, down):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    if not stopped.done():
        await site.stop()
        for connection in t.cast("web.Server", runner.server).connections:
            if connection.transport is not None:
                connection.transport.abort()


async def _wait_for_down_fault(faults: Faults) -> None:
    while faults.active(NAME, "down") is None:
        await asyncio.sleep(FAULT_POLL_SECONDS)


if __name__ == "__main__":
    asyncio.run(serve(World(Path(sys.argv[1]))))
