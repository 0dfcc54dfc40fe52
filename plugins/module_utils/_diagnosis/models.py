# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a diagnosis is made of: facts that were seen, where each stands in the folder, and the causes they speak for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

ENTRIES = ("crash_loop", "error_rate", "function", "migration")
TITLES: t.Mapping[str, str] = {
    "crash_loop": "Microservice crash loop",
    "error_rate": "High error rate",
    "function": "Edge function not responding",
    "migration": "Database migration failed",
}
"""The runbook's four entries of trouble."""

SURE, LIKELY, POSSIBLE = 90, 60, 30
"""How strongly a fact speaks: the platform names the trouble itself; it explains what was seen; it may."""


@dataclass(frozen=True)
class Limits:
    """Bounds of what is collected. Bytes are of one file."""

    lines: int = 200
    bytes: int = 256 * 1024
    pods: int = 5
    deployments: int = 10
    seconds: float = 40.0


@dataclass(frozen=True)
class Place:
    """A line of a file in the folder."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Fact:
    """One thing that was seen. `kind` is what rules go by, `subject` whom it is about, `text` its line in the file."""

    entry: str
    kind: str
    subject: str
    text: str
    place: Place
    values: t.Mapping[str, t.Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cause:
    entry: str
    weight: int
    sentence: str
    hint: str
    evidence: tuple[Place, ...]
    title: str = ""

    @property
    def heading(self) -> str:
        """Its own, or that of the runbook's entry that it is an answer to."""
        return self.title or TITLES[self.entry]

    @property
    def certainty(self) -> str:
        if self.weight >= SURE:
            return "almost certain"
        return "likely" if self.weight >= LIKELY else "possible"


@dataclass(frozen=True)
class Part:
    """What one collector brought home. `unseen`: what it could not look at, `cut`: what was left out for its size."""

    entry: str
    title: str
    facts: tuple[Fact, ...] = ()
    unseen: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    files: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """`at` is UTC, RFC 3339."""

    release: str
    at: str
    entries: tuple[str, ...]
    parts: tuple[Part, ...]
    causes: tuple[Cause, ...]
    missing_secrets: tuple[str, ...] = ()

    def parts_of(self, entry: str) -> list[Part]:
        return [part for part in self.parts if part.entry == entry]
