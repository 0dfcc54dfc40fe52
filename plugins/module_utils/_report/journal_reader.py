# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the events of a journal back, and tells which lines are damaged."""

from __future__ import annotations

import json
import typing as t

Event = t.Mapping[str, t.Any]


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
