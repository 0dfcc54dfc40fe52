# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a release: one JSON line for each event of each run."""

from __future__ import annotations

import json
import os
import re
import threading
import typing as t
import uuid
from collections.abc import Callable
from pathlib import Path

from .._time import utc_milliseconds

BYTES = 50_000_000
LINE_LIMIT = 16_000
"""Characters of one line; a larger result is left out and the line says so."""


class Journal:
    """Appends the events of one run to a file that only its owner may read.

    Each line goes out in one write at the file's end, so runs that share it never mix, and a run that is killed leaves
    whole lines. `warn` is told once when nothing can be written.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._lock = threading.Lock()
        self._file: int | None = None
        self._sequence = 0
        self.started = utc_milliseconds()
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
            full = os.fstat(self._file).st_size + len(line) > BYTES
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
                why = f"The journal is full ({BYTES} bytes)"
                self._stop(f"{why}: the rest of the run is not in it.")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, fields: dict[str, t.Any]) -> bytes:
        """What is too long is left without its result, and with the beginnings of its texts."""
        self._sequence += 1
        entry = {"run": self.run, "seq": self._sequence, "at": utc_milliseconds(), **fields}
        line = json.dumps(entry, ensure_ascii=False, default=str)
        if len(line) > LINE_LIMIT:
            short = {k: v[:2_000] if isinstance(v, str) else v for k, v in entry.items()}
            short |= {"result": None, "truncated": True}
            line = json.dumps(short, ensure_ascii=False, default=str)
        return line.encode() + b"\n"

    def _stop(self, why: str) -> None:
        self.close()
        self._warn(why)
