# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Reads a journal back: its runs with their events, and how many lines are damaged."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import InputError

Event = t.Mapping[str, t.Any]
Outcome = t.Literal["done", "failed", "interrupted", "unfinished"]

OUTCOMES: t.Mapping[str, Outcome] = {
    "done": "done",
    "failed": "failed",
    "interrupted": "interrupted",
}


@dataclass(frozen=True)
class JournalRun:
    """One ansible-playbook. `missing`: lines that its numbers have and the file has not."""

    id: str
    events: tuple[Event, ...]

    @property
    def begin(self) -> Event:
        """The line that says who ran what; empty when that line is lost."""
        return next((one for one in self.events if one["event"] == "run_started"), {})

    @property
    def started(self) -> str:
        return str(self.events[0]["at"])

    @property
    def outcome(self) -> Outcome:
        """`unfinished`: it still runs, was killed, or the end of its journal is lost."""
        for event in reversed(self.events):
            if event["event"] == "run_finished":
                return OUTCOMES.get(str(event.get("outcome")), "unfinished")
        return "unfinished"

    @property
    def missing(self) -> int:
        numbers: set[int] = {event["seq"] for event in self.events}
        return max(numbers) - len(numbers)


@dataclass(frozen=True)
class JournalContent:
    """The runs in the order in which they began."""

    runs: tuple[JournalRun, ...] = ()
    damaged: int = field(default=0)


def read_journal(path: Path) -> JournalContent:
    """All that can be read of it; a journal that is not there has no runs."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return read_lines(lines)
    except FileNotFoundError:
        return JournalContent()
    except OSError as exc:
        raise InputError(
            f"The journal {path} can't be read ({exc.strerror}): check who owns it."
        ) from exc


def read_lines(lines: t.Iterable[str]) -> JournalContent:
    runs: dict[str, list[Event]] = {}
    damaged = 0
    for event in read_events(lines):
        if event is None:
            damaged += 1
        else:
            runs.setdefault(event["run"], []).append(event)
    return JournalContent(
        runs=tuple(JournalRun(name, tuple(events)) for name, events in runs.items()),
        damaged=damaged,
    )


def read_events(lines: t.Iterable[str]) -> t.Iterator[Event | None]:
    """One after the other, for a journal may be large; None for a damaged line."""
    return map(_event, filter(str.strip, lines))


def _event(line: str) -> Event | None:
    """None for what no journal wrote, or not to its end."""
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not isinstance(read.get("seq"), int):
        return None
    named = all(isinstance(read.get(name), str) for name in ("run", "at", "event"))
    return read if named else None
