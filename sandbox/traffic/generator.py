# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends requests when they are due, whether or not the answers to earlier ones are there (open loop).

Users write messages, as notifications that Meta sends; applications ask each service a question that writes nothing.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import itertools
import json
import random
import time
import typing as t
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
from yarl import URL

from sandbox.names import INTERNAL_NUMBER
from sandbox.seed import volumes
from sandbox.services.routing import in_rollout
from sandbox.traffic.figures import MESSAGE_SHARE, TIMEOUT_SECONDS, Failure, Figures

QUESTIONS: t.Mapping[str, str] = {
    "agent-core": "/agents/dashboard",
    "ranking-service": "/ranking/rank?category=bakery",
    "wallet-service": f"/wallet/wallets/{INTERNAL_NUMBER}",
    "vendor-service": "/vendor/vendors?category=bakery",
    "buyer-service": f"/buyer/products?name={quote('cassava leaves')}",
    "station-service": "/station/stations?fuel=diesel",
    "driver-service": "/driver/drivers?district=Huye",
    "voice-bridge": "/voice-bridge/languages?language=rw",
    "marketplace-service": "/marketplace/categories?district=Huye",
    "property-service": "/property/properties?district=Huye",
    "healthcare-service": "/healthcare/pharmacies?district=Huye",
    "customer-support-service": f"/customer-support/conversations?number={INTERNAL_NUMBER}",
}
"""Path and query by service: narrow enough that an answer is short."""


# A stable crowd, as in life, so that caches can help and one percent of it is somebody.
MOST_USERS = 1000
FIRST_PERCENT_SHARE = 0.1
"""The share of messages from the users whom a feature reaches at one percent.

Of five messages a second one percent would be one in twenty seconds, and a watch of a minute often see none at all.
"""

# How many of a hundred messages are of each kind.
TEXTS: t.Mapping[tuple[str, ...], int] = {
    (
        "I need vegetables",
        "Need tomatoes and onions in Kimironko",
        "Where can I buy groceries?",
        "buy 2 kg of fruit",
    ): 34,
    ("fuel station near Remera", "Where is diesel today?", "petrol please"): 10,
    ("I want a ride to Nyabugogo", "moto to town now", "taxi to the airport at 6"): 14,
    ("I want to sell my tomatoes", "How is my shop doing?"): 6,
    ("MENU", "menu", " Menu "): 12,
    ("Muraho", "Hello", "Good morning EasyMO", "Bonjour"): 12,
    ("ok thanks", "haha yes", "see you later 👍", "not now"): 11,
    ("house for rent in Kacyiru",): 1,
}
KINDS = tuple(TEXTS)
WEIGHTS = tuple(TEXTS.values())


@dataclass(frozen=True)
class Notification:
    body: bytes
    signature: str


def text(chance: random.Random) -> str:
    (kind,) = chance.choices(KINDS, WEIGHTS)
    return chance.choice(kind)


def user_count(seed_mb: int) -> int:
    return min(MOST_USERS, volumes(seed_mb)["users"])


def number(chance: random.Random, users: int) -> str:
    if chance.random() < FIRST_PERCENT_SHARE and (first := first_percent(users)):
        return chance.choice(first)
    return _number(chance.randint(1, users))


@functools.cache
def first_percent(users: int) -> tuple[str, ...]:
    numbers = map(_number, range(1, users + 1))
    return tuple(number for number in numbers if in_rollout(number, 1))


def _number(user: int) -> str:
    return f"2507{20_000_000 + 7 * user:08d}"


def notification(
    chance: random.Random, users: int, *, app_secret: str, message_id: str, timestamp: int
) -> Notification:
    """A text message as Meta's Cloud API delivers it, signed with the app's secret."""
    message = {
        "from": number(chance, users),
        "id": message_id,
        "timestamp": str(timestamp),
        "type": "text",
        "text": {"body": text(chance)},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "250788000000", "phone_number_id": "106540352242922"},
        "messages": [message],
    }
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    digest = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return Notification(body, f"sha256={digest}")


MESSAGE, CALL = "message", "call"
ERROR_LENGTH = 300
LATE_SECONDS = 1.0
"""A request that is sent so long after it was due says that this machine is too busy, whatever its target is."""
SLOWEST = 10.0
"""Requests a second below which nothing is eased."""


@dataclass(frozen=True)
class Targets:
    webhook_url: str
    app_secret: str
    gateway_url: str
    questions: t.Mapping[str, str]
    """Path and query at the gateway by service."""
    users: int
    """How many different ones write."""


@dataclass(frozen=True)
class Load:
    """Requests a second, how many may be under way at once, and for how long in seconds.

    `messages`: the share of them that users write; the others are calls of all services in turn through the gateway.
    """

    rate: float
    workers: int
    duration: float
    messages: float = MESSAGE_SHARE
    ease: bool = False
    """Whether to send half as many a second each time that this process itself falls LATE_SECONDS behind."""


@dataclass(eq=False)
class FailedError(Exception):
    """The answer came but is not one that a user should get."""

    kind: str
    error: str


class Generator:
    """Latency counts from the moment a request was due, so that a stalled target cannot hide."""

    def __init__(
        self, session: aiohttp.ClientSession, targets: Targets, load: Load, chance: random.Random
    ) -> None:
        self._session = session
        self._targets = targets
        self._load = load
        self._chance = chance
        self._slots = asyncio.Semaphore(load.workers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = itertools.cycle(targets.questions.items())
        self.figures = Figures((MESSAGE, CALL))
        self.rate = load.rate

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set or the time is over, and then until every answer is there."""
        loop = asyncio.get_running_loop()
        started = begun = loop.time()
        number = 0
        while not stop.is_set():
            after = number / self.rate
            if begun - started + after >= self._load.duration:
                break
            due = begun + after
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            elif self._load.ease and -wait > LATE_SECONDS and self.rate > SLOWEST:
                self.rate, number = max(SLOWEST, self.rate / 2), 0
                due = begun = loop.time()
            self._begin(due)
            number += 1
            if number % 50 == 0:
                # When late, many are due at once; let their answers in between.
                await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, due: float) -> None:
        route = MESSAGE if self._chance.random() < self._load.messages else CALL
        self.figures.sent(route)
        task = asyncio.create_task(self._send(route, due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, route: str, due: float) -> None:
        try:
            async with asyncio.timeout_at(due + TIMEOUT_SECONDS), self._slots:
                answer = await (self._call() if route == CALL else self._post_message())
        except Exception as exc:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.figures.failed(Failure(now, route, *_told(exc)))
        else:
            milliseconds = 1000 * (asyncio.get_running_loop().time() - due)
            self.figures.ok(route, milliseconds, answer)

    async def _post_message(self) -> str:
        sent = notification(
            self._chance,
            self._targets.users,
            app_secret=self._targets.app_secret,
            message_id=f"wamid.{uuid.uuid4().hex.upper()}",
            timestamp=int(time.time()),
        )
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sent.signature}
        url = self._targets.webhook_url
        async with self._session.post(url, data=sent.body, headers=headers) as response:
            return route_taken(_require_ok(response.status, await response.text()))

    async def _call(self) -> str:
        service, question = next(self._turns)
        url = URL(self._targets.gateway_url + question, encoded=True)
        async with self._session.get(url) as response:
            _require_ok(response.status, f"{service}: {await response.text()}")
        return service


def route_taken(body: str) -> str:
    """Who answered: agent, menu, or fallback when the menu stood in for an agent.

    The webhook also answers with the menu when agent-core is away. That has a status of 200 and
    no agent's name in it, but the platform was down for this user: a failure.
    """
    try:
        (reply,) = json.loads(body)["replies"]
        route, agent = reply["route"], reply.get("agent")
    except (ValueError, KeyError, TypeError) as exc:
        raise FailedError("BadAnswer", f"{type(exc).__name__} in {body[:ERROR_LENGTH]}") from exc
    if route == "fallback" and not agent:
        raise FailedError("AgentCoreAway", "the webhook answered in agent-core's place")
    return t.cast("str", route)


def _require_ok(status: int, body: str) -> str:
    if not 200 <= status < 300:
        raise FailedError(f"HTTP {status}", body[:ERROR_LENGTH])
    return body


def _told(exc: Exception) -> tuple[str, str]:
    if isinstance(exc, FailedError):
        return exc.kind, exc.error
    if isinstance(exc, TimeoutError):
        return "Timeout", f"no answer within {TIMEOUT_SECONDS:g} s"
    return type(exc).__name__, str(exc)[:ERROR_LENGTH]
