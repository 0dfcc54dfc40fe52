# SPDX-License-Identifier: GPL-3.0-or-later
"""librdkafka's mock cluster through ctypes: confluent-kafka carries the library but wraps none of this.

https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h
"""

from __future__ import annotations

import ctypes
import importlib.util
import typing as t
from pathlib import Path

from sandbox.errors import SandboxError

_PRODUCER = 0
_BROKER = 1


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
        found: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return found.decode()

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
    found = sorted(folder.glob("confluent_kafka.libs/librdkafka-*.so*"))
    if not found:
        raise SandboxError(
            "The Python package confluent-kafka is missing or carries no librdkafka: install its "
            "wheel, as requirements.lock names it."
        )
    library = ctypes.CDLL(str(found[0]))
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
