# SPDX-License-Identifier: GPL-3.0-or-later
"""What agent-core keeps in the database: sessions, requests, fallbacks and their figures."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from sandbox.services.connections import Database
    from sandbox.services.routing import Agent

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
    select id, $3, $1, $2, $4, $5, $6, $7, $8
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
    """One message that an agent was asked to answer, and how that went."""

    message_id: str
    number: str
    agent: Agent
    message: str
    duration_ms: int
    reply: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class AgentFallback:
    message_id: str
    number: str
    agent: Agent
    reason: t.Literal["disabled", "error", "timeout"]
    detail: str | None = None


class AgentStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_request(self, request: AgentRequest) -> None:
        await self._database.execute(
            SAVE_REQUEST,
            request.number,
            request.agent,
            request.message_id,
            request.message,
            request.reply,
            request.error is None,
            request.duration_ms,
            request.error,
        )

    async def save_fallback(self, fallback: AgentFallback) -> None:
        await self._database.execute(
            SAVE_FALLBACK,
            fallback.message_id,
            fallback.number,
            fallback.agent,
            fallback.reason,
            fallback.detail,
        )

    async def save_metrics(self) -> None:
        await self._database.execute(SAVE_METRICS)
