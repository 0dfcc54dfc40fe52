# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m sandbox.node <state folder>`: the kubelets and all their containers, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import sys
import time
from pathlib import Path

from aiohttp import web

import sandbox.services.programs  # noqa: F401 - now, while others start, not with the first pod
from sandbox.faults import Faults
from sandbox.node.behaviour import COMPONENT as NAME
from sandbox.node.client import Client
from sandbox.node.component import new_octet, nodes_of, octet
from sandbox.node.exec import Runner
from sandbox.node.kubelet import application
from sandbox.node.node import NodeContext
from sandbox.node.nodes import Nodes
from sandbox.node.registry import Registry
from sandbox.node.subnet import Subnet
from sandbox.shutdown import stop_event
from sandbox.world import World

NETWORK_PATIENCE = 5.0
"""Seconds in which a node that was killed lets go of its network. After them it is another run's."""


def show_network(world: World) -> tuple[socket.socket, Subnet]:
    """Listens in this run's network, which shows other sandboxes that it is taken, and keeps it or takes another."""
    number, deadline = octet(world), time.monotonic() + NETWORK_PATIENCE
    while True:
        try:
            return socket.create_server((f"127.{number}.0.1", 8080)), Subnet(number)
        except OSError:
            if time.monotonic() > deadline:
                number = new_octet(world)
            time.sleep(0.1)


async def serve(world: World) -> None:
    shown, subnet = show_network(world)
    facts = world.facts("kubernetes")
    scratch, volumes = world.folder(NAME) / "exec", world.folder(NAME) / "pods"
    for folder in (scratch, volumes):
        shutil.rmtree(folder, ignore_errors=True)
    async with Client(facts["server"], facts["token"], facts["ca_cert"]) as client:
        faults, port = Faults(world.faults_file), world.port(NAME)
        registry = Registry(world.folder(NAME) / "pushed.json")
        context = NodeContext(
            client,
            subnet,
            faults,
            registry,
            port,
            pods=world.option("pods_per_node"),
            folder=volumes,
            sync_frequency=world.option("kubelet_sync"),
        )
        nodes = Nodes(nodes_of(world), context)
        runner = web.AppRunner(
            application(nodes, Runner(scratch), registry), access_log=None, shutdown_timeout=1
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", world.port(NAME)).start()
        await web.SockSite(runner, shown).start()
        running = asyncio.create_task(nodes.run())
        stopped = asyncio.create_task(stop_event().wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await runner.cleanup()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(World(Path(sys.argv[1]))))
