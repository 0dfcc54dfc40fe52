# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What one collector writes down: redacted before it is kept, bounded, and each line with its place."""

from __future__ import annotations

import re
import threading
import typing as t

from .._messages.redactor import Redactor
from .models import Fact, Limits, Part, Place

SHEET_LINES = 2000
"""Of a file that is no log."""
LINE_LENGTH = 2000
DEPTH = 12
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Notebook:
    """One collector's. Its thread may be given up on: `to_part` tells what was there until then."""

    def __init__(self, entry: str, title: str, *, redactor: Redactor, limits: Limits) -> None:
        self.limits = limits
        self._entry = entry
        self._title = title
        self._redact = redactor
        self._lock = threading.Lock()
        self._sheets: dict[str, list[str]] = {}
        self._facts: list[Fact] = []
        self._unseen: list[str] = []
        self._cut: list[str] = []

    def see(self, kind: str, subject: str, text: str, *, file: str, **values: t.Any) -> Fact:
        """A fact, and its line in the file."""
        place = self.write(file, text)
        fact = Fact(
            self._entry,
            kind,
            self._redact(subject),
            self._line(text),
            place,
            self._redact.within(values, DEPTH),
        )
        with self._lock:
            self._facts.append(fact)
        return fact

    def write(self, file: str, text: str) -> Place:
        """Add to a file of the folder; the place of its first line."""
        lines = [self._clip(line) for line in self._redact(text).splitlines()] or [""]
        with self._lock:
            sheet = self._sheets.setdefault(file, [])
            place = Place(file, min(len(sheet) + 1, SHEET_LINES))
            room = max(SHEET_LINES - len(sheet), 0)
            sheet += lines[:room]
        if len(lines) > room:
            self.cut(f"{file} has more than {SHEET_LINES} lines: the rest was left out.")
        return place

    def keep_log(self, file: str, lines: t.Sequence[str]) -> list[str]:
        """The end of a log as a file of its own, within the limits; what was kept."""
        redacted = [line for text in lines for line in self._redact(text).splitlines() or [""]]
        kept: list[str] = []
        size = 0
        for line in map(self._clip, reversed(redacted)):
            size += len(line.encode()) + 1
            if len(kept) == self.limits.lines or size > self.limits.bytes:
                break
            kept.append(line)
        kept.reverse()
        if len(kept) < len(redacted):
            self.cut(f"{file} has the last {len(kept)} of {len(redacted)} lines that were read.")
        with self._lock:
            self._sheets[file] = kept
        return kept

    def blind(self, text: str) -> None:
        with self._lock:
            if (told := self._line(text)) not in self._unseen:
                self._unseen.append(told)

    def cut(self, text: str) -> None:
        with self._lock:
            if (told := self._line(text)) not in self._cut:
                self._cut.append(told)

    def to_part(self) -> Part:
        with self._lock:
            return Part(
                self._entry,
                self._title,
                tuple(self._facts),
                tuple(self._unseen),
                tuple(self._cut),
                {
                    name: "".join(f"{line}\n" for line in lines)
                    for name, lines in self._sheets.items()
                },
            )

    def _line(self, text: str) -> str:
        return self._clip(" ".join(self._redact(text).split()))

    @staticmethod
    def _clip(line: str) -> str:
        """A terminal that shows the file must not obey it."""
        line = _CONTROLS.sub("\ufffd", line)
        return (
            line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]} … ({len(line)} characters)"
        )


def file_name(*parts: str) -> str:
    """A name from what others named, which may hold anything."""
    return ".".join(_UNSAFE.sub("_", part).strip("._") or "_" for part in parts)
