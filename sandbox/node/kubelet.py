# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelets' own HTTP API, which the API server passes logs and exec on to, and the registry. Loopback only."""

from __future__ import annotations

import asyncio
import time
import typing as t

from aiohttp import web

from sandbox.node import exec as execution
from sandbox.node.logs import ContainerLog, LogOptions, chosen, rendered

if t.TYPE_CHECKING:
    from sandbox.node.container import Container
    from sandbox.node.nodes import Nodes
    from sandbox.node.registry import Registry


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
        )
        await self._runner.run(command, socket)
        return socket


def _seen_from_here(container: Container, word: str) -> str:
    """A command runs outside of the container's file system, so it is told where its volumes are."""
    for mounted, where in container.mounts.items():
        word = word.replace(mounted, str(where))
    return word


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
    kept = log.lines()
    return kept[-1].number if kept else 0
