# SPDX-License-Identifier: GPL-3.0-or-later
"""whatsapp-webhook-worker: reads messages' events from Kafka; checks all that a reply needs."""

from __future__ import annotations

import asyncio
import functools
import threading
import typing as t

import aiohttp
from aiohttp import web
from confluent_kafka import Consumer
from prometheus_client import Counter

from sandbox.names import KAFKA_GROUP
from sandbox.services.base_service import Check, Service, application, described
from sandbox.services.connections import Cache, setting

TOPIC = "whatsapp.messages"
POLL_SECONDS = 0.5
BATCH_SECONDS = 0.02
"""For so long it gathers messages before it commits: a message waits for its reply."""


def worker(service: Service) -> web.Application:
    cache = Cache(service.env)
    probes = HttpProbes(service.env)
    app = application(
        service,
        checks=[
            Check("openai", probes.openai),
            Check("redis", cache.ping),
            Check("supabase", probes.supabase),
        ],
        resources=[probes, cache],
    )
    app.cleanup_ctx.append(Consumption(service).running)
    return app


class HttpProbes:
    def __init__(self, env: t.Mapping[str, str]) -> None:
        self._env = env
        self._session: aiohttp.ClientSession | None = None

    async def openai(self) -> None:
        url = f"{setting(self._env, 'OPENAI_BASE_URL').rstrip('/')}/models"
        key = setting(self._env, "OPENAI_API_KEY")
        await self._expect_200(url, {"Authorization": f"Bearer {key}"})

    async def supabase(self) -> None:
        key = setting(self._env, "SUPABASE_SERVICE_ROLE_KEY")
        url = f"{setting(self._env, 'SUPABASE_URL')}/rest/v1/"
        await self._expect_200(url, {"apikey": key, "Authorization": f"Bearer {key}"})

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _expect_200(self, url: str, headers: t.Mapping[str, str]) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            await response.read()
            if response.status != 200:
                raise RuntimeError(f"HTTP status {response.status}")


class Consumption:
    """Consumes the topic in a thread of its own while the application runs, and commits."""

    def __init__(self, service: Service) -> None:
        self._env = service.env
        self._log = service.log
        self._stop = threading.Event()
        self._messages = Counter(
            "messages_consumed_total",
            "Events read from Kafka.",
            ("topic",),
            registry=service.registry,
        ).labels(TOPIC)

    async def running(self, _app: web.Application) -> t.AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        thread = threading.Thread(target=self._run, args=(loop, done), daemon=True)
        thread.start()
        yield
        self._stop.set()
        # Leaving the group in good order lets the other pod go on at once.
        await asyncio.wait([done], timeout=5)

    def _run(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> None:
        log = functools.partial(_call, loop, self._log.warning)
        try:
            self._consume(log)
        except Exception as exc:
            log("the consumer ended", error=described(exc))
        finally:
            _call(loop, done.set_result, None)

    def _consume(self, log: t.Callable[..., None]) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": setting(self._env, "KAFKA_BROKERS"),
                "group.id": self._env.get("KAFKA_GROUP", KAFKA_GROUP),
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                # The broker of the sandbox keeps an empty answer back for all of that time, also when a message comes.
                "fetch.wait.max.ms": 100,
                "session.timeout.ms": 6000,
                # A topic that a fault removed must be seen again soon after it came back.
                "topic.metadata.refresh.interval.ms": 5000,
                "log_level": 2,
            }
        )
        try:
            consumer.subscribe([TOPIC])
            last_error = ""
            while not self._stop.is_set():
                error = self._take(consumer)
                if error and error != last_error:
                    log("kafka is in trouble", error=error)
                last_error = error
        finally:
            consumer.close()

    def _take(self, consumer: Consumer) -> str:
        first = consumer.poll(POLL_SECONDS)
        if first is None:
            return ""
        messages = [first, *consumer.consume(500, BATCH_SECONDS)]
        errors = [str(message.error()) for message in messages if message.error()]
        if len(errors) < len(messages):
            self._messages.inc(len(messages) - len(errors))
            consumer.commit(asynchronous=True)
        return errors[0] if errors else ""


def _call(
    loop: asyncio.AbstractEventLoop,
    function: t.Callable[..., object],
    *args: object,
    **fields: object,
) -> None:
    """In the event loop, where the container's log belongs."""
    try:
        loop.call_soon_threadsafe(functools.partial(function, *args, **fields))
    except RuntimeError:
        # The loop ended without waiting for this thread: there is nobody left to tell.
        return
