# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The journal of a release: one JSON line for each event, with its time, for the report and a later audit."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

LINE_LIMIT = 16_000
"""Characters of one line; a larger result is left out and the line says so."""


def utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")  # noqa: UP017 - also on older Pythons


class Journal:
    """Appends to a file that only its owner may read, up to `limit` bytes. What comes before it is
    opened waits in memory. `warn` is told once when nothing can be written."""

    def __init__(
        self, warn: Callable[[str], None], *, limit: int, now: Callable[[], str] = utc_now
    ) -> None:
        self._warn = warn
        self._limit = limit
        self._now = now
        self._file: t.TextIO | None = None
        self._waiting: list[str] = []
        self._written = 0
        self._off = False

    def open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._file = os.fdopen(descriptor, "a", encoding="utf-8")
            self._written = os.fstat(descriptor).st_size
        except OSError as exc:
            self._stop(
                f"The journal {path} can't be written ({exc.strerror}): the run goes on without it."
            )
        waiting, self._waiting = self._waiting, []
        for line in waiting:
            self._append(line)

    def disable(self) -> None:
        """Nobody wants a journal of this run."""
        self._off = True
        self._waiting.clear()

    def write(self, event: str, **fields: t.Any) -> None:
        """One line: `at`, `event` and the fields that are not None."""
        if self._off:
            return
        known = {name: value for name, value in fields.items() if value is not None}
        line = encoded({"at": self._now(), "event": event, **known})
        if self._file is None:
            self._waiting.append(line)
        else:
            self._append(line)

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
        self._off = True

    def _append(self, line: str) -> None:
        if self._file is None:
            return
        size = len(line.encode()) + 1
        if self._written + size > self._limit:
            full = encoded({"at": self._now(), "event": "journal_full"})
            self._put(full)
            self._stop(
                f"The journal is full ({self._limit} bytes): the rest of the run is not in it."
            )
            return
        self._written += size
        self._put(line)

    def _put(self, line: str) -> None:
        try:
            if self._file:
                self._file.write(line + "\n")
                self._file.flush()
        except OSError as exc:
            self._stop(
                f"The journal can't be written ({exc.strerror}): the run goes on without it."
            )

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
