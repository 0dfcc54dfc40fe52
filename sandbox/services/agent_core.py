# SPDX-License-Identifier: GPL-3.0-or-later
"""agent-core: answers every WhatsApp message with the menu or, since 2.0.0, by an AI agent."""

from __future__ import annotations

import asyncio
import time
import typing as t
from dataclasses import astuple, dataclass

from aiohttp import web
from prometheus_client import Counter, Histogram

from sandbox.metrics import BUCKETS
from sandbox.names import PREVIOUS_VERSION
from sandbox.services.agents import (
    MENU,
    SAVE_FALLBACK,
    SAVE_METRICS,
    SAVE_REQUEST,
    AgentFallback,
    AgentRequest,
    Profiles,
    Question,
    Reply,
    answer,
)
from sandbox.services.base_service import (
    Check,
    Service,
    application,
    beside,
    described,
    json_object,
    masked,
    text_field,
)
from sandbox.services.cohorts import Cohorts, UsersFail
from sandbox.services.connections import Cache, Database, Events
from sandbox.services.dashboard import Banner, Dashboard
from sandbox.services.routing import (
    Agent,
    Fixed,
    Flags,
    cohort,
    flag_source,
    normalized,
    route,
)

METRICS_SECONDS = 10.0
# Whoever asks waits five seconds in all, and the menu is still to come.
AGENT_SECONDS = 2.0
SAVE_SECONDS = 0.75


@dataclass(frozen=True)
class Message:
    message_id: str
    number: str
    text: str


@dataclass(frozen=True)
class Answer:
    """How a message was answered; `agent` is None when nobody but the menu was asked."""

    reply: Reply
    handled_by: t.Literal["menu", "agent"]
    reason: str
    agent: Agent | None = None


@dataclass(frozen=True)
class Attempt:
    seconds: float
    reply: Reply | None
    error: str | None
    late: bool


def agent_core(service: Service) -> web.Application:
    """The application; raises ConfigurationError when a feature flag is not one."""
    database = Database(service.env, "SUPABASE_DATABASE_URL")
    cache = Cache(service.env)
    events = Events(service.env, service.log)
    agents = service.version != PREVIOUS_VERSION
    flags = flag_source(service) if agents else Fixed(Flags())
    core = AgentCore(service, flags, database, cache, events)
    banner = Banner(service.env, cache)
    dashboard = Dashboard(service, flags, banner)
    app = application(
        service,
        routes=[
            web.post("/messages", core.post),
            web.get("/flags", core.tell_flags),
            *banner.routes(),
            *dashboard.routes(),
        ],
        # Without them the menu still answers.
        checks=[
            Check("database", database.ping, required=False),
            Check("redis", cache.ping, required=False),
        ],
        resources=[events, cache, database],
    )
    app.cleanup_ctx.append(flags.following)
    app.cleanup_ctx.append(core.warming)
    app.cleanup_ctx.append(core.cohorts.counting)
    if agents:
        app.cleanup_ctx.append(core.aggregating)
    return app


class AgentCore:
    def __init__(
        self,
        service: Service,
        flags: Fixed,
        database: Database,
        cache: Cache,
        events: Events,
    ) -> None:
        self._service = service
        self._log = service.log
        self._flags = flags
        self._query = database.fetch
        self._execute = database.execute
        self._profiles = Profiles(cache, database.fetch, service.log)
        self._events = events
        self.cohorts = Cohorts(service.registry, cache, service.log)
        self._users_fail = UsersFail(service.context.fault)
        self._asked_since_aggregation = False
        self._make_metrics()

    def _make_metrics(self) -> None:
        registry = self._service.registry
        self._requests = Counter(
            "agent_requests_total", "Messages meant for an agent.", ("outcome",), registry=registry
        )
        self._fallbacks = Counter(
            "agent_fallbacks_total",
            "Messages the menu answered in an agent's place.",
            ("reason",),
            registry=registry,
        )
        self._seconds = Histogram(
            "agent_request_duration_seconds",
            "How long an agent took.",
            buckets=BUCKETS,
            registry=registry,
        )
        # Known from the start, so that a rate over them is zero and not missing.
        for outcome in ("success", "fallback", "error"):
            self._requests.labels(outcome)
        for reason in ("disabled", "error", "timeout"):
            self._fallbacks.labels(reason)

    async def tell_flags(self, _request: web.Request) -> web.Response:
        """What this process decides by now, whatever is written elsewhere."""
        return web.json_response({"flags": self._flags.now.to_dict()})

    async def post(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        number = normalized(text_field(body, "from"))
        message = Message(text_field(body, "message_id"), number, text_field(body, "text"))
        flags = self._flags.now
        drawn = cohort(message.number, flags)
        with self.cohorts.answering(message.number, drawn):
            self._users_fail.unless_spared(drawn)
            return await self._answered(message, flags)

    async def _answered(self, message: Message, flags: Flags) -> web.Response:
        answered = await self._answer(message, flags)
        event = {
            "message_id": message.message_id,
            "from": message.number,
            "handled_by": answered.handled_by,
            "agent": answered.agent,
            "reason": answered.reason,
            "version": self._service.version,
        }
        self._events.send("whatsapp.messages", message.number, {**event, "text": message.text})
        if answered.agent is not None:
            self._events.send("agent.events", message.number, event)
        return web.json_response({**event, "reply": answered.reply.to_dict()})

    async def _answer(self, message: Message, flags: Flags) -> Answer:
        profile = await self._profiles.of(message.number)
        routed = route(message.number, message.text, flags)
        if routed.agent is None:
            return Answer(MENU, "menu", routed.reason)
        if routed.agent not in flags.agents:
            fallback = AgentFallback(message.message_id, message.number, routed.agent, "disabled")
            return await self._fall_back(fallback, "fallback")
        question = Question(message.number, message.text, profile.display_name)
        return await self._ask(routed.agent, message, question, routed.reason)

    async def _ask(self, agent: Agent, message: Message, question: Question, reason: str) -> Answer:
        attempt = await self._attempt(agent, question)
        self._seconds.observe(attempt.seconds)
        done = AgentRequest(
            message_id=message.message_id,
            number=message.number,
            agent=agent,
            message=message.text,
            duration_ms=round(attempt.seconds * 1000),
            reply=attempt.reply.text if attempt.reply else None,
            error=attempt.error,
        )
        self._asked_since_aggregation = True
        await self._save("request", self._execute(SAVE_REQUEST, *astuple(done)))
        if attempt.reply is None:
            return await self._failed(done, late=attempt.late)
        self._requests.labels("success").inc()
        self._log.info(
            "message routed to an agent",
            message_id=message.message_id,
            user=masked(message.number),
            agent=agent,
            reason=reason,
            duration_ms=done.duration_ms,
        )
        return Answer(attempt.reply, "agent", reason, agent)

    async def _attempt(self, agent: Agent, question: Question) -> Attempt:
        started = time.perf_counter()
        reply, error, late = None, None, False
        try:
            async with asyncio.timeout(AGENT_SECONDS):
                reply = await answer(agent, question, self._query)
        except TimeoutError:
            error, late = f"no answer within {AGENT_SECONDS:g} s", True
        except Exception as exc:
            error = described(exc)
        return Attempt(time.perf_counter() - started, reply, error, late)

    async def _failed(self, done: AgentRequest, *, late: bool) -> Answer:
        self._log.error(
            "agent failed", message_id=done.message_id, agent=done.agent, error=done.error
        )
        reason: t.Literal["timeout", "error"] = "timeout" if late else "error"
        fallback = AgentFallback(done.message_id, done.number, done.agent, reason, done.error)
        return await self._fall_back(fallback, "error")

    async def _fall_back(
        self, fallback: AgentFallback, outcome: t.Literal["fallback", "error"]
    ) -> Answer:
        self._requests.labels(outcome).inc()
        self._fallbacks.labels(fallback.reason).inc()
        await self._save("fallback", self._execute(SAVE_FALLBACK, *astuple(fallback)))
        self._log.info(
            "fallback to the menu",
            message_id=fallback.message_id,
            user=masked(fallback.number),
            agent=fallback.agent,
            reason=fallback.reason,
        )
        return Answer(MENU, "menu", f"fallback_{fallback.reason}", fallback.agent)

    async def _save(self, what: str, saving: t.Awaitable[None]) -> None:
        """The user gets the answer even when its trace cannot be written."""
        try:
            async with asyncio.timeout(SAVE_SECONDS):
                await saving
        except Exception as exc:
            self._log.error(f"agent {what} could not be saved", error=described(exc))

    async def warming(self, _app: web.Application) -> t.AsyncIterator[None]:
        """Beside the first requests, which are answered without waiting for it."""
        async with beside(self._profiles.warm()):
            yield

    async def aggregating(self, _app: web.Application) -> t.AsyncIterator[None]:
        async with beside(self._aggregate()):
            yield

    async def _aggregate(self) -> None:
        while True:
            await asyncio.sleep(METRICS_SECONDS)
            if self._asked_since_aggregation:
                self._asked_since_aggregation = False
                await self._save("metrics", self._execute(SAVE_METRICS))
