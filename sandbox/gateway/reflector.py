# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a copy of some objects of the Kubernetes API: list once, then watch, and go on where it broke off."""

from __future__ import annotations

import asyncio
import json
import logging
import typing as t

import aiohttp

from sandbox.gateway.endpoints import Object

log = logging.getLogger("sandbox.gateway")

WATCH_SECONDS = 300
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
GONE = 410


class ExpiredError(Exception):
    """The server no longer has the changes since our version: list again."""


class Reflector:
    """Calls `on_change` with all objects whenever one changed: whoever listens needs no history.

    While the API is away, what was known last stays in force.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        on_change: t.Callable[[t.Iterable[Object]], None],
    ) -> None:
        self._session = session
        self._url = url
        self._on_change = on_change
        self._objects: dict[tuple[str, str], Object] = {}
        self._version = ""
        self.synced = False

    async def run(self) -> t.NoReturn:
        pause = FIRST_PAUSE
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause = FIRST_PAUSE
            except ExpiredError:
                self._version = ""
            except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
                log.warning("%s: %s: %s", self._url, type(exc).__name__, exc)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _list(self) -> None:
        timeout = aiohttp.ClientTimeout(total=10)
        async with self._session.get(self._url, timeout=timeout) as response:
            response.raise_for_status()
            listed = await response.json()
        self._objects = {_key(one): one for one in listed["items"]}
        self._version = listed["metadata"]["resourceVersion"]
        self._on_change(self._objects.values())
        self.synced = True

    async def _watch(self) -> None:
        query = {
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=WATCH_SECONDS + 10)
        async with self._session.get(self._url, params=query, timeout=timeout) as response:
            if response.status == GONE:
                raise ExpiredError
            response.raise_for_status()
            async for line in response.content:
                self._take(json.loads(line))

    def _take(self, event: Object) -> None:
        kind, changed = event["type"], event["object"]
        if kind == "ERROR":
            # Whatever the server says here, a new list puts it right.
            raise ExpiredError
        self._version = changed["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return
        if kind == "DELETED":
            self._objects.pop(_key(changed), None)
        else:
            self._objects[_key(changed)] = changed
        self._on_change(self._objects.values())


def _key(one: Object) -> tuple[str, str]:
    """A name is its own in its namespace alone."""
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]
