# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker's process: makes the topics, writes where it listens, and stays."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from sandbox.kafka.component import broker_file
from sandbox.kafka.mock_cluster import MockCluster
from sandbox.names import KAFKA_TOPICS
from sandbox.world import World


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cluster = MockCluster()
    for name, partitions in KAFKA_TOPICS.items():
        cluster.create_topic(name, partitions)
    path = broker_file(World(Path(sys.argv[1])))
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"bootstrap": cluster.bootstrap}), encoding="utf-8")
    partial.replace(path)
    while True:
        signal.pause()


main()
