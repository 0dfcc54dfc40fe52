# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a release: one JSON line for each event of each run, for the report and a later audit."""

from __future__ import annotations

import json
import os
import threading
import typing as t
import uuid
from collections.abc import Callable
from pathlib import Path

from .._time import utc_milliseconds

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
        kept = {
            k: v[:2_000] if isinstance(v, str) else v for k, v in entry.items() if k != "result"
        }
        line = json.dumps({**kept, "truncated": True}, ensure_ascii=False, default=str)
    return line
