# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Reads a record of which nothing is certain, and notes what it could not read."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

Entry = t.Mapping[str, t.Any]

LONGEST = 2_000
"""Characters of one text on the page. The JSON file has the whole."""

# What could end a file early, or show a text otherwise than it is written: controls, lone surrogates, directions.
UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]"
)


def legible(value: t.Any, limit: int = 0) -> t.Any:
    """The same with every text as it can be shown. With a limit, texts are also one line and no longer than that."""
    if isinstance(value, str):
        if limit:
            value = " ".join(value[: 2 * limit].split())
            value = value if len(value) <= limit else f"{value[:limit]}…"
        return UNSHOWN.sub("\ufffd", value)
    if isinstance(value, dict):
        return {legible(str(key), limit): legible(one, limit) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [legible(one, limit) for one in value]
    return value


def inner(entry: t.Any, name: str) -> Entry:
    """A dictionary inside another, empty when there is none."""
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, dict) else {}


def listed(entry: t.Any, name: str) -> list[t.Any]:
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, list) else []


def dictionaries(found: t.Any) -> list[dict[str, t.Any]]:
    """Those among the entries of a list, or the values of a dictionary."""
    values = found.values() if isinstance(found, dict) else found
    return (
        [one for one in values if isinstance(one, dict)]
        if isinstance(values, t.Iterable) and not isinstance(values, str)
        else []
    )


def text(value: t.Any) -> str:
    return "" if value is None else str(value)


def names(found: t.Any) -> list[str]:
    """Entries of a list as text: a migration's `file` or `name`, or the entry itself."""
    if not isinstance(found, list):
        return []
    return [
        text(one.get("file") or one.get("name") or one.get("slug"))
        if isinstance(one, dict)
        else text(one)
        for one in found
    ]


@dataclass
class Reader:
    record: t.Mapping[str, t.Any]
    pins: Entry = field(default_factory=dict)
    """What each Deployment ran before the release, as release_info returns it."""
    versions: Entry = field(default_factory=dict)
    """What each Deployment runs now, by name; {} where nobody looked."""
    problems: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        value = self.record.get(name)
        if isinstance(value, (dict, list)):
            self.problems.append(f"'{name}' is no text.")
            return ""
        return text(value)

    def mapping(self, name: str) -> dict[str, t.Any]:
        value = self.record.get(name)
        if value is not None and not isinstance(value, dict):
            self.problems.append(f"'{name}' is no dictionary.")
        return value if isinstance(value, dict) else {}

    def phases(self) -> dict[str, dict[str, t.Any]]:
        found = self.mapping("phases")
        self.problems += [
            f"Phase '{name}' is no dictionary."
            for name, one in found.items()
            if not isinstance(one, dict)
        ]
        return {name: one for name, one in found.items() if isinstance(one, dict)}

    def evidence(self, phase: str) -> Entry:
        return inner(inner(self.mapping("phases"), phase), "evidence")

    def section(self, name: str) -> t.Any:
        """A part of the report: from the record itself, its facts, or the evidence of a phase."""
        places: list[t.Any] = [self.record, self.mapping("facts")]
        places += [inner(phase, "evidence") for phase in self.mapping("phases").values()]
        return next((place[name] for place in places if place.get(name)), None)

    def entries(self, name: str) -> list[tuple[str, dict[str, t.Any]]]:
        """A section of named entries, written as a dictionary by name or as a list with `name`."""
        return self.named(name, self.section(name))

    def named(self, name: str, found: t.Any) -> list[tuple[str, dict[str, t.Any]]]:
        if isinstance(found, dict):
            pairs = [(str(key), value) for key, value in found.items()]
        elif isinstance(found, list):
            pairs = [
                (text(one.get("name") or "?") if isinstance(one, dict) else "?", one)
                for one in found
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
