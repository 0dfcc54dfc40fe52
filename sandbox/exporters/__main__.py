# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporters' process: reads each source in a thread of its own, and serves the last figures."""

from __future__ import annotations

import signal
import sys
import threading
import time
import typing as t
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric

from sandbox.exporters.sources import SOURCES, Source
from sandbox.world import World

REFRESH = 1.0


class CachedMetrics:
    """The last figures of one source, and whether it answers now.

    They are read apart from the scrape, so that a source that hangs does not hold up the others.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._metrics: tuple[Metric, ...] = ()
        self._refreshed = time.monotonic()

    def refresh(self) -> None:
        """Read for ever. After a failure connect again, for the source may have moved."""
        while True:
            try:
                with self._source.connected() as read:
                    while True:
                        self._metrics = tuple(read())
                        self._refreshed = time.monotonic()
                        time.sleep(REFRESH)
            except Exception as exc:
                print(f"{self._source.prefix}: {type(exc).__name__}: {exc}", flush=True)  # noqa: T201
                self._metrics = ()
                time.sleep(REFRESH)

    def collect(self) -> t.Iterator[Metric]:
        fresh = bool(self._metrics) and time.monotonic() - self._refreshed < 3 * REFRESH
        yield GaugeMetricFamily(
            f"{self._source.prefix}_up", "1 while the source answers.", value=float(fresh)
        )
        if fresh:
            yield from self._metrics


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    world = World(Path(sys.argv[1]))
    registry = CollectorRegistry()
    for make in SOURCES:
        cached = CachedMetrics(make(world))
        registry.register(cached)
        threading.Thread(target=cached.refresh, daemon=True).start()
    start_http_server(world.port("exporters"), "127.0.0.1", registry)
    while True:
        signal.pause()


main()
