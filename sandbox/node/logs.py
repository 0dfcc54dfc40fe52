# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of containers: bounded, with times, can be followed; those of the previous instance are kept."""

from __future__ import annotations

import asyncio
import time
import typing as t
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

MOST_LINES = 2000
LONGEST_LINE = 4096


class Line(t.NamedTuple):
    at: float
    number: int
    text: str


class ContainerLog:
    """The newest lines of one instance of a container."""

    def __init__(self, clock: t.Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lines: deque[Line] = deque(maxlen=MOST_LINES)
        self._written = 0
        self._changed = asyncio.Event()
        self.closed = False

    def write(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._written += 1
            self._lines.append(Line(self._clock(), self._written, line[:LONGEST_LINE]))
        self._notify()

    def close(self) -> None:
        self.closed = True
        self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def lines(self, after: int = 0) -> list[Line]:
        """The lines kept whose number is greater than `after`."""
        return [line for line in self._lines if line.number > after]

    async def wait(self) -> None:
        """Until something was written since this was called, or the log was closed."""
        await self._changed.wait()


@dataclass(frozen=True)
class LogOptions:
    tail: int | None = None
    since_seconds: int | None = None
    limit_bytes: int | None = None
    timestamps: bool = False
    follow: bool = False
    previous: bool = False

    @classmethod
    def of(cls, query: t.Mapping[str, str]) -> LogOptions:
        """From the API's query; ValueError when a number is none or negative."""
        return cls(
            tail=_number(query, "tailLines"),
            since_seconds=_number(query, "sinceSeconds"),
            limit_bytes=_number(query, "limitBytes"),
            timestamps=query.get("timestamps") == "true",
            follow=query.get("follow") == "true",
            previous=query.get("previous") == "true",
        )


def _number(query: t.Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    value = int(query[name])
    if value < 0:
        raise ValueError(f"{name} must not be negative, was {value}")
    return value


def chosen(lines: t.Sequence[Line], options: LogOptions, now: float) -> list[Line]:
    """What is shown of the lines there are: the recent ones, then the last ones."""
    if options.since_seconds is not None:
        lines = [line for line in lines if line.at >= now - options.since_seconds]
    if options.tail is not None:
        lines = lines[max(0, len(lines) - options.tail) :]
    return list(lines)


def rendered(line: Line, options: LogOptions) -> bytes:
    stamp = ""
    if options.timestamps:
        moment = datetime.fromtimestamp(line.at, UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z "
    return f"{stamp}{line.text}\n".encode()
