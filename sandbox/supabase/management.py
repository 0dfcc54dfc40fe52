# SPDX-License-Identifier: GPL-3.0-or-later
"""The Management API: edge functions, and the project's health, secrets and logs."""

from __future__ import annotations

import hashlib
import re
import time
import typing as t
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiohttp import web

from sandbox.faults import Faults
from sandbox.supabase.data import Data
from sandbox.supabase.errors import ApiError
from sandbox.supabase.functions import (
    Function,
    next_function,
    read_upload,
    source_writer,
    validated_slug,
)
from sandbox.supabase.runtime import BundleError, Runtime
from sandbox.supabase.settings import NAME
from sandbox.supabase.store import FunctionLogs, Store, parse_query

BASE = "/v1/projects/{ref}/functions"


class FunctionsApi:
    def __init__(self, store: Store, runtime: Runtime, faults: Faults, project_ref: str) -> None:
        self._store = store
        self._runtime = runtime
        self._faults = faults
        self._project_ref = project_ref
        self._bundles: dict[tuple[str, int, str], Function] = {}
        """What was bundled and not activated yet, by slug, version and digest."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(BASE, self.list),
            web.put(BASE, self.activate),
            web.post(f"{BASE}/deploy", self.deploy),
            web.get(f"{BASE}/{{slug}}", self.read),
            web.delete(f"{BASE}/{{slug}}", self.delete),
            web.get(f"{BASE}/{{slug}}/body", self.body),
        ]

    async def list(self, _request: web.Request) -> web.Response:
        return web.json_response([self._json(f) for f in self._store.functions.values()])

    async def read(self, request: web.Request) -> web.Response:
        return web.json_response(self._json(self._named(request)))

    async def body(self, request: web.Request) -> web.Response:
        function = self._named(request)
        if "multipart/form-data" not in request.headers.get("Accept", ""):
            raise ApiError(406, "Only sources are kept here: ask with Accept: multipart/form-data")
        writer = source_writer(function, self._store.read_sources(function))
        return web.Response(body=writer)

    async def deploy(self, request: web.Request) -> web.Response:
        """Bundle, and unless told otherwise activate; answers with the new version's record."""
        slug = validated_slug(request.query.get("slug"))
        upload = await read_upload(request)
        self._store.save_sources(upload)
        function = next_function(
            slug, upload, self._store.functions.get(slug), new_id=str(uuid.uuid4()), now=_now()
        )
        await self._bundle(function)
        if request.query.get("bundleOnly") == "true":
            self._bundles[_key(function)] = function
        else:
            await self._runtime.activate([function])
        return web.json_response(self._json(function), status=201)

    async def activate(self, request: web.Request) -> web.Response:
        """All of the functions named by their bundle's record, or none of them."""
        records = await json_body(request)
        if not isinstance(records, list):
            raise ApiError(400, "Expected array")
        functions = [self._bundled(record) for record in records]
        with _bundling():
            await self._runtime.activate(functions)
        for function in functions:
            self._bundles.pop(_key(function), None)
        return web.json_response({"functions": [self._json(f) for f in functions]})

    async def delete(self, request: web.Request) -> web.Response:
        function = self._named(request)
        self._store.delete_function(function.slug)
        self._runtime.remove(function.slug)
        return web.json_response({})

    async def _bundle(self, function: Function) -> None:
        if self._faults.active(NAME, "bundle-fails", function.slug):
            raise ApiError(400, "Failed to bundle the function (reason: out of memory).")
        with _bundling():
            await self._runtime.stage(function)

    def _bundled(self, record: object) -> Function:
        try:
            entry = t.cast("dict[str, t.Any]", record)
            key = (validated_slug(entry["slug"]), int(entry["version"]), entry["ezbr_sha256"])
        except (KeyError, TypeError, ValueError) as exc:
            raise ApiError(
                400, f"Each function needs slug, version and ezbr_sha256: {exc}"
            ) from exc
        current = self._store.functions.get(key[0])
        function = self._bundles.get(key)
        if function is None and current and _key(current) == key:
            function = current
        if function is None:
            raise ApiError(400, f"Function {key[0]} version {key[1]} has not been bundled")
        verify_jwt = entry.get("verify_jwt", function.verify_jwt)
        return replace(function, verify_jwt=verify_jwt is True, updated_at=_now())

    def _named(self, request: web.Request) -> Function:
        function = self._store.functions.get(request.match_info["slug"])
        if function is None:
            raise ApiError(404, "Function not found")
        return function

    def _json(self, function: Function) -> dict[str, object]:
        return effective(function, self._faults).to_json(self._project_ref)


def effective(function: Function, faults: Faults) -> Function:
    """The function as the platform treats it: somebody may have flipped its JWT switch."""
    if faults.active(NAME, "jwt-flipped", function.slug):
        return replace(function, verify_jwt=True)
    return function


async def json_body(request: web.Request) -> t.Any:
    try:
        return await request.json()
    except ValueError as exc:
        raise ApiError(400, f"The body is not JSON: {exc}") from exc


@contextmanager
def _bundling() -> t.Iterator[None]:
    try:
        yield
    except BundleError as exc:
        raise ApiError(400, f"Failed to bundle the function (reason: {exc}).") from exc


def _key(function: Function) -> tuple[str, int, str]:
    return (function.slug, function.version, function.ezbr_sha256)


def _now() -> int:
    return time.time_ns() // 1_000_000


PROJECT = "/v1/projects/{ref}"
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


@dataclass
class ProjectApi:
    store: Store
    runtime: Runtime
    logs: FunctionLogs
    data: Data

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PROJECT}/health", self.health),
            web.get(f"{PROJECT}/secrets", self.list_secrets),
            web.post(f"{PROJECT}/secrets", self.set_secrets),
            web.delete(f"{PROJECT}/secrets", self.delete_secrets),
            web.get(f"{PROJECT}/analytics/endpoints/logs.all", self.find_logs),
        ]

    async def health(self, request: web.Request) -> web.Response:
        services = request.query.getall("services", [])
        if not services or set(services) - set(SERVICES):
            raise ApiError(400, f"services: must be among {', '.join(SERVICES)}")
        error = await self.data.error() if set(services) & set(NEED_DATABASE) else None
        return web.json_response(
            [_health(name, error if name in NEED_DATABASE else None) for name in services]
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
        left = {name: entry for name, entry in self.store.secrets.items() if name not in names}
        self.store.save_secrets(left)
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
