# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the project in one process with two listeners: `python -m sandbox.supabase <state folder>`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from sandbox.faults import Faults
from sandbox.serving import stop_event
from sandbox.supabase.admission import Admission
from sandbox.supabase.data import Data
from sandbox.supabase.functions import MAX_UPLOAD
from sandbox.supabase.gateway import FunctionsGateway, Metrics, RestGateway, client_session
from sandbox.supabase.management import FunctionsApi, ProjectApi
from sandbox.supabase.runtime import Runtime
from sandbox.supabase.settings import Settings, read_settings
from sandbox.supabase.store import FunctionLogs, Store
from sandbox.world import World


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    faults, logs, metrics = Faults(settings.faults_file), FunctionLogs(), Metrics()
    store = Store(settings.folder)
    data = Data(settings.database)
    runtime = Runtime(settings, store, logs)
    functions = FunctionsGateway(store, runtime, faults, metrics, settings.jwt_secret)

    admission = Admission(faults, settings.access_token, settings.project_ref)
    management = web.Application(middlewares=[admission.middleware], client_max_size=MAX_UPLOAD)
    management.add_routes(FunctionsApi(store, runtime, faults, settings.project_ref).routes())
    management.add_routes(ProjectApi(settings, store, runtime, logs, data).routes())
    gateway = web.Application()
    gateway.add_routes(functions.routes())
    gateway.add_routes(RestGateway(settings, data, metrics).routes())

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
