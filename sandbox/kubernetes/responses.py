# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in the form that the client asked for: one object, a list, a Table, a Status, or a watch.

A watch tells the objects that exist, the events since a version, new events, and bookmarks.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import typing as t
from dataclasses import dataclass

from aiohttp import web

from sandbox.kubernetes import tables
from sandbox.kubernetes.errors import ApiError, Cause, Object, bad_request, expired
from sandbox.kubernetes.history import Event, Record, Subscription, serialized
from sandbox.kubernetes.requests import Query, flag, whole_number

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource
    from sandbox.kubernetes.selectors import Predicate
    from sandbox.kubernetes.store import Store

JSON = "application/json"


def json_response(body: Object, status: int = 200, warnings: t.Iterable[str] = ()) -> web.Response:
    response = web.Response(body=serialized(body), status=status, content_type=JSON)
    for warning in warnings:
        text = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{text}"')
    return response


def refusal(error: ApiError) -> web.Response:
    response = json_response(error.to_status(), error.status)
    seconds = error.details.get("retryAfterSeconds")
    if seconds is not None:
        response.headers["Retry-After"] = str(seconds)
    return response


def success(resource: Resource, obj: Object) -> Object:
    metadata = obj["metadata"]
    details = {"name": metadata["name"]}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": metadata["uid"]}
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return body | {"details": details}


def wants_table(accept: str) -> bool:
    return "as=Table" in accept and "g=meta.k8s.io" in accept


@dataclass(frozen=True)
class Page:
    records: t.Sequence[Record]
    version: str
    next_token: str = ""
    remaining: int | None = None

    def metadata(self) -> Object:
        head: Object = {"resourceVersion": self.version}
        if self.next_token:
            head["continue"] = self.next_token
            if self.remaining is not None:
                head["remainingItemCount"] = self.remaining
        return head


def page(records: t.Sequence[Record], version: str, limit: int, token: str, exact: bool) -> Page:
    """`limit` records after where `token` ended (0 or less: all); `exact` when how many remain may be told."""
    start = token_position(token)
    left = [record for record in records if position(record) > start] if token else records
    if limit <= 0 or len(left) <= limit:
        return Page(left, version)
    shown = left[:limit]
    following = token_after(version, position(shown[-1]))
    return Page(shown, version, following, len(left) - limit if exact else None)


def position(record: Record) -> list[str]:
    metadata = record.body["metadata"]
    return [metadata.get("namespace", ""), metadata["name"]]


def token_after(version: str, start: list[str]) -> str:
    token = {"v": "meta.k8s.io/v1", "rv": int(version), "start": start}
    return base64.urlsafe_b64encode(serialized(token)).decode()


def token_position(token: str) -> list[str]:
    return _token(token)[1] if token else []


def token_version(token: str) -> int:
    return _token(token)[0]


def _token(token: str) -> tuple[int, list[str]]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token))
        return int(content["rv"]), list(content["start"])
    except (ValueError, KeyError, TypeError) as exc:
        raise bad_request(f"continue key is not valid: {exc}") from exc


def list_response(resource: Resource, listed: Page, accept: str, include: str) -> web.Response:
    if wants_table(accept):
        bodies = [record.body for record in listed.records]
        return json_response(tables.table(resource, bodies, listed.metadata(), include, head=True))
    head = serialized(
        {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": listed.metadata(),
        }
    )
    items = b",".join(list_item(resource, record) for record in listed.records)
    return web.Response(body=head[:-1] + b',"items":[' + items + b"]}", content_type=JSON)


def list_item(resource: Resource, record: Record) -> bytes:
    """The stored bytes without kind and apiVersion, which a real list leaves out too."""
    prefix = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
    if record.raw.startswith(prefix):
        return b"{" + record.raw[len(prefix) :]
    return serialized({k: v for k, v in record.body.items() if k not in ("kind", "apiVersion")})


def object_response(
    resource: Resource, obj: Object, accept: str, include: str, *, status: int = 200,
    warnings: t.Iterable[str] = (),
) -> web.Response:  # fmt: skip
    if wants_table(accept):
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        body = tables.table(resource, [obj], metadata, include, head=True)
        return json_response(body, status, warnings)
    return json_response(obj, status, warnings)


BOOKMARK_SECONDS = 10.0
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True)
class View:
    resource: Resource
    namespace: str
    selects: Predicate | None
    as_table: bool
    include: str

    def contains(self, record: Record | None) -> bool:
        if record is None:
            return False
        if self.namespace and record.namespace != self.namespace:
            return False
        return self.selects is None or self.selects(record.body)

    def line(self, kind: str, record: Record, *, head: bool) -> bytes:
        if not self.as_table:
            return b'{"type":"' + kind.encode() + b'","object":' + record.raw + b"}\n"
        metadata = {"resourceVersion": record.body["metadata"]["resourceVersion"]}
        body = tables.table(self.resource, [record.body], metadata, self.include, head=head)
        return serialized({"type": kind, "object": body}) + b"\n"

    def translated(self, event: Event) -> str | None:
        """What an event is to this view: an object can enter or leave it by changing."""
        now = event.type != "DELETED" and self.contains(event.record)
        before = self.contains(event.previous)
        if now and before:
            return "MODIFIED"
        if now:
            return "ADDED"
        return "DELETED" if before else None


class Watch:
    def __init__(self, store: Store, view: View, query: Query) -> None:
        self._store = store
        self._view = view
        self._plural = view.resource.plural
        self._version = whole_number(query, "resourceVersion")
        self._initial = flag(query, "sendInitialEvents")
        self._from_now = query.get("sendInitialEvents") == "false" and not self._version
        self.bookmarks = flag(query, "allowWatchBookmarks")
        self._head = True
        check_initial_events(query)
        self.timeout = whole_number(query, "timeoutSeconds") or random.randint(1800, 3600)  # noqa: S311 -- spread only

    async def stream(self, request: web.Request) -> web.StreamResponse:
        # Subscribed before anything is read and before the first await: nothing falls between.
        subscription = self._store.subscribe(self._plural, expires=True)
        try:
            first = self.first_lines()
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            for line in first:
                await response.write(line)
            if not ends(first):
                await self._follow(response, subscription)
            await response.write_eof()
            return response
        finally:
            subscription.close()

    def first_lines(self) -> list[bytes]:
        """What it tells of the time before it; the last is an ERROR when it cannot follow from its version."""
        if self._initial or (not self._version and not self._from_now):
            records = self._store.records(self._plural, self._view.namespace)
            lines = [
                self._line("ADDED", record) for record in records if self._view.contains(record)
            ]
            if self._initial and self.bookmarks:
                lines.append(self.bookmark(INITIAL_EVENTS_END))
            return lines
        if self._from_now:
            return []
        try:
            events = self._store.events_since(self._plural, self._version)
        except ApiError as exc:
            return [error_line(exc)]
        return [line for event in events if (line := self.event_line(event))]

    async def _follow(self, response: web.StreamResponse, subscription: Subscription) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout
        while (left := deadline - loop.time()) > 0:
            try:
                wait = min(left, BOOKMARK_SECONDS)
                event = await asyncio.wait_for(subscription.next_event(), wait)
            except TimeoutError:
                if self.bookmarks:
                    await response.write(self.bookmark({}))
                continue
            if event is None:
                gone = int(self._store.version)
                await response.write(error_line(expired(gone - 1, gone)))
                return
            if line := self.event_line(event):
                await response.write(line)

    def event_line(self, event: Event) -> bytes:
        kind = self._view.translated(event)
        return self._line(kind, event.record) if kind else b""

    def _line(self, kind: str, record: Record) -> bytes:
        line = self._view.line(kind, record, head=self._head)
        self._head = False
        return line

    def bookmark(self, annotations: Object) -> bytes:
        resource = self._view.resource
        metadata: Object = {"resourceVersion": self._store.version}
        if annotations:
            metadata["annotations"] = annotations
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        body: Object = head | {"metadata": metadata}
        if self._view.as_table:
            body = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            body |= {"columnDefinitions": None, "rows": [{"cells": [], "object": head | body}]}
        return serialized({"type": "BOOKMARK", "object": body}) + b"\n"


def ends(lines: t.Sequence[bytes]) -> bool:
    """Whether the last is the ERROR after which a watch tells nothing more."""
    return bool(lines) and lines[-1].startswith(b'{"type":"ERROR"')


def error_line(error: ApiError) -> bytes:
    return serialized({"type": "ERROR", "object": error.to_status()}) + b"\n"


def check_initial_events(query: Query) -> None:
    if "sendInitialEvents" in query and query.get("resourceVersionMatch") != "NotOlderThan":
        words = "resourceVersionMatch is required when sendInitialEvents is given"
        cause = Cause("resourceVersionMatch", f"Forbidden: {words}", "FieldValueForbidden")
        message = f'ListOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}'
        raise ApiError(422, "Invalid", message, {"causes": [cause.to_dict()]})


def view_of(resource: Resource, namespace: str, selects: Predicate | None, accept: str,
            query: Query) -> View:  # fmt: skip
    include = query.get("includeObject") or "Metadata"
    return View(resource, namespace, selects, wants_table(accept), include)
