# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""List the topics of a Kafka cluster, and measure how far a group of consumers is behind."""

from __future__ import annotations

import time
import traceback
import typing as t

try:
    import confluent_kafka

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

from .._errors import UnreachableError
from .._library import Library
from .models import CheckError, Options

CONFLUENT_KAFKA = Library("confluent-kafka >= 2.11", IMPORT_ERROR)


def probe(options: Options, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    where = f"Kafka at {options['bootstrap']}"
    # A consumer that subscribes to nothing joins no group: it only looks.
    consumer = confluent_kafka.Consumer(client_settings(options), logger=_Silent())
    try:
        found = _topics(consumer, deadline)
        missing = [topic for topic in options["topics"] if topic not in found]
        if missing:
            raise CheckError(f"{where} has no topic {', '.join(missing)}; create it.")
        if not found:
            raise CheckError(f"{where} has no topic at all.")
        if not options["group"]:
            return f"{len(found)} topics"
        watched = options["topics"] or list(found)
        lag = sum(_lag(consumer, topic, found[topic], deadline) for topic in watched)
    except confluent_kafka.KafkaException as exc:
        reason = exc.args[0].str().rstrip(".") if exc.args else "no reason given"
        raise UnreachableError(f"{where} did not answer within {timeout:g} s ({reason}).") from exc
    finally:
        consumer.close()
    if options["max_lag"] is not None and lag > options["max_lag"]:
        raise CheckError(
            f"Group {options['group']!r} is {lag} messages behind on {where}, at most "
            f"{options['max_lag']} are allowed."
        )
    return f"{len(found)} topics, {options['group']} is {lag} messages behind"


def client_settings(options: Options) -> dict[str, t.Any]:
    """librdkafka's settings for these options."""
    settings: dict[str, t.Any] = {
        "bootstrap.servers": options["bootstrap"],
        "group.id": options["group"] or "easymo-deploy-health-check",
        "enable.auto.commit": False,
        "allow.auto.create.topics": False,
        "security.protocol": ("SASL_" if options["username"] else "")
        + ("SSL" if options["tls"] else "PLAINTEXT"),
    }
    if options["ca_cert"]:
        settings["ssl.ca.location"] = options["ca_cert"]
    if options["username"]:
        settings |= {
            "sasl.mechanism": options["sasl_mechanism"],
            "sasl.username": options["username"],
            "sasl.password": options["password"] or "",
        }
    return settings


def _topics(consumer: t.Any, deadline: float) -> dict[str, list[int]]:
    """Each topic's partitions, those of Kafka itself left out."""
    topics = consumer.list_topics(timeout=_left(deadline)).topics
    return {
        name: sorted(topic.partitions)
        for name, topic in topics.items()
        if not name.startswith("__")
    }


def _lag(consumer: t.Any, topic: str, partitions: list[int], deadline: float) -> int:
    """Messages after the last commit; all there are when nothing was ever committed."""
    wanted = [confluent_kafka.TopicPartition(topic, partition) for partition in partitions]
    lag = 0
    for committed in consumer.committed(wanted, timeout=_left(deadline)):
        low, high = consumer.get_watermark_offsets(committed, timeout=_left(deadline))
        lag += high - max(committed.offset, low)
    return lag


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())


class _Silent:
    """librdkafka reports on stderr by itself otherwise; what matters reaches us as an exception."""

    def log(self, *_arguments: object) -> None:
        return
