# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of the gateway: `python -m sandbox.gateway <state folder>`."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
import typing as t
from pathlib import Path

import aiohttp
from aiohttp import web

from sandbox import shop
from sandbox.faults import Faults
from sandbox.gateway.endpoints import Endpoints, Object
from sandbox.gateway.proxy import TIMEOUT, Proxy
from sandbox.gateway.reflector import Reflector
from sandbox.gateway.server import Figures, Server
from sandbox.names import NAMESPACE
from sandbox.shutdown import stop_event
from sandbox.world import World

PUBLIC = (NAMESPACE, shop.NAMESPACE)


async def serve(world: World) -> None:
    kubernetes = world.facts("kubernetes")
    tls = ssl.create_default_context(cafile=kubernetes["ca_cert"])
    api = aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {kubernetes['token']}", "User-Agent": "gateway/1"},
        connector=aiohttp.TCPConnector(ssl=tls),
        read_bufsize=2**20,
    )
    # Shorter than a pod keeps an idle connection, so that no request meets one just being closed.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
    pods = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, auto_decompress=False)
    async with api, pods:
        await _serve(world, api, pods, _watched(kubernetes["server"]))


def _watched(server: str) -> tuple[str, str]:
    """The URLs of all Services and of all EndpointSlices."""
    return f"{server}/api/v1/services", f"{server}/apis/discovery.k8s.io/v1/endpointslices"


def _public(take: t.Callable[[t.Iterable[Object]], None]) -> t.Callable[[t.Iterable[Object]], None]:
    """Only what is in a namespace that the public reaches."""
    return lambda found: take([one for one in found if one["metadata"]["namespace"] in PUBLIC])


async def _serve(
    world: World, api: aiohttp.ClientSession, pods: aiohttp.ClientSession, urls: tuple[str, str]
) -> None:
    endpoints, figures = Endpoints(), Figures()
    proxy = Proxy(pods, endpoints, figures.retried)
    server = Server(
        proxy, Faults(world.faults_file), figures, lambda: all(r.synced for r in reflectors)
    )
    reflectors = (
        Reflector(api, urls[0], _public(server.set_services)),
        Reflector(api, urls[1], _public(endpoints.replace)),
    )
    runner = web.ServerRunner(web.Server(server.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", world.port("gateway")).start()
    watching = [asyncio.create_task(reflector.run()) for reflector in reflectors]
    try:
        await _terminated(watching)
    finally:
        for task in watching:
            task.cancel()
        await runner.cleanup()


async def _terminated(watching: t.Sequence[asyncio.Task[t.Never]]) -> None:
    """Returns at SIGTERM or SIGINT; raises what ended a reflector, which should never end."""
    waiting = asyncio.create_task(stop_event().wait())
    await asyncio.wait((waiting, *watching), return_when=asyncio.FIRST_COMPLETED)
    for task in watching:
        if task.done():
            task.result()


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(World(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
