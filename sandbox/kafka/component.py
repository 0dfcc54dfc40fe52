# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kafka broker as a component. Its port is librdkafka's choice and its memory its only store."""

from __future__ import annotations

import json
import socket
import struct
import typing as t
from pathlib import Path

from sandbox.component import Component, Process, python
from sandbox.names import KAFKA_GROUP, KAFKA_TOPICS

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

NAME = "kafka"

_API_VERSIONS = 18


class Kafka(Component):
    name = NAME
    survives_kill = False
    faults: t.Mapping[str, str] = {
        "down": "The broker drops every connection and refuses new ones. Messages are kept.",
    }

    def prepare(self, world: World) -> None:
        world.folder(NAME)

    def process(self, world: World) -> Process:
        # Of an earlier process, which listened elsewhere.
        broker_file(world).unlink(missing_ok=True)
        return Process(python("sandbox.kafka", world))

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
