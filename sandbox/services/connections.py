# SPDX-License-Identifier: GPL-3.0-or-later
"""The connections a service holds: opened when first used, few, and closed with the application."""

from __future__ import annotations

import asyncio
import json
import typing as t
from contextlib import asynccontextmanager

import asyncpg
from confluent_kafka import Producer
from redis.asyncio import Redis

from sandbox.services.base_service import described

if t.TYPE_CHECKING:
    from sandbox.services.base_service import Log

# A busy machine takes its time, and no request is lost for that; probes have a timeout of their own.
CONNECT_SECONDS = COMMAND_SECONDS = 10.0
# Long enough that a health check every two seconds does not connect anew each time.
IDLE_SECONDS = 30.0


class UnsetError(Exception):
    """The environment does not say where the dependency is."""


def setting(env: t.Mapping[str, str], name: str) -> str:
    try:
        return env[name]
    except KeyError:
        raise UnsetError(f"{name} is not set") from None


class Database:
    """A pool of at most three connections to the database that `variable` names in `env`."""

    def __init__(self, env: t.Mapping[str, str], variable: str) -> None:
        self._env = env
        self._variable = variable
        self._opening = asyncio.Lock()
        self._pool: asyncpg.Pool | None = None

    async def pool(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    setting(self._env, self._variable),
                    min_size=0,
                    max_size=3,
                    max_inactive_connection_lifetime=IDLE_SECONDS,
                    timeout=CONNECT_SECONDS,
                    command_timeout=COMMAND_SECONDS,
                    reset=_no_reset,
                )
            return self._pool

    async def fetch(self, query: str, *arguments: object) -> list[t.Any]:
        async with self._connection() as connection:
            return t.cast("list[t.Any]", await connection.fetch(query, *arguments))

    async def execute(self, query: str, *arguments: object) -> None:
        async with self._connection() as connection:
            await connection.execute(query, *arguments)

    @asynccontextmanager
    async def _connection(self) -> t.AsyncIterator[asyncpg.Connection]:
        pool = await self.pool()
        async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
            try:
                yield connection
            except asyncio.CancelledError:
                # Otherwise the pool waits, at its return, for the server to say that the query is cancelled.
                connection.terminate()
                raise

    async def ping(self) -> None:
        await self.fetch("SELECT 1")

    async def close(self) -> None:
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _no_reset(_connection: object) -> None:
    """Connections come back as they went: no service changes its session's state."""


class Cache:
    """The platform's Valkey, reached at REDIS_URL."""

    def __init__(self, env: t.Mapping[str, str]) -> None:
        self._env = env
        self._client: Redis | None = None

    def client(self) -> Redis:
        if self._client is None:
            self._client = Redis.from_url(
                setting(self._env, "REDIS_URL"),
                socket_connect_timeout=1,
                socket_timeout=1,
                decode_responses=True,
            )
        return self._client

    async def ping(self) -> None:
        await self.client().ping()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class Events:
    """Sends events to Kafka beside the request's path: never waits, never fails a request."""

    def __init__(self, env: t.Mapping[str, str], log: Log) -> None:
        self._env = env
        self._log = log
        self._producer: t.Any = None
        self._lost = 0

    def send(self, topic: str, key: str, event: t.Mapping[str, object]) -> None:
        try:
            producer = self._connected()
            producer.produce(topic, key=key, value=json.dumps(event))
            producer.poll(0)
        except Exception as exc:
            # A full queue or no broker: the event is lost; the first loss in a row is told.
            if self._lost == 0:
                self._log.warning("events are being lost", topic=topic, error=described(exc))
            self._lost += 1
        else:
            self._lost = 0

    def _connected(self) -> t.Any:
        if self._producer is None:
            self._producer = Producer(
                {
                    "bootstrap.servers": setting(self._env, "KAFKA_BROKERS"),
                    "queue.buffering.max.messages": 1000,
                    "linger.ms": 20,
                    "message.timeout.ms": 10_000,
                    "log_level": 2,
                }
            )
        return self._producer

    async def close(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            # Waiting for the broker blocks, and every other pod lives in this thread.
            await asyncio.to_thread(producer.flush, 1.0)
