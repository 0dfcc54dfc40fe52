# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a cluster kept up to date by one watch, on a thread of its own, for the cost of two requests."""

from __future__ import annotations

import contextlib
import json
import socket
import time
import typing as t

from ._cluster import Object
from ._kubernetes_client import KUBERNETES
from ._threads import Event, spawn

with KUBERNETES:
    import urllib3
    from kubernetes.client.exceptions import ApiException

    TROUBLE: tuple[type[Exception], ...] = (
        ApiException,
        urllib3.exceptions.HTTPError,
        OSError,
        ValueError,
        LookupError,
        AttributeError,
    )

RETRY = 2.0
"""Seconds until an interrupted watch lists anew."""
STEADY = 1.0
"""A stream that ends sooner is opened again after a pause: 0.1 s, twice as long each time, at most RETRY."""


class KubernetesWatch:
    """_cluster.Watch. Lists, watches from there, and lists anew whenever it cannot go on.

    `list_objects` gives a list as the API answers it. `open_stream` gives the open response of a
    watch from a resourceVersion on. `wake` is called after whatever changed.
    """

    def __init__(
        self,
        list_objects: t.Callable[[], Object],
        open_stream: t.Callable[[str], t.Any],
        wake: t.Callable[[], None],
    ) -> None:
        self._list = list_objects
        self._open = open_stream
        self._wake = wake
        self._objects: dict[str, Object] | None = None
        self._closed = Event()
        self._response: t.Any = None
        spawn(self._run)

    def objects(self) -> t.Sequence[Object] | None:
        known = self._objects
        return None if known is None else [*known.values()]

    def close(self) -> None:
        self._closed.set()
        # The thread reads; closing the response under it would wait for what it waits for.
        with contextlib.suppress(OSError, AttributeError):
            self._response.connection.sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(*TROUBLE):
                self._follow()
            # Until the next list nothing is known, and whoever asks has to look for itself.
            self._objects = None
            self._wake()
            self._closed.wait(RETRY)

    def _follow(self) -> None:
        """Until the history that it follows is gone, or something fails."""
        result = self._list()
        version = result["metadata"]["resourceVersion"]
        self._objects = {entry["metadata"]["uid"]: entry for entry in result.get("items") or []}
        self._wake()
        pause = 0.0
        while version and not self._closed.wait(pause):
            began = time.monotonic()
            version = self._watch(version)
            lasted = time.monotonic() - began
            pause = 0.0 if lasted >= STEADY else min(max(0.1, 2 * pause), RETRY)

    def _watch(self, version: str) -> str:
        """The version to go on from once the server ends the stream; empty when it has to be listed."""
        self._response = response = self._open(version)
        try:
            rest = b""
            for chunk in response.stream(None, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    version = self._take(json.loads(line))
                    if not version:
                        return ""
                self._wake()
        finally:
            response.release_conn()
        return version

    def _take(self, event: Object) -> str:
        if event["type"] == "ERROR":
            return ""  # mostly 410: what we saw last is forgotten
        body = event["object"]
        version: str = body["metadata"]["resourceVersion"]
        if event["type"] == "BOOKMARK":
            return version
        known = dict(self._objects or {})
        known[body["metadata"]["uid"]] = body
        if event["type"] == "DELETED":
            del known[body["metadata"]["uid"]]
        self._objects = known
        return version
