# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard says about a statement, and what it is told."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import asdict, dataclass
from enum import Enum

if t.TYPE_CHECKING:
    from ..splitter import Statement


class Classification(Enum):
    ADDITIVE = "additive"
    WARNING = "warning"
    """Adds, and may all the same break code that runs. It is told, and stops nothing."""
    DESTRUCTIVE = "destructive"
    """Takes something away, breaks the code that still runs, or blocks it behind a heavy lock."""
    UNKNOWN = "unknown"
    """What it does cannot be told from its text."""


_SEVERITY = (
    Classification.ADDITIVE,
    Classification.WARNING,
    Classification.UNKNOWN,
    Classification.DESTRUCTIVE,
)


def worst(verdicts: t.Iterable[Classification]) -> Classification:
    return max(verdicts, key=_SEVERITY.index, default=Classification.ADDITIVE)


@dataclass(frozen=True)
class Concern:
    """Why something is not additive. `rule` is one stable kebab-case word, the rest are clauses for people."""

    verdict: Classification
    rule: str
    what: str
    safe_way: str


@dataclass(frozen=True)
class Source:
    """A file that will run, as the splitter cuts it."""

    file: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Finding:
    """`statement` counts from 1; `excerpt` has no literals of the file in it."""

    file: str
    line: int
    statement: int
    verdict: Classification
    rule: str
    what: str
    safe_way: str
    excerpt: str

    def to_result(self) -> dict[str, t.Any]:
        return {**asdict(self), "verdict": self.verdict.value}

    def to_line(self) -> str:
        return (
            f"{self.file}, line {self.line}, statement {self.statement} ({self.excerpt}): {self.what} "
            f"[{self.verdict.value}: {self.rule}]"
        )

    def to_sentence(self) -> str:
        return f"{self.to_line()}; {self.safe_way}."


@dataclass(frozen=True)
class Review:
    """In the order the statements run what is not additive and what is warned of; each file's statements by verdict."""

    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    verdicts: t.Mapping[str, t.Mapping[Classification, int]]

    def to_verdicts(self) -> dict[str, dict[str, int]]:
        return {
            file: {verdict.value: counts.get(verdict, 0) for verdict in Classification}
            for file, counts in self.verdicts.items()
        }


def count_verdicts(verdicts: t.Iterable[Classification]) -> t.Mapping[Classification, int]:
    return Counter(verdicts)
