# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker's process: makes the topics, writes its address, and applies faults."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

from sandbox.faults import Faults
from sandbox.kafka.component import NAME, broker_file
from sandbox.kafka.mock_cluster import MockCluster
from sandbox.names import KAFKA_TOPICS
from sandbox.world import World

POLL_SECONDS = 0.1


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


main()
