"""The sandbox's API server twice, for recorded requests: served over HTTP, and in the simulated world."""

from __future__ import annotations

import asyncio
import json
import threading
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
from tests.simulation.plan import Fault, Plan
from tests.simulation.world import World

TOKEN = "contract"
ACTOR = "kubectl"
ANSWERS_WITHIN = 60.0

Result = t.TypeVar("Result")


class Served:
    """Its application behind aiohttp, in a thread of its own, without controllers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, faults: Path) -> None:
        self._loop = loop
        self.store = new_store()
        app = application(self.store, Faults(faults), TOKEN)
        self._client = TestClient(TestServer(app, loop=loop), loop=loop)

    @classmethod
    @contextmanager
    def running(cls, faults: Path) -> t.Iterator[Served]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        served = cls(loop, faults)
        served._run(served._client.start_server())
        try:
            yield served
        finally:
            served._run(served._client.close())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    @property
    def url(self) -> str:
        return str(self._client.make_url("/")).rstrip("/")

    def ask(self, request: Exchange) -> tuple[int, str]:
        return self._run(self._answer(request))

    def _run(self, work: t.Coroutine[t.Any, t.Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWERS_WITHIN)

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

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        """`faults` befall the actor ACTOR."""
        self._world = World(Plan(1, {}, (), faults), lambda _text: None)
        self._world.plane.controllers.clear()
        self._world.plane.listeners.clear()
        self._world.plane.user_agent = KUBECTL
        self.store = self._world.store

    def ask(self, request: Exchange) -> tuple[int, str]:
        return self.during(lambda session: self._answer(session, request))

    def during(self, work: t.Callable[[Session], Result]) -> Result:
        """What it comes to, in a process of the world."""
        results: list[Result] = []
        self.begin(lambda session: results.append(work(session)))
        world = self._world
        give_up = world.scheduler.now + ANSWERS_WITHIN
        world.scheduler.run(until=give_up, rested=lambda: bool(results))
        return results[0]

    def begin(self, work: t.Callable[[Session], object]) -> None:
        def live() -> None:
            work(Session(self._world))

        self._world.start(ACTOR, "laptop", live, rate=1.0, ahead=0.0)
        self.pass_time(0.5)

    def pass_time(self, seconds: float) -> None:
        self._world.scheduler.run(until=self._world.scheduler.now + seconds)

    @staticmethod
    def _answer(session: Session, request: Exchange) -> tuple[int, str]:
        path, _mark, query = request["path"].partition("?")
        try:
            response = session.request(
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
