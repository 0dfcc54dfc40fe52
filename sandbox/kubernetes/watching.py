# SPDX-License-Identifier: GPL-3.0-or-later
"""A watch: the objects that exist, the events since a version, new events, and bookmarks."""

from __future__ import annotations

import asyncio
import random
import typing as t
from dataclasses import dataclass

from aiohttp import web

from sandbox.kubernetes import tables
from sandbox.kubernetes.errors import ApiError, Cause, Object, expired
from sandbox.kubernetes.history import Event, Record, Subscription, serialized
from sandbox.kubernetes.responses import shown, wants_table
from sandbox.kubernetes.routing import Query, flag, seconds, whole_number

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource
    from sandbox.kubernetes.selectors import Predicate
    from sandbox.kubernetes.store import Store

BOOKMARK_SECONDS = 10.0
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True)
class View:
    """Which objects a watcher sees, and in which form."""

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
        if not self.as_table and self.resource.group != "events.k8s.io":
            return b'{"type":"' + kind.encode() + b'","object":' + record.raw + b"}\n"
        if self.as_table:
            metadata = {"resourceVersion": record.body["metadata"]["resourceVersion"]}
            body = tables.table(self.resource, [record.body], metadata, self.include, head=head)
        else:
            body = shown(self.resource, record.body)
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
    """One client's watch, streamed as one JSON document a line."""

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
        wanted = seconds(query, "timeoutSeconds")
        self.timeout = wanted if wanted else random.randint(1800, 3600)  # noqa: S311 -- spread only

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
            lines = [self._line("ADDED", one) for one in records if self._view.contains(one)]
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
