# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a release: one JSON line for each event of each run, and the tables that a report makes of it."""

from __future__ import annotations

import json
import os
import threading
import typing as t
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from .._formats import counted, legible, number, shown, took
from .._release.decode import text
from .._time import parse_time, utc_milliseconds
from .models import Cell, Table, Tone, code, table

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


LINE_LIMIT = 16_000
"""Characters of one line; a larger result is left out and the line says so."""


def run_id(at: str) -> str:
    """Sorts by time, and is another's nowhere: "20261124T090000Z-3f9a1c2e"."""
    second = at.partition(".")[0].rstrip("Z").replace("-", "").replace(":", "")
    return f"{second}Z-{uuid.uuid4().hex[:8]}"


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
        self.run = run_id(self.started)

    def open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            os.fchmod(self._file, 0o600)
            self._begin_a_line()
        except OSError as exc:
            self._stop(
                f"The journal {path} can't be written ({exc.strerror}): the run goes on without it."
            )

    def _begin_a_line(self) -> None:
        """A full disk or a lost machine may have torn the last line of an earlier run."""
        if self._file is None:
            return
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def write(self, event: str, **fields: t.Any) -> None:
        """One line: `run`, `seq`, `at`, `event` and the fields that are not None."""
        known = {name: value for name, value in fields.items() if value is not None}
        with self._lock:
            if self._file is None:
                return
            line = self._line({"event": event, **known})
            if os.fstat(self._file).st_size + len(line) <= self._limit:
                self._put(line)
                return
            self._put(self._line({"event": "journal_full"}))
            self._stop(
                f"The journal is full ({self._limit} bytes): the rest of the run is not in it."
            )

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, entry: dict[str, t.Any]) -> bytes:
        self._sequence += 1
        head = {"run": self.run, "seq": self._sequence, "at": self._now()}
        return encoded({**head, **entry}).encode() + b"\n"

    def _put(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            written = os.write(self._file, line)
        except OSError as exc:
            self._stop(
                f"The journal can't be written ({exc.strerror}): the run goes on without it."
            )
            return
        if written < len(line):
            self._stop("The journal's disk is full: the run goes on without it.")

    def _stop(self, why: str) -> None:
        self.close()
        self._warn(why)


def encoded(entry: dict[str, t.Any]) -> str:
    line = json.dumps(entry, ensure_ascii=False, default=str)
    if len(line) > LINE_LIMIT and "result" in entry:
        line = json.dumps(
            {**entry, "result": None, "truncated": True}, ensure_ascii=False, default=str
        )
    if len(line) > LINE_LIMIT:
        stored = {
            k: v[:2_000] if isinstance(v, str) else v for k, v in entry.items() if k != "result"
        }
        line = json.dumps({**stored, "truncated": True}, ensure_ascii=False, default=str)
    return line


LONGEST = 10
LIMIT = 400
ENDS = {"task_ok": "ok", "task_failed": "failed", "host_unreachable": "failed"}

UNFINISHED = "no end in the journal"
OUTCOMES: t.Mapping[str, Tone] = {"done": "good", "failed": "bad", "interrupted": "warn"}


@dataclass
class RunTold:
    """One ansible-playbook: its first line, and how it ended within the release."""

    begin: Event
    outcome: str = UNFINISHED


@dataclass
class JournalDigest:
    """What was read so far. Only a heap of the longest is kept, for a journal may be large."""

    runs: dict[str, RunTold] = field(default_factory=dict)
    rehearsals: set[str] = field(default_factory=set)
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
    message = JournalDigest()
    for event in read_events(lines):
        if event is None:
            message.damaged += 1
            continue
        at, run = parse_time(event["at"]), event["run"]
        if event["event"] == "run_started" and event.get("check"):
            message.rehearsals.add(run)
        if run in message.rehearsals or at is None or (since and at < since):
            continue
        if until and at > until:
            if run in message.runs:
                message.runs[run].outcome = "outlasted the release"
        else:
            take(message, event, redact)
    return tuple(tables(message, redact))


def take(message: JournalDigest, entry: Event, redact: t.Callable[[str], str]) -> None:
    run = message.runs.setdefault(entry["run"], RunTold(begin=entry))
    if entry["event"] == "run_finished":
        run.outcome = text(entry.get("outcome"))
    event, task, host = (redact(text(entry.get(key))) for key in ("event", "task", "host"))
    message.retries[(task, host)] += event == "task_retried"
    seconds = number(entry.get("duration"))
    if event in ENDS and seconds is not None:
        message.longest.append((seconds, task, host, ENDS[event], text(entry.get("at"))))
        if len(message.longest) > 50 * LONGEST:
            message.longest = top(message)


def top(message: JournalDigest) -> list[tuple[float, str, str, str, str]]:
    return sorted(message.longest, key=lambda entry: (-entry[0], entry[1:]))[:LONGEST]


def runs(message: JournalDigest, redact: t.Callable[[str], str]) -> Table | None:
    """Who ran what, and what became of it; nothing of runs whose first line is not of this release."""
    rows = [
        (
            code(legible(redact(command(run.begin)), LIMIT)),
            legible(text(run.begin.get("user")), LIMIT),
            legible(text(run.begin.get("controller")), LIMIT),
            shown(run.begin["at"]),
            Cell(run.outcome, OUTCOMES.get(run.outcome, "")),
        )
        for run in message.runs.values()
        if run.begin["event"] == "run_started"
    ]
    columns = ("Run", "By", "From", "Began", "Ended")
    return table("Runs of ansible-playbook", columns, rows) if rows else None


def command(begin: Event) -> str:
    """The playbook, its options, and the names of the extra variables."""
    options = begin.get("options")
    given = options if isinstance(options, dict) else {}
    words = [text(begin.get("playbook"))]
    words += [
        f"{name}={','.join(map(text, value)) if isinstance(value, list) else text(value)}"
        for name, value in given.items()
        if value
    ]
    names = begin.get("extra_variables")
    words += [f"-e {text(name)}=…" for name in (names if isinstance(names, list) else ())]
    return " ".join(words)


def tables(message: JournalDigest, redact: t.Callable[[str], str]) -> t.Iterator[Table]:
    ran = runs(message, redact)
    if ran:
        yield ran
    lead = (
        f"{counted(message.damaged, 'line')} of the journal could not be read."
        if message.damaged
        else ""
    )
    rows = [
        (
            legible(task, LIMIT),
            legible(host, LIMIT),
            took(seconds),
            Cell(ended, "bad" if ended == "failed" else ""),
            shown(at),
        )
        for seconds, task, host, ended, at in top(message)
    ]
    if rows or lead:
        columns = ("Task", "Host", "Took", "Ended", "At")
        yield table(
            "Longest tasks", columns, rows, "The journal has no task of this release.", lead
        )
    retried = [(count, *key) for key, count in message.retries.items() if count]
    again = [
        (legible(task, LIMIT), legible(host, LIMIT), Cell(str(count), "warn"))
        for count, task, host in sorted(retried, reverse=True)[:LONGEST]
    ]
    if again:
        yield table("Retried tasks", ("Task", "Host", "Times"), again)
