"""Starts an application on loopback and asks it, for tests that are not themselves asynchronous."""

import asyncio
import typing as t
from dataclasses import dataclass, field

from aiohttp.test_utils import TestClient, TestServer

from sandbox.faults import Fault
from sandbox.services import ContainerContext
from sandbox.services.programs import build


@dataclass
class Container:
    """One application under test: what it was given and what it logged."""

    service: str
    version: str
    env: t.Mapping[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    faults: t.Mapping[str, Fault] = field(default_factory=dict)

    def run(self, story: t.Callable[[TestClient[t.Any, t.Any]], t.Awaitable[None]]) -> None:
        async def live() -> None:
            context = ContainerContext(
                self.env, f"{self.service}-0", "127.0.0.1", self.log.append, fault=self.faults.get
            )
            server = TestServer(build(self.service, self.version, context), host="127.0.0.1")
            async with TestClient(server) as client:
                await story(client)

        asyncio.run(live())
