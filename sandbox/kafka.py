# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kafka broker: librdkafka's mock cluster, which speaks the real protocol, in a process of its own.

Its port is librdkafka's choice and its memory its only store. By ctypes: confluent-kafka carries the library but wraps
none of this, https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import signal
import socket
import struct
import sys
import time
import typing as t
from pathlib import Path

from sandbox.component import Component, Process
from sandbox.errors import SandboxError
from sandbox.faults import Faults
from sandbox.names import KAFKA_GROUP, KAFKA_TOPICS
from sandbox.world import Facts, World

NAME = "kafka"

POLL_SECONDS = 0.1

_API_VERSIONS = 18
_PRODUCER = 0
_BROKER = 1


class Kafka(Component):
    name = NAME
    program = "sandbox.kafka"
    survives_kill = False
    faults: t.Mapping[str, str] = {
        "down": "The broker drops every connection and refuses new ones. Messages are kept.",
    }

    def process(self, world: World) -> Process:
        # Of an earlier process, which listened elsewhere.
        broker_file(world).unlink(missing_ok=True)
        return super().process(world)

    def ready(self, world: World) -> bool:
        """ApiVersions, the request every client begins with."""
        host, _, port = _bootstrap(world).rpartition(":")
        client = b"\x00\x07sandbox"
        request = struct.pack(">hhi", _API_VERSIONS, 0, 1) + client
        with socket.create_connection((host, int(port)), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10, socket.MSG_WAITALL)
        _, correlation, error = struct.unpack(">iih", answer)
        return bool(correlation == 1 and error == 0)

    def facts(self, world: World) -> Facts:
        return {
            "bootstrap": _bootstrap(world),
            "topics": list(KAFKA_TOPICS),
            "group": KAFKA_GROUP,
        }


def broker_file(world: World) -> Path:
    return world.folder(NAME) / "broker.json"


def _bootstrap(world: World) -> str:
    return t.cast("str", json.loads(broker_file(world).read_text(encoding="utf-8"))["bootstrap"])


COMPONENT = Kafka()


class MockCluster:
    """One broker on 127.0.0.1, on a port that librdkafka chooses; lives as long as its process."""

    def __init__(self) -> None:
        self._library = _load()
        reason = ctypes.create_string_buffer(256)
        client = self._library.rd_kafka_new(_PRODUCER, None, reason, len(reason))
        if not client:
            raise SandboxError(f"librdkafka made no client: {reason.value.decode()}.")
        self._cluster = self._library.rd_kafka_mock_cluster_new(client, 1)
        if not self._cluster:
            raise SandboxError("librdkafka made no mock cluster, without saying why.")

    @property
    def bootstrap(self) -> str:
        result: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return result.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        error = self._library.rd_kafka_mock_topic_create(
            self._cluster, name.encode(), partitions, 1
        )
        if error:
            raise SandboxError(f"librdkafka did not create the topic {name}: error {error}.")

    def set_down(self, down: bool) -> None:
        """Drop every connection and refuse new ones, or be reached again; messages stay."""
        library = self._library
        change = (
            library.rd_kafka_mock_broker_set_down if down else library.rd_kafka_mock_broker_set_up
        )
        if error := change(self._cluster, _BROKER):
            raise SandboxError(f"librdkafka did not obey: error {error}.")


def _load() -> ctypes.CDLL:
    spec = importlib.util.find_spec("confluent_kafka")
    folder = Path(t.cast("str", spec.origin)).parents[1] if spec else Path()
    results = sorted(folder.glob("confluent_kafka.libs/librdkafka-*.so*"))
    if not results:
        raise SandboxError(
            "The Python package confluent-kafka is missing or carries no librdkafka: install its "
            "wheel, as requirements.lock names it."
        )
    library = ctypes.CDLL(str(results[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [number, pointer, text, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, number]
    library.rd_kafka_mock_cluster_bootstraps.restype = text
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    for change in (library.rd_kafka_mock_broker_set_down, library.rd_kafka_mock_broker_set_up):
        change.restype = number
        change.argtypes = [pointer, ctypes.c_int32]
    library.rd_kafka_mock_topic_create.restype = number
    library.rd_kafka_mock_topic_create.argtypes = [pointer, text, number, number]
    return library


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cluster = MockCluster()
    for name, partitions in KAFKA_TOPICS.items():
        cluster.create_topic(name, partitions)
    world = World(Path(sys.argv[1]))
    path = broker_file(world)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"bootstrap": cluster.bootstrap}), encoding="utf-8")
    partial.replace(path)
    faults = Faults(world.faults_file)
    down = False
    while True:
        if down != (faults.active(NAME, "down") is not None):
            down = not down
            cluster.set_down(down)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
