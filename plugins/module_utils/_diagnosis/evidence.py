# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis is made of: facts with their places, redacted, bounded, in a folder for its owner alone.

And the same as text and as JSON.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import time
import typing as t
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from .. import _threads
from .._errors import DeployError, InputError
from .._formats import counted
from .._redaction import Redactor
from .rules import SENTENCES, Cause, LastWords, LinePlace, ObservedFact, filled


def write_folder(parent: Path, files: t.Mapping[str, str], now: datetime) -> Path:
    """A new one below `parent`, mode 0700. Raises InputError also where another diagnosis has this second's."""
    folder = parent / f"diagnosis-{now:%Y%m%dT%H%M%SZ}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(content, encoding="utf-8", errors="replace")
    except OSError as exc:
        raise InputError(
            f"'{folder}' can't be written ({exc.strerror}): make room there, set 'dest', or run it again."
        ) from exc
    return folder


@dataclass(frozen=True)
class CollectionLimits:
    """Bounds of what is collected. Bytes are of one file."""

    lines: int = 200
    bytes: int = 256 * 1024
    pods: int = 5
    deployments: int = 10
    seconds: float = 40.0


@dataclass
class CollectedPart:
    """What one collector brought home. `unseen`: what it could not look at, `cut`: what was left out for its size.

    `files`: by name their lines.
    """

    entry: str
    title: str
    facts: list[ObservedFact] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """`at` is UTC, RFC 3339."""

    release: str
    at: str
    entries: tuple[str, ...]
    parts: tuple[CollectedPart, ...]
    causes: tuple[Cause, ...]
    missing_secrets: tuple[str, ...] = ()


SHEET_LINES = 2000
"""Of a file that is no log."""
LINE_LENGTH = 2000
DEPTH = 12
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass
class Notebook:
    """One collector's. Its thread may be given up on: `collected` tells what was there until then."""

    part: CollectedPart
    redactor: Redactor
    limits: CollectionLimits
    _lock: t.Any = field(default_factory=_threads.Lock, init=False)

    def see(
        self, kind: str, subject: str, *, file: str, last: LastWords | None = None, **values: t.Any
    ) -> None:
        """A fact, and the sentence of its kind as its line in the file."""
        text = filled(SENTENCES[kind], values, subject=subject)
        place = self.write(file, text)
        fact = ObservedFact(
            self.part.entry,
            kind,
            self.redactor(subject),
            self._line(text),
            place,
            self.redactor.within(values, DEPTH),
            replace(last, text=self.redactor(last.text)) if last else None,
        )
        with self._lock:
            self.part.facts.append(fact)

    def write(self, file: str, text: str) -> LinePlace:
        """Add to a file of the folder; the place of its first line."""
        lines = [self._clip(line) for line in self.redactor(text).splitlines()] or [""]
        with self._lock:
            sheet = self.part.files.setdefault(file, [])
            place = LinePlace(file, min(len(sheet) + 1, SHEET_LINES))
            room = max(SHEET_LINES - len(sheet), 0)
            sheet += lines[:room]
        if len(lines) > room:
            self.cut(f"{file} has more than {SHEET_LINES} lines: the rest was left out.")
        return place

    def keep_log(self, file: str, lines: t.Sequence[str]) -> list[str]:
        """The end of a log as a file of its own, within the limits; what was kept."""
        redacted = [line for text in lines for line in self.redactor(text).splitlines() or [""]]
        remaining: list[str] = []
        size = 0
        for line in map(self._clip, reversed(redacted)):
            size += len(line.encode()) + 1
            if len(remaining) == self.limits.lines or size > self.limits.bytes:
                break
            remaining.append(line)
        remaining.reverse()
        if len(remaining) < len(redacted):
            self.cut(
                f"{file} has the last {len(remaining)} of {len(redacted)} lines that were read."
            )
        with self._lock:
            self.part.files[file] = remaining
        return remaining

    def blind(self, text: str) -> None:
        self._add(self.part.unseen, text)

    def cut(self, text: str) -> None:
        self._add(self.part.cut, text)

    def _add(self, lines: list[str], text: str) -> None:
        with self._lock:
            if (line := self._line(text)) not in lines:
                lines.append(line)

    def collected(self) -> CollectedPart:
        with self._lock:
            return copy.deepcopy(self.part)

    def _line(self, text: str) -> str:
        return self._clip(" ".join(self.redactor(text).split()))

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


Look = t.Callable[[Notebook], None]
"""A collector: it writes into the notebook what it sees."""


def gather(
    looks: t.Sequence[tuple[CollectedPart, Look]], *, redactor: Redactor, limits: CollectionLimits
) -> tuple[CollectedPart, ...]:
    """What each has filled its part with, in order. One that is not back in time is told as far as it came."""
    notebooks = [Notebook(part, redactor, limits) for part, _look in looks]
    # A server that hangs keeps its thread, and must not keep the run.
    begun = [
        _threads.begin(functools.partial(_carry_out, look, notebook))
        for (_part, look), notebook in zip(looks, notebooks, strict=True)
    ]
    deadline = time.monotonic() + limits.seconds
    for collecting, notebook in zip(begun, notebooks, strict=True):
        try:
            collecting.result(max(deadline - time.monotonic(), 0))
        except _threads.LateError:
            notebook.blind(f"It did not finish within {limits.seconds:g} s: this is what it saw.")
    return tuple(notebook.collected() for notebook in notebooks)


def _carry_out(look: Look, notebook: Notebook) -> None:
    try:
        look(notebook)
    except DeployError as exc:
        notebook.blind(str(exc))
    except Exception as exc:
        # Half of the platform may be broken in unexpected ways; the other sources must still be read.
        notebook.blind(f"It stopped with {type(exc).__name__}: {exc}")


SHOWN = 5
"""Causes that the terminal shows."""


def files_of(diagnosis: Diagnosis) -> dict[str, str]:
    """All files of the folder, content by name."""
    raw = {name: lines for part in diagnosis.parts for name, lines in part.files.items()}
    document = asdict(diagnosis)
    document["causes"] = [cause_to_json(cause) for cause in diagnosis.causes]
    for part in document["parts"]:
        part["files"] = sorted(part["files"])
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    return {
        **{name: "".join(f"{line}\n" for line in lines) for name, lines in raw.items()},
        "summary.txt": "\n".join(summary(diagnosis)) + "\n",
        "diagnosis.json": f"{text}\n",
    }


def cause_to_json(cause: Cause) -> dict[str, t.Any]:
    shown = {name: getattr(cause, name) for name in ("entry", "certainty", "sentence", "hint")}
    return {**shown, "evidence": [str(place) for place in cause.evidence]}


def summary(diagnosis: Diagnosis, most: int | None = None) -> list[str]:
    """The surest causes with their evidence, all unless `most`; then what could not be seen and what was cut."""
    lines = [f"Diagnosis of release {diagnosis.release}, {diagnosis.at}"]
    for number, cause in enumerate(diagnosis.causes[:most], 1):
        lines += [
            f"{number}. {cause.heading}, {cause.certainty}: {cause.sentence}",
            f"   {cause.hint}",
            f"   Evidence: {', '.join(map(str, cause.evidence))}",
        ]
    if most is not None and len(diagnosis.causes) > most:
        more = counted(len(diagnosis.causes) - most, "less certain cause")
        lines.append(f"And {more}, in summary.txt.")
    if not diagnosis.causes:
        observed = dict.fromkeys(part.title for part in diagnosis.parts if not part.unseen)
        looked = ", ".join(observed)
        lines.append(f"No cause was found. Checked without trouble: {looked or 'nothing'}.")
    unseen: dict[str, list[str]] = {}
    for part in diagnosis.parts:
        for entry in part.unseen:
            unseen.setdefault(entry, []).append(part.title)
    lines += [
        f"No data: {', '.join(dict.fromkeys(titles))}. {entry}" for entry, titles in unseen.items()
    ]
    lines += [f"Empty, so not used: {secret}" for secret in diagnosis.missing_secrets]
    lines += [f"Left out: {entry}" for part in diagnosis.parts for entry in part.cut]
    return lines
