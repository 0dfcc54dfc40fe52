# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What the journal of a run adds to a report: which tasks took longest, what was tried again, what failed."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.easymo.deploy.plugins.module_utils._report.models import Cell, Table
from ansible_collections.easymo.deploy.plugins.module_utils._report.reader import legible, text
from ansible_collections.easymo.deploy.plugins.module_utils._report.times import (
    counted,
    moment,
    number,
    shown,
    took,
)

LONGEST = 10
LIMIT = 400
ENDS = {"task_ok": "ok", "task_failed": "failed", "host_unreachable": "failed"}

Entry = dict[str, t.Any]


@dataclass
class Told:
    """What was read so far. Only a heap of the longest is kept, for a journal may be large."""

    longest: list[tuple[float, str, str, str, str]] = field(default_factory=list)
    retries: Counter[tuple[str, str]] = field(default_factory=Counter)
    damaged: int = 0


def read_journal(
    lines: t.Iterable[str],
    since: datetime | None,
    until: datetime | None,
    redact: t.Callable[[str], str] = str,
) -> tuple[Table, ...]:
    """Of the release alone: what ran before it began or after it ended is left out, and so are rehearsals.

    So the report of a finished release stays the same, whatever is run later.
    """
    told, rehearsal = Told(), False
    for line in lines:
        entry = entry_of(line)
        if entry is None:
            told.damaged += bool(line.strip())
            continue
        if entry.get("event") == "run_started":
            rehearsal = bool(entry.get("check"))
        at = moment(entry.get("at"))
        outside = at is None or (since and at < since) or (until and at > until)
        if not rehearsal and not outside:
            take(told, entry, redact)
    return tuple(tables(told))


def entry_of(line: str) -> Entry | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def take(told: Told, entry: Entry, redact: t.Callable[[str], str]) -> None:
    event, task, host = (redact(text(entry.get(key))) for key in ("event", "task", "host"))
    told.retries[(task, host)] += event == "task_retried"
    seconds = number(entry.get("duration"))
    if event in ENDS and seconds is not None:
        told.longest.append((seconds, task, host, ENDS[event], text(entry.get("at"))))
        if len(told.longest) > 50 * LONGEST:
            told.longest = top(told)


def top(told: Told) -> list[tuple[float, str, str, str, str]]:
    return sorted(told.longest, key=lambda one: (-one[0], one[1:]))[:LONGEST]


def tables(told: Told) -> t.Iterator[Table]:
    lead = (
        f"{counted(told.damaged, 'line')} of the journal could not be read." if told.damaged else ""
    )
    rows = [
        (
            Cell(legible(task, LIMIT)),
            Cell(legible(host, LIMIT)),
            Cell(took(seconds)),
            Cell(ended, "bad" if ended == "failed" else ""),
            Cell(shown(at)),
        )
        for seconds, task, host, ended, at in top(told)
    ]
    if rows or lead:
        columns = ("Task", "Host", "Took", "Ended", "At")
        yield Table(
            "Tasks that took longest",
            columns,
            tuple(rows),
            "The journal has no task of this release.",
            lead,
        )
    retried = [(count, *key) for key, count in told.retries.items() if count]
    again = [
        (Cell(legible(task, LIMIT)), Cell(legible(host, LIMIT)), Cell(str(count), "warn"))
        for count, task, host in sorted(retried, reverse=True)[:LONGEST]
    ]
    if again:
        yield Table("Tasks that were tried again", ("Task", "Host", "Times"), tuple(again), "")
