# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway beside functions: /rest/v1 and /auth/v1/health, behind the project's keys, and /metrics."""

from __future__ import annotations

import hmac

from aiohttp import web

from sandbox.supabase.data import Data
from sandbox.supabase.errors import RefusedError
from sandbox.supabase.metrics import Metrics
from sandbox.supabase.settings import Settings

POSTGREST_VERSION = "14.1"
NO_KEY = {
    "message": "No API key found in request",
    "hint": "No `apikey` request header or url param was found.",
}
WRONG_KEY = {
    "message": "Invalid API key",
    "hint": "Double check your Supabase `anon` or `service_role` API key.",
}
FORBIDDEN_SCHEMA = {
    "message": "Access to schema is forbidden",
    "hint": "Accessing the schema via the REST API is only allowed using a secret API key.",
}


class RestGateway:
    def __init__(self, settings: Settings, data: Data, metrics: Metrics) -> None:
        self._roles = {settings.anon_key: "anon", settings.service_role_key: "service_role"}
        self._data = data
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/rest/v1/", self.schema),
            web.get("/rest/v1/{table}", self.table),
            web.get("/auth/v1/health", self.auth_health),
            web.get("/metrics", self.metrics),
        ]

    async def schema(self, request: web.Request) -> web.Response:
        try:
            if self._role(request) != "service_role":
                raise RefusedError(403, FORBIDDEN_SCHEMA)
            return web.json_response(openapi(await self._data.tables()))
        except RefusedError as exc:
            return exc.to_response()

    async def table(self, request: web.Request) -> web.Response:
        try:
            role = self._role(request)
            table = request.match_info["table"]
            rows = await self._data.select(table, request.query.items(), role=role)
            return web.json_response(rows)
        except RefusedError as exc:
            return exc.to_response()

    async def auth_health(self, request: web.Request) -> web.Response:
        try:
            self._role(request)
        except RefusedError as exc:
            return exc.to_response()
        description = "GoTrue is a user registration and authentication API"
        return web.json_response(
            {"version": "v2.180.0", "name": "GoTrue", "description": description}
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), content_type="text/plain")

    def _role(self, request: web.Request) -> str:
        given = request.headers.get("apikey") or request.query.get("apikey")
        if not given:
            raise RefusedError(401, NO_KEY)
        for key, role in self._roles.items():
            if hmac.compare_digest(given.encode(), key.encode()):
                return role
        raise RefusedError(401, WRONG_KEY)


def openapi(tables: list[str]) -> dict[str, object]:
    """What PostgREST tells about itself; its version is what clients read."""
    paths = {f"/{table}": {"get": {"tags": [table]}} for table in tables}
    return {
        "swagger": "2.0",
        "info": {"title": "standard public schema", "version": POSTGREST_VERSION},
        "basePath": "/",
        "paths": {"/": {"get": {"tags": ["Introspection"]}}, **paths},
    }
