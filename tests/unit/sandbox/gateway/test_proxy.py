"""What the gateway does when a pod is gone, closes early, or answers: with real connections on loopback."""

import asyncio
import json
import typing as t
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from prometheus_client import generate_latest

from sandbox.faults import Fault, Faults
from sandbox.gateway.routes import Endpoints
from sandbox.gateway.server import Figures, Proxy, Server
from tests.tables import cases
from tests.unit.sandbox.gateway.test_routes import slice_of

Story = t.Callable[["World"], t.Awaitable[None]]


class World:
    """A gateway, the pods behind it and what was retried."""

    def __init__(self, session: aiohttp.ClientSession, faults: Faults) -> None:
        self.session = session
        self.faults = faults
        self.endpoints = Endpoints()
        self.figures = Figures()
        self.base = ""
        self._slices: list[dict[str, object]] = []

    def pods(self, *ports: int, ready: bool = True) -> None:
        for port in ports:
            endpoint = {"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}
            one = slice_of("agent-core", endpoint)
            self._slices.append({**one, "ports": [{"name": "http", "port": port}]})
        self.endpoints.replace(self._slices)

    async def ask(self, method: str, path: str, **more: t.Any) -> tuple[int, dict[str, t.Any]]:
        async with self.session.request(method, self.base + path, **more) as response:
            return response.status, json.loads(await response.read() or b"{}")


def live(tmp_path: Path, story: Story) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            world = World(session, Faults(tmp_path / "faults.json"))
            proxy = Proxy(session, world.endpoints, world.figures.retried)
            server = Server(proxy, world.faults, world.figures)
            server.set_services([{"metadata": {"name": "agent-core"}}])
            runner = web.ServerRunner(web.Server(server.handle))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            port = unused_port()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            world.base = f"http://127.0.0.1:{port}"
            await story(world)

    asyncio.run(run())


async def start_pod(stack: AsyncExitStack, handler: t.Any) -> int:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = await stack.enter_async_context(TestServer(app, host="127.0.0.1"))
    return server.port


async def echo(request: web.Request) -> web.Response:
    body = (await request.read()).decode()
    headers = {"X-Pod": "yes", "Connection": "keep-alive"}
    told = {"path": str(request.rel_url), "body": body, "from": request.headers["X-Forwarded-For"]}
    return web.json_response(told, status=201, headers=headers)


async def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def test_request_and_answer_pass_as_they_are(tmp_path):
    async def story(world: World) -> None:
        async with AsyncExitStack() as stack:
            world.pods(await start_pod(stack, echo))
            path = "/internal/agent-core/messages?a=%2Fb&c=1"
            status, answer = await world.ask("POST", path, data=b"hello")
            assert (status, answer["body"], answer["from"]) == (201, "hello", "127.0.0.1")
            assert answer["path"] == "/messages?a=%2Fb&c=1".replace("%2F", "/")

    live(tmp_path, story)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_pod_that_is_gone_costs_no_request(tmp_path, method):
    async def story(world: World) -> None:
        async with AsyncExitStack() as stack:
            world.pods(unused_port(), await start_pod(stack, echo))
            for _ in range(4):
                status, _ = await world.ask(method, "/internal/agent-core/x")
                assert status == 201
            assert b'reason="ConnectFailed"' in generate_latest(world.figures.registry)

    live(tmp_path, story)


@cases(
    ("method", "headers", "expected"),
    {
        "reading": ("GET", {}, {201}),
        "writing": ("POST", {}, {201, 502}),
        "writing what may be written twice": ("POST", {"idempotency-key": "wamid.1"}, {201}),
    },
)
def test_after_an_early_close_only_what_may_be_repeated_is(tmp_path, method, headers, expected):
    async def story(world: World) -> None:
        async with AsyncExitStack() as stack:
            world.pods(await start_pod(stack, hang_up), await start_pod(stack, echo))
            asking = [
                world.ask(method, "/internal/agent-core/x", headers=headers) for _ in range(4)
            ]
            answers = [await each for each in asking]
            assert {status for status, _ in answers} == expected
            failed = [body for status, body in answers if status == 502]
            assert all(body["reason"] == "ClosedEarly" for body in failed)

    live(tmp_path, story)


def test_without_ready_pods_the_answer_names_service_and_reason(tmp_path):
    async def story(world: World) -> None:
        world.pods(unused_port(), ready=False)
        status, body = await world.ask("GET", "/agents/dashboard")
        assert (status, body["service"], body["reason"]) == (503, "agent-core", "NoReadyEndpoint")
        assert body["error"] == "None of the 1 pods of agent-core is ready."

    live(tmp_path, story)


def test_the_health_page_shows_why_a_pod_is_not_ready(tmp_path):
    async def sick(_request: web.Request) -> web.Response:
        return web.json_response({"status": "fail", "checks": {"redis": {}}}, status=503)

    async def story(world: World) -> None:
        async with AsyncExitStack() as stack:
            world.pods(await start_pod(stack, sick), ready=False)
            status, body = await world.ask("GET", "/health/agent-core")
            assert (status, body["checks"]) == (503, {"redis": {}})

    live(tmp_path, story)


def test_an_unknown_path_is_not_found(tmp_path):
    async def story(world: World) -> None:
        status, body = await world.ask("GET", "/nobody")
        assert (status, body["reason"]) == (404, "NoSuchRoute")

    live(tmp_path, story)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("gateway", "errors"), 500),
        (Fault("gateway", "errors", "agent-core", {"percent": "100"}), 500),
        (Fault("gateway", "errors", "wallet-service"), 201),
        (Fault("gateway", "errors", parameters={"percent": "0"}), 201),
        (Fault("gateway", "slow", parameters={"seconds": "0.01"}), 201),
    ],
)
def test_faults_hit_their_target(tmp_path, fault, status):
    async def story(world: World) -> None:
        async with AsyncExitStack() as stack:
            world.pods(await start_pod(stack, echo))
            world.faults.write([fault])
            assert (await world.ask("GET", "/agents/x"))[0] == status

    live(tmp_path, story)
