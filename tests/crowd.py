"""Users who write to agent-core, each of them once: more than the sandbox's traffic has, and past the functions."""

import asyncio
import contextlib
import itertools
import threading
import time
import typing as t
from collections import Counter

import aiohttp

from sandbox.services.routing import in_rollout
from sandbox.world import World

AT_ONCE = 16
# Of an agent that is switched off, so that whoever has the feature gets the menu in its place.
TEXT = "a house to rent"


def numbers(percentage: int) -> t.Iterator[str]:
    """Of every hundred in a row as many have the feature as the percentage says, evenly spread."""
    treated = filter(lambda number: in_rollout(number, percentage), _every())
    control = itertools.filterfalse(lambda number: in_rollout(number, percentage), _every())
    for position in itertools.count(1):
        yield next(treated if position * percentage % 100 < percentage else control)


def _every() -> t.Iterator[str]:
    return map("2507{:08d}".format, itertools.count(1))


class Crowd:
    """`rate` new users a second, or as many as this machine can take. `answers`: how many got each status."""

    def __init__(self, world: World, rate: float, percentage: int) -> None:
        self._url = f"{world.facts('gateway')['url']}/agent-core/messages"
        self._rate = rate
        self._numbers = numbers(percentage)
        self.answers: Counter[int] = Counter()

    @contextlib.contextmanager
    def writing(self) -> t.Iterator[None]:
        enough = threading.Event()
        thread = threading.Thread(target=asyncio.run, args=(self._write(enough),), daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join(timeout=30)

    async def _write(self, enough: threading.Event) -> None:
        began = time.monotonic()
        due = (began + number / self._rate for number in itertools.count())
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(self._one_by_one(session, due, enough) for _n in range(AT_ONCE)))

    async def _one_by_one(
        self, session: aiohttp.ClientSession, due: t.Iterator[float], enough: threading.Event
    ) -> None:
        while not enough.is_set():
            await asyncio.sleep(next(due) - time.monotonic())
            number = next(self._numbers)
            message = {"from": number, "message_id": f"wamid.{number}", "text": TEXT}
            # With it the gateway asks another pod when the first one ends.
            key = {"idempotency-key": f"wamid.{number}"}
            with contextlib.suppress(aiohttp.ClientError):
                async with session.post(self._url, json=message, headers=key) as response:
                    await response.read()
                    self.answers[response.status] += 1
