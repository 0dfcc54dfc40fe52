# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a component's own process.

The headers that belong to one connection, which no proxy passes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import typing as t

from multidict import CIMultiDict


def stop_event() -> asyncio.Event:
    """Set at SIGTERM or SIGINT. For a running event loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def until_stopped(*work: t.Coroutine[t.Any, t.Any, object]) -> None:
    """Run `work` until SIGTERM or SIGINT; raises what ended it before."""
    tasks = [asyncio.create_task(part) for part in work]
    stopped = asyncio.create_task(stop_event().wait())
    await asyncio.wait((stopped, *tasks), return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


HOP_BY_HOP = frozenset(
    {
        "connection",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""In lower case (RFC 9110, 7.6.1), and the host, which every connection names anew."""


def end_to_end(
    headers: t.Mapping[str, str], *, without: t.Collection[str] = ()
) -> CIMultiDict[str]:
    """The headers that are meant for the other end, repeated ones included."""
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in HOP_BY_HOP and name.lower() not in without
    )
