# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's API server twice, for recorded requests: served over HTTP, and in the simulated world."""

from __future__ import annotations

import asyncio
import json
import typing as t
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp.test_utils import TestClient, TestServer
from kubernetes.client.exceptions import ApiException
from yarl import URL

from sandbox.faults import Faults
from sandbox.kubernetes.server import application, new_store
from tests.contract.recordings import KUBECTL, Exchange
from tests.simulation.client import Session
from tests.simulation.plan import Plan
from tests.simulation.world import World

TOKEN = "contract"
ANSWERS_WITHIN = 60.0


class Served:
    """Its application behind aiohttp, asked over a socket."""

    def __init__(self, runner: asyncio.Runner, client: TestClient) -> None:
        self._runner = runner
        self._client = client

    @classmethod
    @contextmanager
    def running(cls, faults: Path) -> t.Iterator[Served]:
        store = new_store()
        app = application(store, Faults(faults), TOKEN)
        with asyncio.Runner() as runner:
            client = TestClient(TestServer(app, loop=runner.get_loop()), loop=runner.get_loop())
            runner.run(client.start_server())
            served = cls(runner, client)
            served.store = store
            yield served
            runner.run(client.close())

    def ask(self, request: Exchange) -> tuple[int, str]:
        return self._runner.run(self._answer(request))

    async def _answer(self, request: Exchange) -> tuple[int, str]:
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Accept": request["accept"] or "application/json",
            "User-Agent": KUBECTL,
        }
        body = None
        if request["body"] is not None:
            headers["Content-Type"] = request["content_type"]
            body = json.dumps(request["body"]).encode()
        # The path is recorded encoded and is sent as it is.
        url = URL(request["path"], encoded=True)
        async with self._client.request(
            request["method"], url, data=body, headers=headers
        ) as answer:
            return answer.status, await answer.text()


class Simulated:
    """The world of the simulation, asked by the session that the product's adapter has there, in virtual time.

    Its controllers and its kubelet are held: a conversation tells itself what the real ones did meanwhile.
    """

    def __init__(self) -> None:
        self._world = World(Plan(1, {}, (), ()), lambda _text: None)
        self._world.plane.controllers.clear()
        self._world.plane.listeners.clear()
        self._world.plane.user_agent = KUBECTL
        self.store = self._world.store

    def ask(self, request: Exchange) -> tuple[int, str]:
        answers: list[tuple[int, str]] = []
        world = self._world
        world.start(
            "kubectl", "laptop", lambda: answers.append(self._answer(request)), rate=1.0, ahead=0.0
        )
        world.scheduler.run(until=world.scheduler.now + ANSWERS_WITHIN)
        return answers[0]

    def _answer(self, request: Exchange) -> tuple[int, str]:
        path, _mark, query = request["path"].partition("?")
        try:
            response = Session(self._world).request(
                request["method"],
                path,
                query_params=parse_qsl(query, keep_blank_values=True),
                body=request["body"],
                content_type=request["content_type"],
                _request_timeout=(5.0, ANSWERS_WITHIN),
            )
        except ApiException as exc:
            return exc.status, exc.body
        return response.status, b"".join(response.stream(None, decode_content=False)).decode()
