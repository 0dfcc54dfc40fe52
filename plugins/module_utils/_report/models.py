# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A report before it is a page: what stands in it, in order, without a word on how it looks."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Tone = t.Literal["", "good", "warn", "bad", "calm"]


@dataclass(frozen=True)
class Cell:
    """One thing to read. `code`: an identifier, shown in fixed width."""

    text: str
    tone: Tone = ""
    code: bool = False


@dataclass(frozen=True)
class Table:
    """`empty` is the sentence that stands instead of rows that are not there."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    note: str = ""


@dataclass(frozen=True)
class PhaseRow:
    """Planned against actual, in seconds; `actual` is None while it runs or when it never ran."""

    name: str
    status: str
    tone: Tone
    planned: int
    started: str = ""
    finished: str = ""
    actual: int | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    word: str
    tone: Tone
    sentence: str


@dataclass(frozen=True)
class Report:
    """`missing`: what a complete report would have; `problems`: what in the record could not be read."""

    title: str
    verdict: Verdict
    summary: tuple[tuple[str, Cell], ...]
    phases: tuple[PhaseRow, ...]
    tables: tuple[Table, ...]
    way_back: tuple[str, ...]
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    name: str
    minutes: int


@dataclass
class Reader:
    """Reads a record of which nothing is certain, and notes what it could not read."""

    record: t.Mapping[str, t.Any]
    problems: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        value = self.record.get(name)
        if isinstance(value, (dict, list)):
            self.problems.append(f"'{name}' is no text.")
            return ""
        return "" if value is None else str(value)

    def mapping(self, name: str, inside: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
        value = (self.record if inside is None else inside).get(name)
        if value is not None and not isinstance(value, dict):
            self.problems.append(f"'{name}' is no dictionary.")
        return value if isinstance(value, dict) else {}

    def section(self, name: str) -> t.Any:
        """A part of the report: from the record itself, its facts, or the evidence of a phase."""
        places: list[t.Any] = [self.record, self.mapping("facts")]
        places += [
            phase.get("evidence")
            for phase in self.mapping("phases").values()
            if isinstance(phase, dict)
        ]
        for place in places:
            if isinstance(place, dict) and place.get(name):
                return place[name]
        return None

    def entries(self, name: str) -> list[tuple[str, dict[str, t.Any]]]:
        """A section of named entries, written as a dictionary by name or as a list with `name`."""
        found = self.section(name)
        if isinstance(found, dict):
            pairs = [(str(key), value) for key, value in found.items()]
        elif isinstance(found, list):
            pairs = [
                (str(one.get("name", "?")) if isinstance(one, dict) else "?", one) for one in found
            ]
        else:
            if found is not None:
                self.problems.append(f"'{name}' is neither a dictionary nor a list.")
            return []
        read = [(key, value) for key, value in pairs if isinstance(value, dict)]
        if len(read) < len(pairs):
            self.problems.append(
                f"{len(pairs) - len(read)} entries of '{name}' are no dictionaries."
            )
        return read
