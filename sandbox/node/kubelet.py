# SPDX-License-Identifier: GPL-3.0-or-later
"""All nodes in one process, `python -m sandbox.node.kubelet <state folder>`, and the kubelets' own HTTP API.

The API server passes logs and exec on to it; clients see the registry there.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import sys
import time
import typing as t
from pathlib import Path

from aiohttp import web

from sandbox.faults import Faults
from sandbox.node import exec as execution
from sandbox.node.behaviour import COMPONENT as NAME
from sandbox.node.client import Client
from sandbox.node.component import Subnet, new_octet, nodes_of, octet
from sandbox.node.exec import Runner
from sandbox.node.node import Node, NodeContext
from sandbox.node.process import ContainerLog, LogOptions, chosen, rendered
from sandbox.node.registry import Registry
from sandbox.ports import seen_from_pod
from sandbox.serving import until_stopped
from sandbox.world import World

if t.TYPE_CHECKING:
    from sandbox.node.container import Container
    from sandbox.node.pod import PodWorker

# Pods that have a node.
QUERY = "fieldSelector=spec.nodeName%21%3D"


class Nodes:
    def __init__(self, names: t.Iterable[str], context: NodeContext) -> None:
        self._context = context
        self._nodes = {name: Node(name, context) for name in names}

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        workers = (node.worker(namespace, name) for node in self._nodes.values())
        return next((worker for worker in workers if worker is not None), None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for node in self._nodes.values():
                group.create_task(node.run())
            group.create_task(self._watch_pods())

    async def _watch_pods(self) -> None:
        async for kind, body in self._context.client.follow("pods", QUERY):
            if kind == "LIST":
                for name, node in self._nodes.items():
                    node.relist([pod for pod in body if pod["spec"]["nodeName"] == name])
            elif of := self._nodes.get(body["spec"]["nodeName"]):
                of.take(kind, body)


def application(nodes: Nodes, runner: execution.Runner, registry: Registry) -> web.Application:
    kubelet = Kubelet(nodes, runner)
    app = web.Application(middlewares=[no_browsers])
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", kubelet.logs)
    app.router.add_get("/exec/{namespace}/{pod}/{container}", kubelet.exec)
    app.router.add_routes(registry.routes())
    return app


@web.middleware
async def no_browsers(
    request: web.Request, handler: t.Callable[[web.Request], t.Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A page in somebody's browser could reach loopback too, and here commands are run."""
    if "Origin" in request.headers:
        raise web.HTTPForbidden(text="Browsers are not served.")
    return await handler(request)


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


class Kubelet:
    def __init__(self, nodes: Nodes, runner: execution.Runner) -> None:
        self._nodes = nodes
        self._runner = runner

    def _container(self, request: web.Request) -> Container:
        namespace, pod = request.match_info["namespace"], request.match_info["pod"]
        worker = self._nodes.worker(namespace, pod)
        if worker is None:
            raise web.HTTPNotFound(text=f'pod "{pod}" not found on this node')
        container = worker.container(request.match_info["container"])
        if container is None:
            name = request.match_info["container"]
            raise web.HTTPBadRequest(text=f"container {name} is not valid for pod {pod}")
        return container

    async def logs(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        try:
            options = LogOptions.of(request.query)
        except ValueError as exc:
            raise web.HTTPBadRequest(text=str(exc)) from None
        log = self._chosen_log(request, container, options)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await _send_log(response, log, options)
        await response.write_eof()
        return response

    def _chosen_log(
        self, request: web.Request, container: Container, options: LogOptions
    ) -> ContainerLog:
        name, pod = container.state.name, request.match_info["pod"]
        if options.previous:
            if container.previous_log is None:
                raise web.HTTPBadRequest(
                    text=f'previous terminated container "{name}" in pod "{pod}" not found'
                )
            return container.previous_log
        waiting = container.state.state.get("waiting")
        if waiting is not None and not container.state.instance:
            reason = waiting["reason"]
            detail = {
                "ErrImagePull": "image can't be pulled",
                "ImagePullBackOff": "trying and failing to pull image",
            }.get(reason, reason)
            raise web.HTTPBadRequest(
                text=f'container "{name}" in pod "{pod}" is waiting to start: {detail}'
            )
        return container.log

    async def exec(self, request: web.Request) -> web.StreamResponse:
        container = self._container(request)
        if container.env is None or "running" not in container.state.state:
            name = container.state.name
            raise web.HTTPBadRequest(text=f'container not found ("{name}")')
        socket = web.WebSocketResponse(protocols=execution.PROTOCOLS, max_msg_size=0)
        await socket.prepare(request)
        query = request.query
        command = execution.Command(
            argv=tuple(_seen_from_here(container, word) for word in query.getall("command", ())),
            env=container.env,
            stdin=query.get("stdin") in ("true", "1"),
            tty=query.get("tty") in ("true", "1"),
            stand_in=container.stand_in(query.getall("command", [])),
        )
        await self._runner.run(command, socket)
        return socket


def _seen_from_here(container: Container, word: str) -> str:
    """A command runs outside of the container, so it is told where its volumes and its pod's ports are."""
    for mounted, where in container.mounts.items():
        word = word.replace(mounted, str(where))
    return seen_from_pod(word, container.address, container.ports_of_pod)


async def _send_log(response: web.StreamResponse, log: ContainerLog, options: LogOptions) -> None:
    left = options.limit_bytes
    lines = chosen(log.lines(), options, time.time())
    while True:
        changed = asyncio.ensure_future(log.wait())
        for line in lines:
            content = rendered(line, options)[:left]
            await response.write(content)
            if left is not None:
                left -= len(content)
        if left == 0 or not options.follow or log.closed:
            changed.cancel()
            return
        last = lines[-1].number if lines else _last_number(log)
        lines = log.lines(after=last)
        if not lines:
            await changed
            lines = log.lines(after=last)
        else:
            changed.cancel()


def _last_number(log: ContainerLog) -> int:
    lines = log.lines()
    return lines[-1].number if lines else 0


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
        await until_stopped(nodes.run())
        await runner.cleanup()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(World(Path(sys.argv[1]))))
