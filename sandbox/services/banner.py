# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner of the admin dashboard, kept in Valkey so that every pod shows the same."""

from __future__ import annotations

import hmac
import json
import typing as t

from aiohttp import web

from sandbox.services.base_service import RequestError, json_object, text_field
from sandbox.services.connections import Cache, setting

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
        kept = await self._cache.client().get(KEY)
        return t.cast("dict[str, str]", json.loads(kept)) if kept else None

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
