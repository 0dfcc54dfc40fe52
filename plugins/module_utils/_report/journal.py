# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a release: one JSON line for each event of each run, and the tables that a report makes of it."""

from __future__ import annotations

import heapq
import json
import os
import re
import threading
import typing as t
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from pathlib import Path

from .._formats import counted, legible, number, shown, took
from .._release.decode import text
from .._time import parse_time, utc_milliseconds
from .models import Cell, Table, table

Event = t.Mapping[str, t.Any]


def read_events(lines: t.Iterable[str]) -> t.Iterator[Event | None]:
    """One after the other, for a journal may be large; None for what no journal wrote, or not to its end."""
    kinds = (("seq", int), ("run", str), ("at", str), ("event", str))
    for line in filter(str.strip, lines):
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            read = None
        known = read if isinstance(read, dict) else {}
        yield known if all(isinstance(known.get(name), kind) for name, kind in kinds) else None


LINE_LIMIT = 16_000
"""Characters of one line; a larger result is left out and the line says so."""


class Journal:
    """Appends the events of one run to a file that only its owner may read, up to `limit` bytes.

    Each line goes out in one write at the file's end, so runs that share it never mix, and a run that is killed leaves
    whole lines. `warn` is told once when nothing can be written.
    """

    def __init__(
        self, warn: Callable[[str], None], *, limit: int, now: Callable[[], str] = utc_milliseconds
    ) -> None:
        self._warn = warn
        self._limit = limit
        self._now = now
        self._lock = threading.Lock()
        self._file: int | None = None
        self._sequence = 0
        self.started = now()
        second = re.sub("[-:Z]|[.].*", "", self.started)
        # Sorts by time, and is another's nowhere: "20261124T090000Z-3f9a1c2e".
        self.run = f"{second}Z-{uuid.uuid4().hex[:8]}"

    def open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            os.fchmod(self._file, 0o600)
            # A full disk or a lost machine may have torn the last line of an earlier run.
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
        except OSError as exc:
            self._stop(
                f"The journal {path} can't be written ({exc.strerror}): the run goes on without it."
            )

    def write(self, event: str, **fields: t.Any) -> None:
        """One line: `run`, `seq`, `at`, `event` and the fields that are not None."""
        known = {name: value for name, value in fields.items() if value is not None}
        with self._lock:
            if self._file is None:
                return
            line = self._line({"event": event, **known})
            full = os.fstat(self._file).st_size + len(line) > self._limit
            if full:
                line = self._line({"event": "journal_full"})
            try:
                written = os.write(self._file, line)
            except OSError as exc:
                why = f"The journal can't be written ({exc.strerror})"
                self._stop(f"{why}: the run goes on without it.")
                return
            if written < len(line):
                self._stop("The journal's disk is full: the run goes on without it.")
            elif full:
                why = f"The journal is full ({self._limit} bytes)"
                self._stop(f"{why}: the rest of the run is not in it.")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, fields: dict[str, t.Any]) -> bytes:
        """What is too long is left without its result, and with the beginnings of its texts."""
        self._sequence += 1
        entry = {"run": self.run, "seq": self._sequence, "at": self._now(), **fields}
        line = json.dumps(entry, ensure_ascii=False, default=str)
        if len(line) > LINE_LIMIT:
            short = {k: v[:2_000] if isinstance(v, str) else v for k, v in entry.items()}
            short |= {"result": None, "truncated": True}
            line = json.dumps(short, ensure_ascii=False, default=str)
        return line.encode() + b"\n"

    def _stop(self, why: str) -> None:
        self.close()
        self._warn(why)


LONGEST = 10
LIMIT = 400
"""Characters of a name in a table."""
ENDS = {kind: Cell("failed", "bad") for kind in ("task_failed", "host_unreachable")}
ENDS["task_ok"] = Cell("ok")


def read_journal(
    lines: t.Iterable[str],
    since: datetime | None,
    until: datetime | None,
    redact: t.Callable[[str], str] = str,
) -> tuple[Table, ...]:
    """Of the release alone: what ran before it began or after it ended is left out, and so are rehearsals.

    So the report of a finished release stays the same, whatever is run later.
    """
    rehearsals: set[str] = set()
    longest: list[tuple[float, tuple[Cell | str, ...]]] = []
    retries: Counter[tuple[str, str]] = Counter()
    damaged = 0
    for event in read_events(lines):
        if event is None:
            damaged += 1
            continue
        at, run, kind = parse_time(event["at"]), event["run"], event["event"]
        if kind == "run_started" and event.get("check"):
            rehearsals.add(run)
        outside = at is None or (since and at < since) or (until and at > until)
        if run in rehearsals or outside:
            continue
        task, host = (legible(redact(text(event.get(key))), LIMIT) for key in ("task", "host"))
        retries[(task, host)] += kind == "task_retried"
        seconds = number(event.get("duration"))
        if kind in ENDS and seconds is not None:
            # Only the longest are kept, for a journal may be large.
            row = (task, host, took(seconds), ENDS[kind], shown(at))
            longest = heapq.nlargest(LONGEST, [*longest, (seconds, row)], key=itemgetter(0))
    again = [
        (task, host, Cell(str(count), "warn"))
        for (task, host), count in retries.most_common(LONGEST)
        if count
    ]
    lead = f"{counted(damaged, 'line')} of the journal could not be read." if damaged else ""
    columns = ("Task", "Host", "Took", "Ended", "At")
    empty = "The journal has no task of this release." if lead else ""
    tables = (
        table("Longest tasks", columns, [row for _seconds, row in longest], empty, lead),
        table("Retried tasks", ("Task", "Host", "Times"), again),
    )
    return tuple(entry for entry in tables if entry.rows or entry.lead)
