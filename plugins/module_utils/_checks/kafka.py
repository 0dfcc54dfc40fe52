# SPDX-License-Identifier: GPL-3.0-or-later
"""List the topics of a Kafka cluster."""

from __future__ import annotations

import typing as t

from .._errors import UnreachableError
from .._library import Library
from .models import CheckError, Kind, Options

CONFLUENT_KAFKA = Library("confluent-kafka >= 2.11")
with CONFLUENT_KAFKA:
    import confluent_kafka


def probe(options: Options, timeout: float) -> str:
    where = f"Kafka at {options['bootstrap']}"
    # A consumer that subscribes to nothing joins no group: it only looks.
    consumer = confluent_kafka.Consumer(client_settings(options), logger=_Silent())
    try:
        found = _topics(consumer, timeout)
        missing = [topic for topic in options["topics"] if topic not in found]
        if missing:
            raise CheckError(f"{where} has no topic {', '.join(missing)}; create it.")
        if not found:
            raise CheckError(f"{where} has no topic at all.")
        return f"{len(found)} topics"
    except confluent_kafka.KafkaException as exc:
        reason = exc.args[0].str().rstrip(".") if exc.args else "no reason given"
        raise UnreachableError(f"{where} did not answer within {timeout:g} s ({reason}).") from exc
    finally:
        consumer.close()


def client_settings(options: Options) -> dict[str, t.Any]:
    """librdkafka's settings for these options."""
    settings: dict[str, t.Any] = {
        "bootstrap.servers": options["bootstrap"],
        "group.id": "easymo-deploy-health-check",
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


def _topics(consumer: t.Any, timeout: float) -> set[str]:
    """Those of Kafka itself left out."""
    topics = consumer.list_topics(timeout=timeout).topics
    return {name for name in topics if not name.startswith("__")}


class _Silent:
    """librdkafka reports on stderr by itself otherwise; what matters reaches us as an exception."""

    def log(self, *_arguments: object) -> None:
        return


KIND = Kind(
    probe,
    {
        "bootstrap": {"type": "str", "required": True},
        "topics": {"type": "list", "elements": "str", "default": []},
        "tls": {"type": "bool", "default": False},
        "ca_cert": {"type": "path"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sasl_mechanism": {
            "type": "str",
            "choices": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
            "default": "SCRAM-SHA-512",
        },
    },
    (CONFLUENT_KAFKA,),
)
