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

from sandbox.postgres import database_url
from sandbox.world import World

TIMEOUT = 2.0
REFRESH = 4.0
"""Seconds, as often as Prometheus asks."""
RETRY = 1.0
FRESH = REFRESH + 2 * TIMEOUT

Read = t.Callable[[], t.Iterator[Metric]]
Source = t.Callable[[World], t.ContextManager[Read]]
"""A connection, and what reads the figures through it. Any exception: it does not answer."""


@contextmanager
def postgres(world: World) -> t.Iterator[Read]:
    facts = world.facts("postgres")
    connection = psycopg2.connect(
        database_url(facts, facts["databases"]["supabase"]),
        application_name="exporters",
        connect_timeout=int(TIMEOUT),
    )
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:

        def read() -> t.Iterator[Metric]:
            text = "Connections by database and state."
            active = GaugeMetricFamily("pg_stat_activity_count", text, labels=("datname", "state"))
            cursor.execute(
                "SELECT datname, coalesce(state, 'unknown'), count(*) FROM pg_stat_activity"
                " WHERE datname IS NOT NULL GROUP BY 1, 2"
            )
            for name, state, count in cursor.fetchall():
                active.add_metric((name, state), count)
            yield active
            cursor.execute("SELECT current_setting('max_connections')::int")
            (limit,) = t.cast("tuple[int]", cursor.fetchone())
            text = "Connections at most."
            yield GaugeMetricFamily("pg_settings_max_connections", text, value=limit)

        yield read


@contextmanager
def valkey(world: World) -> t.Iterator[Read]:
    facts = world.facts("valkey")
    client = redis.Redis(
        host=facts["host"],
        port=facts["port"],
        password=facts["password"],
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
    )
    with closing(client):

        def read() -> t.Iterator[Metric]:
            info = t.cast("dict[str, float]", client.info())
            for name in ("keyspace_hits", "keyspace_misses"):
                text = f"INFO's {name}."
                yield CounterMetricFamily(f"redis_{name}_total", text, value=info[name])
            for name in ("connected_clients", "used_memory"):
                yield GaugeMetricFamily(f"redis_{name}", f"INFO's {name}.", value=info[name])

        yield read


@contextmanager
def kafka(world: World) -> t.Iterator[Read]:
    facts = world.facts("kafka")
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
            """As github.com/danielqsj/kafka_exporter: -1 of a partition that the group never committed."""
            partitions = _partitions(consumer, facts["topics"])
            # The ends first, so that what comes meanwhile is not taken for waiting.
            ends = {
                (at.topic, at.partition): consumer.get_watermark_offsets(
                    at, timeout=TIMEOUT, cached=False
                )[1]
                for at in partitions
            }
            labels = ("consumergroup", "topic", "partition")
            name, text = "kafka_consumergroup_lag", "Messages not yet committed."
            lag = GaugeMetricFamily(name, text, labels=labels)
            name, text = "kafka_consumergroup_current_offset", "The offset committed last."
            offset = GaugeMetricFamily(name, text, labels=labels)
            for at in consumer.committed(partitions, timeout=TIMEOUT):
                never = at.offset == OFFSET_INVALID
                of = (group, at.topic, str(at.partition))
                waiting = max(0, ends[at.topic, at.partition] - at.offset)
                lag.add_metric(of, -1 if never else waiting)
                offset.add_metric(of, -1 if never else at.offset)
            yield lag
            yield offset

        yield read


def _partitions(consumer: Consumer, topics: t.Sequence[str]) -> list[TopicPartition]:
    known = consumer.list_topics(timeout=TIMEOUT).topics
    return [
        TopicPartition(topic, partition)
        for topic in topics
        if topic in known
        for partition in known[topic].partitions
    ]


SOURCES: t.Mapping[str, Source] = {"pg": postgres, "redis": valkey, "kafka": kafka}


class CachedMetrics:
    """The last figures of one source, and whether it answers now.

    They are read apart from the scrape, so that a source that hangs does not hold up the others.
    """

    def __init__(self, prefix: str, source: Source, world: World) -> None:
        self._prefix, self._source, self._world = prefix, source, world
        self._metrics: tuple[Metric, ...] = ()
        self._refreshed = time.monotonic()

    def refresh(self) -> None:
        """Read for ever. After a failure connect again, for the source may have moved."""
        while True:
            try:
                with self._source(self._world) as read:
                    while True:
                        self._metrics = tuple(read())
                        self._refreshed = time.monotonic()
                        time.sleep(REFRESH)
            except Exception as exc:
                print(f"{self._prefix}: {type(exc).__name__}: {exc}", flush=True)  # noqa: T201
                self._metrics = ()
                time.sleep(RETRY)

    def collect(self) -> t.Iterator[Metric]:
        fresh = bool(self._metrics) and time.monotonic() - self._refreshed < FRESH
        text = "1 while the source answers."
        yield GaugeMetricFamily(f"{self._prefix}_up", text, value=float(fresh))
        if fresh:
            yield from self._metrics


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    world = World(Path(sys.argv[1]))
    registry = CollectorRegistry()
    for prefix, source in SOURCES.items():
        cached = CachedMetrics(prefix, source, world)
        registry.register(cached)
        threading.Thread(target=cached.refresh, daemon=True).start()
    start_http_server(world.port("exporters"), "127.0.0.1", registry)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
