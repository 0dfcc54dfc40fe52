# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of the sinks: `python -m sandbox.sinks <state folder>`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from aiohttp import web

from sandbox.sinks.server import Server
from sandbox.world import World


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    world = World(Path(sys.argv[1]))
    app = Server(world).app()
    # A hanging request must not hold up the end.
    web.run_app(
        app,
        host="127.0.0.1",
        port=world.port("sinks"),
        print=None,
        access_log=None,
        shutdown_timeout=0.1,
    )


if __name__ == "__main__":
    main()
