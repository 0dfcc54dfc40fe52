# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: authentication, faults, routes and errors. `python -m sandbox.kubernetes.server <state folder>`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import random
import ssl
import sys
import typing as t
from pathlib import Path

import aiohttp
from aiohttp import web

from sandbox.faults import Faults
from sandbox.kubernetes import admission, controllers, discovery
from sandbox.kubernetes.admission import ClusterRules
from sandbox.kubernetes.component import NAME
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.requests import CALLER, Authorizer, parse_path
from sandbox.kubernetes.responses import json_response, refusal
from sandbox.kubernetes.rest import Rest
from sandbox.kubernetes.service_accounts import ADMINISTRATOR, User, user_of
from sandbox.kubernetes.store import Store
from sandbox.kubernetes.streaming import NO_LIMIT, Kubelets
from sandbox.names import NAMESPACE
from sandbox.serving import stop_event
from sandbox.world import World

if t.TYPE_CHECKING:
    from sandbox.faults import Fault

AUTHORIZER = web.AppKey("authorizer", Authorizer)

HEALTH = ("/healthz", "/livez", "/readyz")
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system", NAMESPACE)
FAULT_POLL_SECONDS = 0.25


def new_store(rules: ClusterRules | None = None) -> Store:
    store = Store(rules)
    for name in SYSTEM_NAMESPACES:
        store.create("namespaces", {"metadata": {"name": name}})
    return store


class RequestFilter:
    """Faults and the bearer token: what a request meets before the API."""

    def __init__(self, store: Store, faults: Faults, token: str) -> None:
        self._store = store
        self._faults = faults
        self._token = token

    def _user(self, header: str) -> User | None:
        scheme, _, given = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        if hmac.compare_digest(given.encode(), self._token.encode()):
            return ADMINISTRATOR
        return user_of(self._store, self._token, given)

    async def admit(self, request: web.Request) -> None:
        # Kubelets are exempt: the faults rehearse what operators meet, and a cluster whose nodes
        # cannot report would change the rollout itself.
        client = request.headers.get("User-Agent", "").partition("/")[0]
        if client != "kubelet":
            await self._apply_faults(client)
        user = self._user(request.headers.get("Authorization", ""))
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        request[CALLER] = user

    async def _apply_faults(self, client: str) -> None:
        if fault := self._faults.active("kubernetes", "slow", client):
            await asyncio.sleep(fault.number("seconds", 1.0))
        if (fault := self._faults.active("kubernetes", "unauthorized", client)) and hits(fault):
            raise ApiError(401, "Unauthorized", "Unauthorized")
        if (fault := self._faults.active("kubernetes", "throttled", client)) and hits(fault):
            seconds = int(fault.number("retry_after", 1))
            words = "the server has received too many requests and has asked us to try again later"
            raise ApiError(429, "TooManyRequests", words, {"retryAfterSeconds": seconds})
        if (fault := self._faults.active("kubernetes", "errors", client)) and hits(fault):
            words = "Internal error occurred: etcdserver: request timed out"
            raise ApiError(500, "InternalError", words)


def hits(fault: Fault) -> bool:
    return random.random() < fault.number("share", 1.0)  # noqa: S311 -- a rehearsal, not a secret


def application(store: Store, faults: Faults, token: str) -> web.Application:
    """The API as an aiohttp application; it owns the tasks that keep quotas and expire watches.

    `token` is the administrator's, and the secret that signs those of service accounts.
    """
    request_filter, kubelets = RequestFilter(store, faults, token), Kubelets(store)
    rest = Rest(store, kubelets, faults, token)

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            if request.path in HEALTH:
                return web.Response(text="ok")
            await request_filter.admit(request)
            return await route(request, rest)
        except ApiError as exc:
            return refusal(exc)

    async def background(_app: web.Application) -> t.AsyncIterator[None]:
        kubelets.http = aiohttp.ClientSession(timeout=NO_LIMIT)
        tasks = [
            asyncio.create_task(admission.keep_status(store, name)) for name in admission.COUNTED
        ]
        tasks.append(asyncio.create_task(expire_on_demand(store, faults)))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await kubelets.http.close()

    # The API has a limit of its own, with words of its own.
    app = web.Application(client_max_size=0)
    app[AUTHORIZER] = rest.authorizer
    app.router.add_route("*", "/{path:.*}", handle)
    app.cleanup_ctx.append(background)
    return app


async def route(request: web.Request, rest: Rest) -> web.StreamResponse:
    target = parse_path(request.path)
    if target is not None:
        return await rest.answer(request, target)
    if request.method == "GET":
        document = discovery.answer(request.path)
        if document is not None:
            response = json_response(document[0])
            response.headers["Content-Type"] = document[1]
            return response
    raise ApiError(404, "NotFound", "the server could not find the requested resource")


async def expire_on_demand(store: Store, faults: Faults) -> None:
    """Each time the fault `gone` is set, once: every watch ends with 410 and none can be resumed."""
    was_set = False
    while True:
        is_set = faults.active("kubernetes", "gone") is not None
        if is_set and not was_set:
            store.expire_histories()
        was_set = is_set
        await asyncio.sleep(FAULT_POLL_SECONDS)


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
