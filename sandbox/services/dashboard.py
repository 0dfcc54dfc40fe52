# SPDX-License-Identifier: GPL-3.0-or-later
"""The agents' dashboard, as JSON, and its banner.

The banner is kept in Valkey, so that every pod shows the same.
"""

from __future__ import annotations

import hmac
import json
import typing as t

from aiohttp import web

from sandbox.services.base_service import RequestError, described, json_object, text_field
from sandbox.services.connections import Cache, setting

if t.TYPE_CHECKING:
    from sandbox.services.base_service import Service
    from sandbox.services.routing import Fixed

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


class Dashboard:
    """GET /agents/dashboard and /agents/dashboard.json: what a release and its smoke tests read of it."""

    def __init__(self, service: Service, flags: Fixed, banner: Banner) -> None:
        self._service = service
        self._flags = flags
        self._banner = banner

    def routes(self) -> list[web.RouteDef]:
        paths = ("/agents/dashboard", "/agents/dashboard.json")
        return [web.get(path, self.figures) for path in paths]

    async def figures(self, _request: web.Request) -> web.Response:
        flags = self._flags.now
        return web.json_response(
            {
                "version": self._service.version,
                "enabled": flags.enabled,
                "percentage": _plain(flags.percentage if flags.enabled else 0.0),
                "agents_on": sorted(flags.agents),
                "banner": await self._current_banner(),
                "pod": self._service.context.pod_name,
            }
        )

    async def _current_banner(self) -> dict[str, str] | None:
        """It must answer even when the cache is away."""
        try:
            return await self._banner.current()
        except Exception as exc:
            self._service.log.warning("the banner cannot be read", error=described(exc))
            return None


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number
