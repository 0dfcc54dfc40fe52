# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a component's own process."""

from __future__ import annotations

import asyncio
import signal


def stop_event() -> asyncio.Event:
    """Set at SIGTERM or SIGINT. For a running event loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
