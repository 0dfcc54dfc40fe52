# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m sandbox.kubernetes <state folder>`: the API server and its controllers, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
import ssl
import sys
import typing as t
from pathlib import Path

from aiohttp import web

from sandbox.faults import Faults
from sandbox.kubernetes.server import application, new_store
from sandbox.kubernetes.store import Store
from sandbox.world import World

CONTROLLERS = "sandbox.kubernetes.controllers"


async def serve(world: World) -> None:
    store, faults = new_store(), Faults(world.faults_file)
    certificate = world.certificate("kubernetes")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert, certificate.key)
    runner = web.AppRunner(
        application(store, faults, world.secret("kubernetes-token")),
        access_log=None, shutdown_timeout=1, handler_cancellation=True,
    )  # fmt: skip
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", world.port("kubernetes"), ssl_context=context).start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    controllers = asyncio.create_task(run_controllers(store, faults))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({controllers, stopped}, return_when=asyncio.FIRST_COMPLETED)
    controllers.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await controllers
    await runner.cleanup()


async def run_controllers(store: Store, faults: Faults) -> None:
    """For ever; a controller that fails ends the server, so that nobody waits for a dead cluster."""
    if importlib.util.find_spec(CONTROLLERS) is None:
        await asyncio.Event().wait()
    module = importlib.import_module(CONTROLLERS)
    run = t.cast("t.Callable[[Store, Faults], t.Awaitable[None]]", module.run)
    await run(store, faults)


if __name__ == "__main__":
    asyncio.run(serve(World(Path(sys.argv[1]))))
