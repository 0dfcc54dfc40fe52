# SPDX-License-Identifier: GPL-3.0-or-later
"""What the AI agents answer, to whom, and what agent-core keeps of it in the database.

Profiles of those who write are kept in Valkey, so that the database is hardly ever asked.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import typing as t
from dataclasses import asdict, dataclass

from sandbox.services.base_service import described
from sandbox.services.routing import Agent

if t.TYPE_CHECKING:
    from sandbox.services.base_service import Log
    from sandbox.services.connections import Cache

# One statement, one round trip. A conversation goes on in its session for half an hour.
SAVE_REQUEST = """
    with open_session as (
      select id from public.agent_sessions
      where phone = $1 and agent = $2 and status = 'active'
        and updated_at > now() - interval '30 minutes'
      order by created_at desc limit 1
    ), continued as (
      update public.agent_sessions s
      set context = jsonb_build_object('turns', coalesce((s.context ->> 'turns')::int, 0) + 1)
      from open_session o where s.id = o.id
      returning s.id
    ), opened as (
      insert into public.agent_sessions (phone, agent, status, context)
      select $1, $2, 'active', '{"turns": 1}'::jsonb where not exists (table open_session)
      returning id
    )
    insert into public.agent_requests
      (session_id, message_id, phone, agent, message, reply, success, duration_ms, error)
    select id, $3, $1, $2, $4, $5, $7::text is null, $6, $7
    from (table continued union all table opened) as session(id)
"""

SAVE_FALLBACK = """
    insert into public.agent_fallbacks (message_id, phone, agent, reason, detail)
    values ($1, $2, $3, $4, $5)
"""

# Computed anew from the requests, so that several pods may do it at once and in any order.
SAVE_METRICS = """
    with windows as (
      select agent, date_trunc('minute', created_at) as window_start, success, duration_ms,
             error is not null as failed
      from public.agent_requests
      where created_at >= date_trunc('minute', now()) - interval '1 minute'
    ), fallbacks as (
      select agent, date_trunc('minute', created_at) as window_start, count(*) as number
      from public.agent_fallbacks
      where created_at >= date_trunc('minute', now()) - interval '1 minute'
      group by 1, 2
    )
    insert into public.agent_metrics as m
      (agent, window_start, window_seconds, requests, successes, errors, fallbacks, p95_ms)
    select w.agent, w.window_start, 60, count(*), count(*) filter (where w.success),
           count(*) filter (where w.failed), coalesce(max(f.number), 0),
           percentile_disc(0.95) within group (order by w.duration_ms)
    from windows w left join fallbacks f using (agent, window_start)
    group by 1, 2
    on conflict (agent, window_start, window_seconds) do update
    set requests = excluded.requests, successes = excluded.successes, errors = excluded.errors,
        fallbacks = excluded.fallbacks, p95_ms = excluded.p95_ms
"""

# As text, so that they pass from one server to the other as they are.
PROFILES = """
    select phone, json_build_object('display_name', display_name, 'language', language)::text
    from public.users order by updated_at desc limit $1
"""
PROFILE = "select display_name, language from public.users where phone = $1"


@dataclass(frozen=True)
class AgentRequest:
    """One message that an agent was asked to answer, and how that went: what SAVE_REQUEST binds."""

    number: str
    agent: Agent
    message_id: str
    message: str
    reply: str | None
    duration_ms: int
    error: str | None


@dataclass(frozen=True)
class AgentFallback:
    message_id: str
    number: str
    agent: Agent
    reason: t.Literal["disabled", "error", "timeout"]
    detail: str | None = None


Row = t.Mapping[str, t.Any]
MENU_BUTTONS = ("Find vendors", "Fuel stations", "Book a ride", "Rent a home", "My wallet", "Help")


Query = t.Callable[..., t.Awaitable[list[t.Any]]]
"""Asks the database; `$1` and so on of its first argument are the others."""


@dataclass(frozen=True)
class Reply:
    text: str
    buttons: tuple[str, ...] = ()
    results: tuple[t.Mapping[str, object], ...] = ()

    def to_dict(self) -> dict[str, object]:
        kind = "menu" if self.buttons else "text"
        return {
            "type": kind,
            "text": self.text,
            "buttons": list(self.buttons),
            "results": list(self.results),
        }


@dataclass(frozen=True)
class Question:
    number: str
    text: str
    name: str


@dataclass(frozen=True)
class Lookup:
    """A subject that one query answers; its $1, if it has one, is what `argument` names."""

    query: str
    heading: str
    nothing: str
    argument: t.Literal["text", "number", "none"] = "none"


MENU = Reply("Welcome to EasyMO. What would you like to do?", MENU_BUTTONS)

VENDORS_QUERY = """
    with wanted as (select id from public.search_vendors($1, 5))
    select v.name, v.category, v.district, v.rating::float8 as rating, v.phone
    from public.vendors v
    where v.is_open and (v.id in (table wanted) or not exists (table wanted))
    order by v.rating desc, v.id limit 5
"""

LOOKUPS: t.Mapping[Agent, Lookup] = {
    "buyer": Lookup(
        VENDORS_QUERY, "I found {count} vendors for you:", "No vendor is open now.", "text"
    ),
    "station": Lookup(
        "select name, district, fuels from public.stations order by name limit 3",
        "The nearest fuel stations:",
        "I know of no station near you.",
    ),
    "driver": Lookup(
        "select vehicle, plate, district, rating::float8 as rating from public.drivers"
        " where is_online order by rating desc limit 3",
        "{count} drivers can take you now:",
        "No driver is on the road now.",
    ),
    "marketplace": Lookup(
        "select title as name, district, bedrooms, monthly_rent_rwf from public.properties"
        " order by listed_at desc limit 5",
        "The newest places:",
        "Nothing is listed now.",
    ),
    "vendor": Lookup(
        "select v.name, count(p.id) filter (where p.in_stock) as products from public.vendors v"
        " left join public.products p on p.vendor_id = v.id where v.phone = $1 group by v.id",
        "Your shop:",
        "You have no shop yet. Shall I open one for you?",
        "number",
    ),
    "admin": Lookup(
        "select agent as name, count(*) as requests from public.agent_requests"
        " where created_at > now() - interval '15 minutes' group by agent order by agent",
        "Requests of the last 15 minutes:",
        "No agent was asked in the last 15 minutes.",
    ),
}


async def answer(agent: Agent, question: Question, query: Query) -> Reply:
    """The agent's reply. What goes wrong is raised: the caller falls back to the menu."""
    lookup = LOOKUPS.get(agent)
    if lookup is None:
        return Reply(f"Hello {question.name}, how can I help you? Write MENU to see all we do.")
    bound = {"text": (question.text,), "number": (question.number,), "none": ()}[lookup.argument]
    rows: list[Row] = await query(lookup.query, *bound)
    if not rows:
        return Reply(lookup.nothing)
    lines = [lookup.heading.format(count=len(rows)), *(_line(row) for row in rows)]
    return Reply("\n".join(lines), results=tuple(dict(row) for row in rows))


def _line(row: Row) -> str:
    return "• " + ", ".join(_worded(key, value) for key, value in row.items())


def _worded(key: str, value: object) -> str:
    if isinstance(value, list):
        return "/".join(map(str, value))
    if key.endswith("_rwf"):
        return f"RWF {value:,}"
    return (
        str(value)
        if key in ("name", "vehicle", "category", "district", "phone")
        else f"{key} {value}"
    )


KEEP_SECONDS = 3600
WARM_KEY = "profiles:warm"
WARM_AT_MOST = 10_000
LOOKUP_SECONDS = 0.75


@dataclass(frozen=True)
class Profile:
    display_name: str = "there"
    language: str = "rw"


class Profiles:
    """Never fails: a user who cannot be looked up is greeted without a name."""

    def __init__(self, cache: Cache, query: Query, log: Log) -> None:
        self._cache = cache
        self._query = query
        self._log = log
        self._last_error = ""

    async def of(self, number: str) -> Profile:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                profile = await self._look_up(f"profile:{number}", number)
        except Exception as exc:
            self._log_failure(described(exc))
            return Profile()
        self._last_error = ""
        return profile

    async def warm(self) -> None:
        """Fill an empty cache before users have to wait for it; one pod does so for all."""
        try:
            cache = self._cache.client()
            if not await cache.set(WARM_KEY, "1", nx=True, ex=KEEP_SECONDS):
                return
            rows = await self._query(PROFILES, WARM_AT_MOST)
            for batch in itertools.batched(rows, 500):
                pipeline = cache.pipeline(transaction=False)
                for phone, profile in batch:
                    pipeline.set(f"profile:{phone}", profile, ex=KEEP_SECONDS, nx=True)
                await pipeline.execute()
        except Exception as exc:
            self._log_failure(described(exc))
        else:
            self._log.info("profiles are in the cache", number=len(rows))

    async def _look_up(self, key: str, number: str) -> Profile:
        cache = self._cache.client()
        # Asking keeps it: who writes often is never looked up again.
        profile_text = await cache.getex(key, ex=KEEP_SECONDS)
        if profile_text is not None:
            return Profile(**json.loads(profile_text))
        rows = await self._query(PROFILE, number)
        profile = Profile(**dict(rows[0])) if rows else Profile()
        await cache.set(key, json.dumps(asdict(profile)), ex=KEEP_SECONDS)
        return profile

    def _log_failure(self, error: str) -> None:
        """Says each kind of trouble once, not once a message."""
        if error != self._last_error:
            self._log.warning("profiles cannot be looked up", error=error)
            self._last_error = error
