# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's Events: sent one after another in the background, repeated ones counted."""

from __future__ import annotations

import asyncio
import time
import typing as t
from collections import OrderedDict, deque

from sandbox.kubernetes.controllers.events import made_event
from sandbox.kubernetes.controllers.objects import timestamp
from sandbox.node.client import UNREACHABLE, ApiStatusError, Client

Object = dict[str, t.Any]

REMEMBERED = 512
MOST_WAITING = 1024


class Events:
    def __init__(self, client: Client, node_name: str) -> None:
        self._client = client
        self._node_name = node_name
        self._waiting: deque[tuple[tuple[str, ...], Object]] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self._sent: OrderedDict[tuple[str, ...], Object] = OrderedDict()

    def record(
        self, pod: Object, kind: str, reason: str, message: str, *, container: str = ""
    ) -> None:
        event = made_event(pod, kind, reason, message, now=time.time(), component="kubelet")
        event["source"]["host"] = self._node_name
        event["reportingInstance"] = self._node_name
        if container:
            event["involvedObject"]["fieldPath"] = f"spec.containers{{{container}}}"
        key = (pod["metadata"]["uid"], container, kind, reason, message)
        self._waiting.append((key, event))
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                key, event = self._waiting.popleft()
                try:
                    await self._send(key, event)
                except (*UNREACHABLE, ApiStatusError):
                    continue  # an event is a courtesy

    async def _send(self, key: tuple[str, ...], event: Object) -> None:
        namespace = event["metadata"]["namespace"]
        standing = self._sent.get(key)
        if standing is not None:
            standing["count"] += 1
            patch = {"count": standing["count"], "lastTimestamp": timestamp(time.time())}
            await self._client.patch("events", namespace, standing["metadata"]["name"], patch)
            return
        self._sent[key] = await self._client.create("events", namespace, event)
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
