# SPDX-License-Identifier: GPL-3.0-or-later
"""The Management API's edge functions: list, read, deploy, activate in bulk, change, delete."""

from __future__ import annotations

import time
import typing as t
import uuid
from contextlib import contextmanager
from dataclasses import replace

from aiohttp import web

from sandbox.faults import Faults
from sandbox.supabase.errors import ApiError
from sandbox.supabase.functions import Function, next_function, validated_slug
from sandbox.supabase.multipart import read_upload, source_writer
from sandbox.supabase.runtime import Runtime
from sandbox.supabase.settings import NAME
from sandbox.supabase.store import Store
from sandbox.supabase.worker import BundleError

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
            web.patch(f"{BASE}/{{slug}}", self.change),
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

    async def change(self, request: web.Request) -> web.Response:
        function = self._named(request)
        changes = dict(request.query)
        if request.content_type == "application/json" and request.can_read_body:
            changes |= await json_body(request)
        elif request.can_read_body:
            raise ApiError(
                415, "A bundle cannot be uploaded here: send sources to /functions/deploy"
            )
        verify_jwt = changes.get("verify_jwt", function.verify_jwt)
        function = replace(
            function,
            name=str(changes.get("name", function.name)),
            verify_jwt=verify_jwt in (True, "true"),
            updated_at=_now(),
        )
        self._store.save_functions([function])
        return web.json_response(self._json(function))

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
