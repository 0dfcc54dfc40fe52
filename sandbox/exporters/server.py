# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL, Valkey and Kafka as figures, under the names of postgres_, redis_ and kafka_exporter.

Each source is read in a thread of its own, and the last figures are served.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import typing as t
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import redis
from confluent_kafka import OFFSET_INVALID, Consumer, TopicPartition
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sandbox.world import World

TIMEOUT = 2.0

Read = t.Callable[[], t.Iterator[Metric]]


class Source(t.Protocol):
    prefix: str

    def connected(self) -> t.ContextManager[Read]:
        """A connection, and what reads the figures through it. Any exception: it does not answer."""


class Postgres:
    prefix = "pg"

    def __init__(self, world: World) -> None:
        self._world = world

    @contextmanager
    def connected(self) -> t.Iterator[Read]:
        facts = self._world.facts("postgres")
        database = facts["databases"]["supabase"]
        connection = psycopg2.connect(
            host=facts["host"],
            port=facts["port"],
            user=database["user"],
            password=database["password"],
            dbname=database["name"],
            sslmode="verify-full",
            sslrootcert=facts["ca_cert"],
            application_name="exporters",
            connect_timeout=int(TIMEOUT),
        )
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:

            def read() -> t.Iterator[Metric]:
                active = GaugeMetricFamily(
                    "pg_stat_activity_count",
                    "Connections by database and state.",
                    labels=("datname", "state"),
                )
                cursor.execute(
                    "SELECT datname, coalesce(state, 'unknown'), count(*) FROM pg_stat_activity"
                    " WHERE datname IS NOT NULL GROUP BY 1, 2"
                )
                for name, state, count in cursor.fetchall():
                    active.add_metric((name, state), count)
                yield active
                cursor.execute("SELECT current_setting('max_connections')::int")
                (limit,) = t.cast("tuple[int]", cursor.fetchone())
                yield GaugeMetricFamily(
                    "pg_settings_max_connections", "Connections at most.", value=limit
                )

            yield read


class Valkey:
    prefix = "redis"

    def __init__(self, world: World) -> None:
        self._world = world

    @contextmanager
    def connected(self) -> t.Iterator[Read]:
        facts = self._world.facts("valkey")
        client = redis.Redis(
            host=facts["host"],
            port=facts["port"],
            password=facts["password"],
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
        )
        with closing(client):

            def read() -> t.Iterator[Metric]:
                told = t.cast("dict[str, float]", client.info())
                for name in ("keyspace_hits", "keyspace_misses"):
                    text = f"INFO's {name}."
                    yield CounterMetricFamily(f"redis_{name}_total", text, value=told[name])
                for name in ("connected_clients", "used_memory"):
                    yield GaugeMetricFamily(f"redis_{name}", f"INFO's {name}.", value=told[name])

            yield read


class Kafka:
    prefix = "kafka"

    def __init__(self, world: World) -> None:
        self._world = world

    @contextmanager
    def connected(self) -> t.Iterator[Read]:
        facts = self._world.facts("kafka")
        group = facts["group"]
        # It never subscribes, so it joins no group and takes no partition from the real consumers.
        consumer = Consumer(
            {
                "bootstrap.servers": facts["bootstrap"],
                "group.id": group,
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        with closing(consumer):

            def read() -> t.Iterator[Metric]:
                labels = ("consumergroup", "topic", "partition")
                lag = GaugeMetricFamily(
                    "kafka_consumergroup_lag", "Messages not yet committed.", labels=labels
                )
                offset = GaugeMetricFamily(
                    "kafka_consumergroup_current_offset",
                    "The offset committed last.",
                    labels=labels,
                )
                for one in _committed(consumer, facts["topics"]):
                    of = (group, one.topic, str(one.partition))
                    lag.add_metric(of, one.lag)
                    offset.add_metric(of, one.offset)
                yield lag
                yield offset

            yield read


class Committed(t.NamedTuple):
    """As github.com/danielqsj/kafka_exporter tells it: -1 of a partition that the group never committed."""

    topic: str
    partition: int
    offset: int
    lag: int


def _committed(consumer: Consumer, topics: t.Sequence[str]) -> t.Iterator[Committed]:
    known = consumer.list_topics(timeout=TIMEOUT).topics
    partitions = [
        TopicPartition(topic, partition)
        for topic in topics
        if topic in known
        for partition in known[topic].partitions
    ]
    # The ends first, so that what comes meanwhile is not taken for waiting.
    ends = {
        (one.topic, one.partition): consumer.get_watermark_offsets(
            one, timeout=TIMEOUT, cached=False
        )[1]
        for one in partitions
    }
    for at in consumer.committed(partitions, timeout=TIMEOUT):
        if at.offset == OFFSET_INVALID:
            yield Committed(at.topic, at.partition, -1, -1)
        else:
            waiting = max(0, ends[at.topic, at.partition] - at.offset)
            yield Committed(at.topic, at.partition, at.offset, waiting)


SOURCES: tuple[t.Callable[[World], Source], ...] = (Postgres, Valkey, Kafka)


REFRESH = 4.0
"""Seconds, as often as Prometheus asks."""
RETRY = 1.0
FRESH = REFRESH + 2 * TIMEOUT


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
                time.sleep(RETRY)

    def collect(self) -> t.Iterator[Metric]:
        fresh = bool(self._metrics) and time.monotonic() - self._refreshed < FRESH
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


if __name__ == "__main__":
    main()
