# SPDX-License-Identifier: GPL-3.0-or-later
"""The Management API beside functions: the project, its health, keys, secrets and logs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from sandbox.supabase.data import Data
from sandbox.supabase.errors import ApiError
from sandbox.supabase.logs import FunctionLogs, parse_query
from sandbox.supabase.management import json_body
from sandbox.supabase.runtime import Runtime
from sandbox.supabase.settings import Settings
from sandbox.supabase.store import Store

BASE = "/v1/projects/{ref}"
SERVICES = (
    "auth",
    "db",
    "db_postgres_user",
    "pooler",
    "realtime",
    "rest",
    "storage",
    "pg_bouncer",
)
NEED_DATABASE = ("db", "db_postgres_user", "rest")
SECRET_NAME = re.compile(r"(?!SUPABASE_).{1,256}")
MAX_SECRET = 24_576
MAX_SECRETS = 100
CREATED_AT = "2025-02-20T07:00:00.000000Z"


@dataclass
class ProjectApi:
    settings: Settings
    store: Store
    runtime: Runtime
    logs: FunctionLogs
    data: Data

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(BASE, self.project),
            web.get(f"{BASE}/health", self.health),
            web.get(f"{BASE}/api-keys", self.api_keys),
            web.get(f"{BASE}/secrets", self.list_secrets),
            web.post(f"{BASE}/secrets", self.set_secrets),
            web.delete(f"{BASE}/secrets", self.delete_secrets),
            web.get(f"{BASE}/analytics/endpoints/logs.all", self.find_logs),
        ]

    async def project(self, _request: web.Request) -> web.Response:
        database = self.settings.database
        return web.json_response(
            {
                "id": self.settings.project_ref,
                "ref": self.settings.project_ref,
                "organization_id": "easymo",
                "organization_slug": "easymo",
                "name": "easymo",
                "region": "eu-central-1",
                "created_at": CREATED_AT,
                "status": "ACTIVE_HEALTHY",
                "database": {
                    "host": database.host,
                    "version": "18",
                    "postgres_engine": "18",
                    "release_channel": "ga",
                },
            }
        )

    async def health(self, request: web.Request) -> web.Response:
        services = request.query.getall("services", [])
        if not services or set(services) - set(SERVICES):
            raise ApiError(400, f"services: must be among {', '.join(SERVICES)}")
        error = await self.data.error() if set(services) & set(NEED_DATABASE) else None
        return web.json_response(
            [_health(name, error if name in NEED_DATABASE else None) for name in services]
        )

    async def api_keys(self, _request: web.Request) -> web.Response:
        keys = {"anon": self.settings.anon_key, "service_role": self.settings.service_role_key}
        return web.json_response(
            [
                {"name": name, "api_key": key, "id": name, "type": "legacy"}
                for name, key in keys.items()
            ]
        )

    async def list_secrets(self, _request: web.Request) -> web.Response:
        """Digests, never values."""
        return web.json_response(
            [
                {**entry, "value": hashlib.sha256(entry["value"].encode()).hexdigest()}
                for entry in self.store.secrets.values()
            ]
        )

    async def set_secrets(self, request: web.Request) -> web.Response:
        given = [_secret(entry) for entry in _array(await json_body(request))]
        moment = datetime.now(UTC).isoformat()
        merged = self.store.secrets | {
            name: {"name": name, "value": value, "updated_at": moment} for name, value in given
        }
        if len(merged) > MAX_SECRETS:
            raise ApiError(400, f"A project has at most {MAX_SECRETS} secrets")
        self.store.save_secrets(merged)
        await self.runtime.refresh()
        return web.json_response({}, status=201)

    async def delete_secrets(self, request: web.Request) -> web.Response:
        names = _array(await json_body(request))
        kept = {name: entry for name, entry in self.store.secrets.items() if name not in names}
        self.store.save_secrets(kept)
        await self.runtime.refresh()
        return web.json_response({})

    async def find_logs(self, request: web.Request) -> web.Response:
        try:
            query = parse_query(request.query)
        except ValueError as exc:
            raise ApiError(400, f"The query is not understood: {exc}") from exc
        return web.json_response({"result": [line.to_json() for line in self.logs.find(query)]})


def _health(name: str, error: str | None) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": name,
        "healthy": error is None,
        "status": "UNHEALTHY" if error else "ACTIVE_HEALTHY",
    }
    return entry | {"error": error} if error else entry


def _array(body: object) -> list[object]:
    if not isinstance(body, list):
        raise ApiError(400, "Expected array")
    return body


def _secret(entry: object) -> tuple[str, str]:
    """Raises ApiError without ever naming the value."""
    if not isinstance(entry, dict):
        raise ApiError(400, "Each secret needs name and value")
    name, value = entry.get("name"), entry.get("value")
    if not isinstance(name, str) or not SECRET_NAME.fullmatch(name):
        raise ApiError(400, "name: at most 256 characters, not starting with SUPABASE_")
    if not isinstance(value, str) or len(value) > MAX_SECRET:
        raise ApiError(400, f"value of {name}: a string of at most {MAX_SECRET} characters")
    return name, value
