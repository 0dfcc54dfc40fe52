# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that sends: `… background <state folder> <rate> <workers> <seconds> <messages> <ease>`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
import typing as t
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from sandbox.serving import stop_event
from sandbox.traffic.figures import report_file
from sandbox.traffic.generator import QUESTIONS, Generator, Load, Targets, user_count
from sandbox.world import World

REPORT_SECONDS = 1.0


class Reporter:
    """Writes the report whole, so that a reader never sees half of it."""

    def __init__(self, path: Path, generator: Generator, load: Load) -> None:
        self._path = path
        self._generator = generator
        self._load = load
        self._began = time.monotonic()
        self._started_at = now()

    def write(self, *, running: bool) -> None:
        seconds = time.monotonic() - self._began
        eased = self._generator.rate < self._load.rate
        report = {
            "pid": os.getpid(),
            "running": running,
            "rate": self._load.rate,
            "messages": self._load.messages,
            "started_at": self._started_at,
            "updated_at": now(),
            "seconds": round(seconds, 1),
            "sent_per_second": round(self._generator.figures.total("sent") / max(seconds, 1), 1),
            **({"eased_rate": self._generator.rate} if eased else {}),
            **self._generator.figures.to_dict(),
        }
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(report, indent=1), encoding="utf-8")
        partial.replace(self._path)

    async def keep(self) -> t.NoReturn:
        while True:
            self.write(running=True)
            await asyncio.sleep(REPORT_SECONDS)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def targets(world: World) -> Targets:
    supabase, gateway = world.facts("supabase"), world.facts("gateway")
    return Targets(
        webhook_url=f"{supabase['gateway_url']}/functions/v1/wa-webhook",
        app_secret=supabase["wa_app_secret"],
        gateway_url=gateway["url"],
        questions=QUESTIONS,
        users=user_count(world.option("seed_mb")),
    )


async def send(world: World, load: Load) -> None:
    stop = stop_event()
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    async with aiohttp.ClientSession(connector=connector) as session:
        generator = Generator(session, targets(world), load, random.Random())  # noqa: S311 - a crowd, not secrecy
        reporter = Reporter(report_file(world), generator, load)
        reporting = asyncio.create_task(reporter.keep())
        try:
            await generator.run(stop)
        finally:
            reporting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reporting
            reporter.write(running=False)


def main() -> None:
    folder, rate, workers, seconds, messages, ease = sys.argv[1:]
    load = Load(float(rate), int(workers), float(seconds), float(messages), ease == "True")
    asyncio.run(send(World(Path(folder)), load))


if __name__ == "__main__":
    main()
