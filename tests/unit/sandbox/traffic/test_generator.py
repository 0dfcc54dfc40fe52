"""The open loop against a server on loopback: what counts as lost, and that a stall cannot hide."""

import argparse
import asyncio
import json
import random
import typing as t

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sandbox.cli import main
from sandbox.errors import SandboxError
from sandbox.gateway.routes import resolve
from sandbox.names import SERVICES
from sandbox.traffic.cli import report, start, stop
from sandbox.traffic.figures import Figures
from sandbox.traffic.generator import QUESTIONS as QUESTIONS_OF_ALL
from sandbox.traffic.generator import FailedError, Generator, Load, Targets, route_taken
from sandbox.world import World
from tests import virtual_time

Handler = t.Callable[[web.Request], t.Awaitable[web.Response]]


def replies(route: str, agent: str | None = None) -> str:
    return json.dumps({"replies": [{"message_id": "1", "route": route, "agent": agent}]})


QUESTIONS = {"agent-core": "/agents/dashboard", "wallet-service": "/wallet/wallets/1"}


async def answered(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def generate(webhook: Handler, load: Load) -> Figures:
    async def run() -> Figures:
        app = web.Application()
        app.router.add_post("/wa-webhook", webhook)
        app.router.add_get("/agents/dashboard", answered)
        app.router.add_get("/wallet/wallets/1", answered)
        async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
            base = str(server.make_url("")).rstrip("/")
            targets = Targets(f"{base}/wa-webhook", "secret", base, QUESTIONS, 100)
            generator = Generator(session, targets, load, random.Random(3))
            await generator.run(asyncio.Event())
            return generator.figures

    return asyncio.run(run())


def test_the_load_is_steady_and_every_answer_awaited():
    async def webhook(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.Response(text=replies("menu"))

    found = generate(webhook, Load(rate=200, workers=50, duration=0.3)).to_dict()
    assert (found["sent"], found["failed"], found["in_flight"]) == (60, 0, 0)
    assert sum(found["answers"].values()) == 60


@pytest.mark.parametrize("ease", [True, False])
def test_a_machine_that_cannot_keep_up_is_asked_for_less_where_that_is_wanted(ease):
    async def run() -> Generator:
        async with aiohttp.ClientSession() as session:
            load = Load(rate=200, workers=5, duration=3.0, ease=ease)
            generator = Generator(
                session, Targets("", "", "", QUESTIONS, 1), load, random.Random(3)
            )

            sent: list[float] = []

            async def send(_route: str, due: float) -> None:
                sent.append(due)
                # As where other programs have both cores for a moment.
                if len(sent) == 10:
                    loop = asyncio.get_running_loop()
                    assert isinstance(loop, virtual_time.VirtualLoop)
                    loop.now += 1.3

            generator._send = send  # type: ignore[method-assign]
            await generator.run(asyncio.Event())
            return generator

    generator = virtual_time.run(run())
    sent = generator.figures.total("sent")
    assert (generator.rate, sent < 400) == ((100, True) if ease else (200, False))


def test_waiting_for_a_free_worker_counts_as_latency():
    async def webhook(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.02)
        return web.Response(text=replies("menu"))

    found = generate(webhook, Load(rate=200, workers=1, duration=0.1)).to_dict()
    assert found["failed"] == 0
    assert found["routes"]["message"]["latency_ms"]["max"] > 100


def test_a_lost_request_is_told_in_full():
    async def webhook(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="no pods")

    found = generate(webhook, Load(rate=100, workers=5, duration=0.1)).to_dict()
    assert set(found["failures_by_kind"]) == {"HTTP 503"}
    first = found["first_failures"][0]
    assert (first["route"], first["kind"], first["error"]) == ("message", "HTTP 503", "no pods")


@pytest.mark.parametrize(
    ("body", "route"),
    [
        (replies("menu"), "menu"),
        (replies("agent", "buyer"), "agent"),
        (replies("fallback", "marketplace"), "fallback"),
    ],
)
def test_answers_are_told_apart(body, route):
    assert route_taken(body) == route


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (replies("fallback"), "AgentCoreAway"),
        ("", "BadAnswer"),
        ("[]", "BadAnswer"),
        ('{"replies": []}', "BadAnswer"),
    ],
)
def test_an_answer_that_hides_an_outage_is_a_failure(body, kind):
    with pytest.raises(FailedError) as failed:
        route_taken(body)
    assert failed.value.kind == kind


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rate", "501"),
        ("--rate", "0"),
        ("--rate", "nan"),
        ("--rate", "x"),
        ("--workers", "1.5"),
        ("--seconds", "14401"),
    ],
)
def test_limits_are_kept(option, value, capsys):
    assert main(["traffic", "start", option, value]) == 1
    assert repr(value) in capsys.readouterr().err


@pytest.mark.parametrize("command", [report, stop])
def test_without_traffic_there_is_nothing_to_tell(tmp_path, command):
    with pytest.raises(SandboxError, match="There is no traffic"):
        command(World(tmp_path), argparse.Namespace(json=False))


def test_traffic_needs_a_sandbox_that_is_up(tmp_path):
    with pytest.raises(Exception, match="supabase"):
        start(World(tmp_path), argparse.Namespace(rate=1, workers=1, seconds=1))


def test_what_is_no_message_calls_all_services_in_turn():
    async def webhook(_request: web.Request) -> web.Response:
        return web.Response(text=replies("menu"))

    load = Load(rate=200, workers=50, duration=0.2, messages=0.0)
    found = generate(webhook, load).to_dict()
    assert (found["routes"]["message"]["sent"], found["routes"]["call"]["ok"]) == (0, 40)
    assert found["answers"] == {"agent-core": 20, "wallet-service": 20}


def test_every_service_of_the_platform_is_called():
    assert tuple(QUESTIONS_OF_ALL) == SERVICES
    services = [resolve(path.partition("?")[0], SERVICES) for path in QUESTIONS_OF_ALL.values()]
    assert [found.service for found in services if found] == [*SERVICES]
