"""The data components answer production's own clients, by the facts that the state gives."""

import base64
import hashlib
import json
import urllib.parse
import urllib.request
from contextlib import closing

import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer

from sandbox.names import KAFKA_TOPICS, SERVICES
from tests.integration.running import bucket, client, query, scratch_database, seeded
from tests.waiting import until


def test_the_extension_that_every_supabase_has_makes_names(world):
    """Its name has no time or chance in it: RFC 9562, appendix A.4."""
    with scratch_database(world) as database:
        query(database, 'CREATE EXTENSION "uuid-ossp"')
        made = query(database, "SELECT uuid_generate_v5(uuid_ns_dns(), 'www.example.com')::text")
    assert made == [("2ed6657d-e927-568b-95e1-2665a8aea6a2",)]


@pytest.mark.parametrize(("database", "table"), [("supabase", "users"), ("agent_core", "wallets")])
def test_both_databases_are_seeded_and_verified_by_tls(world, database, table):
    options = seeded(world, database)
    for host in ("localhost", options["login_host"]):
        ((count,),) = query({**options, "login_host": host}, f"SELECT count(*) FROM {table}")
        assert count > 100


def test_s3_checks_signatures_and_checksums(world):
    options = bucket(world, "")
    s3 = client(options)
    put = {"Bucket": options["bucket"], "Key": "test/a.dump", "Body": b"content"}
    s3.put_object(**put, ChecksumAlgorithm="SHA256", ServerSideEncryption="AES256")
    assert s3.get_object(Bucket=options["bucket"], Key="test/a.dump")["Body"].read() == b"content"
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(**put, ChecksumSHA256=wrong)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client({**options, "secret_key": "0" * 40}).put_object(**put)


def test_kafka_keeps_what_is_produced(world):
    facts = world.facts("kafka")
    producer = Producer({"bootstrap.servers": facts["bootstrap"]})
    topics = producer.list_topics(timeout=5).topics
    assert {name: len(topics[name].partitions) for name in KAFKA_TOPICS} == KAFKA_TOPICS
    producer.produce("orders", b"one", partition=1)
    assert producer.flush(5) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": facts["bootstrap"],
            "group.id": "test",
            "auto.offset.reset": "earliest",
        }
    )
    with closing(consumer):
        consumer.subscribe(["orders"])
        message = consumer.poll(60)
    assert message is not None
    assert message.error() is None


@pytest.mark.parametrize(
    ("query", "at_least"),
    [
        ('count(count by (service) (up{job="pods",namespace="easymo-prod"} == 1))', len(SERVICES)),
        ("pg_up + redis_up + kafka_up", 3),
        (
            "max(sum by (instance) (pg_stat_activity_count) / on (instance) "
            "pg_settings_max_connections)",
            0.001,
        ),
        ('count(kafka_consumergroup_lag{consumergroup="whatsapp-webhook-worker"})', 8),
        ("redis_keyspace_hits_total + redis_keyspace_misses_total", 0),
        ('count(up{job=~"gateway|supabase|exporters"} == 1)', 3),
    ],
)
def test_prometheus_has_earned_figures(world, query, at_least):
    """Found by its own discovery, which looks every five seconds."""
    url = f"{world.facts('prometheus')['url']}/api/v1/query?{urllib.parse.urlencode({'query': query})}"

    def earned() -> bool:
        with urllib.request.urlopen(url, timeout=60) as answer:
            result = json.load(answer)["data"]["result"]
        return bool(result) and float(result[0]["value"][1]) >= at_least

    until(earned)
