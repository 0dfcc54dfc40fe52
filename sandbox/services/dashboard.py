# SPDX-License-Identifier: GPL-3.0-or-later
"""The agents' dashboard: figures of the last 15 minutes, as JSON and as a live page, and its banner.

The banner is kept in Valkey, so that every pod shows the same.
"""

from __future__ import annotations

import hmac
import json
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aiohttp import web

from sandbox.services.base_service import RequestError, described, json_object, text_field
from sandbox.services.connections import Cache, setting

if t.TYPE_CHECKING:
    from sandbox.services.base_service import Service
    from sandbox.services.connections import Database
    from sandbox.services.routing import FlagSource

KEY = "admin:banner"
TYPES = ("info", "success", "warning", "error")


class Banner:
    """GET, POST and DELETE /admin/banner, for whoever has the admin token."""

    def __init__(self, env: t.Mapping[str, str], cache: Cache) -> None:
        self._env = env
        self._cache = cache

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/banner", self.show),
            web.post("/admin/banner", self.post),
            web.delete("/admin/banner", self.remove),
        ]

    async def current(self) -> dict[str, str] | None:
        banner = await self._cache.client().get(KEY)
        return t.cast("dict[str, str]", json.loads(banner)) if banner else None

    async def show(self, request: web.Request) -> web.Response:
        self._authorize(request)
        return web.json_response({"banner": await self.current()})

    async def post(self, request: web.Request) -> web.Response:
        self._authorize(request)
        body = await json_object(request)
        banner = {"message": text_field(body, "message"), "type": body.get("type", "info")}
        if banner["type"] not in TYPES:
            raise RequestError(f"'type' must be one of {', '.join(TYPES)}.")
        if len(banner["message"]) > 500:
            raise RequestError("'message' must have at most 500 characters.")
        await self._cache.client().set(KEY, json.dumps(banner))
        return web.json_response({"banner": banner}, status=201)

    async def remove(self, request: web.Request) -> web.Response:
        self._authorize(request)
        await self._cache.client().delete(KEY)
        return web.Response(status=204)

    def _authorize(self, request: web.Request) -> None:
        wanted = f"Bearer {setting(self._env, 'ADMIN_TOKEN')}"
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(wanted.encode(), given.encode()):
            raise RequestError("The admin token is missing or wrong.", 401)


PAGE = Path(__file__).with_name("dashboard.html")
WINDOW_MINUTES = 15

TABLES_EXIST = """
    select to_regclass('public.agent_requests') is not null
       and to_regclass('public.agent_fallbacks') is not null as present
"""

# A message whose agent is switched off never becomes a request, so it is counted beside them.
# The row without an agent's name is the sum of all.
FIGURES = """
    with event as (
      select agent, duration_ms, error is not null as failed, false as fallback, true as asked
      from public.agent_requests where created_at > now() - interval '15 minutes'
      union all
      select agent, null, false, true, reason <> 'disabled' from public.agent_fallbacks
      where created_at > now() - interval '15 minutes'
    )
    select coalesce(agent, '') as agent,
           count(*) filter (where not fallback or not asked) as requests,
           count(*) filter (where failed) as errors,
           count(*) filter (where fallback) as fallbacks,
           percentile_disc(0.95) within group (order by duration_ms) as p95_ms
    from event group by grouping sets ((agent), ()) order by 1
"""

BY_MINUTE = """
    select date_part('epoch', date_trunc('minute', created_at))::bigint as minute,
           count(*) as requests
    from public.agent_requests where created_at > now() - interval '15 minutes'
    group by 1 order by 1
"""


@dataclass(frozen=True)
class Figures:
    """Of one agent, or of all when `agent` is empty. Rates are shares of `requests`.

    A fallback is no error: the user got the menu, as the release means it.
    """

    agent: str = ""
    requests: int = 0
    success_rate: float | None = None
    error_rate: float = 0.0
    fallback_rate: float = 0.0
    p95_ms: int | None = None


@dataclass(frozen=True)
class Snapshot:
    total: Figures = field(default_factory=Figures)
    agents: tuple[Figures, ...] = ()
    by_minute: tuple[tuple[int, int], ...] = ()
    """Start of the minute in seconds since 1970, and requests in it."""
    tables_exist: bool = False


class Dashboard:
    """GET /agents/dashboard and /agents/dashboard.json."""

    def __init__(
        self, service: Service, flags: FlagSource, database: Database, banner: Banner
    ) -> None:
        self._service = service
        self._flags = flags
        self._query = database.fetch
        self._banner = banner

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/agents/dashboard", self.page),
            web.get("/agents/dashboard.json", self.figures),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE.read_text(encoding="utf-8"), content_type="text/html")

    async def figures(self, _request: web.Request) -> web.Response:
        snapshot = await self._snapshot()
        flags = self._flags.now
        total = {key: value for key, value in asdict(snapshot.total).items() if key != "agent"}
        return web.json_response(
            {
                "version": self._service.version,
                "window_minutes": WINDOW_MINUTES,
                "enabled": flags.enabled,
                "percentage": _plain(flags.percentage if flags.enabled else 0.0),
                "agents_on": sorted(flags.agents),
                **total,
                "agents": [asdict(figures) for figures in snapshot.agents],
                "by_minute": snapshot.by_minute,
                "tables_exist": snapshot.tables_exist,
                "banner": await self._current_banner(),
                "pod": self._service.context.pod_name,
            }
        )

    async def _snapshot(self) -> Snapshot:
        if not (await self._query(TABLES_EXIST))[0]["present"]:
            return Snapshot()
        rows = [figures_of(row) for row in await self._query(FIGURES)]
        minutes = [(row["minute"], row["requests"]) for row in await self._query(BY_MINUTE)]
        total = next((figures for figures in rows if not figures.agent), Figures())
        agents = tuple(figures for figures in rows if figures.agent)
        return Snapshot(total, agents, tuple(minutes), tables_exist=True)

    async def _current_banner(self) -> dict[str, str] | None:
        """The page must show figures even when the cache is away."""
        try:
            return await self._banner.current()
        except Exception as exc:
            self._service.log.warning("the banner cannot be read", error=described(exc))
            return None


def figures_of(row: t.Mapping[str, t.Any]) -> Figures:
    requests = row["requests"]
    if requests == 0:
        return Figures(row["agent"])
    return Figures(
        agent=row["agent"],
        requests=requests,
        success_rate=1 - row["errors"] / requests,
        error_rate=row["errors"] / requests,
        fallback_rate=row["fallbacks"] / requests,
        p95_ms=row["p95_ms"],
    )


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number
