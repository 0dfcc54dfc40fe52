# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What may be claimed of a release, each with the evidence's word on it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

MARKS: t.Mapping[bool | None, str] = {True: "✅", False: "⚠️", None: "❔"}


@dataclass(frozen=True)
class Claim:
    """`good`: True where the evidence shows that all is well, False for otherwise, None where nobody looked."""

    words: str
    good: bool | None

    @property
    def mark(self) -> str:
        return MARKS[self.good]

    def to_json(self) -> dict[str, t.Any]:
        return {"words": self.words, "good": self.good, "mark": self.mark}


@dataclass(frozen=True)
class FiredAlert:
    """An alert of the release that fired while it went on. Times are RFC 3339; `until` is "" while it fires."""

    name: str
    severity: str
    since: str
    until: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Alerts:
    """What fired, if somebody `looked`; else `why_not`."""

    looked: bool = False
    fired: tuple[FiredAlert, ...] = ()
    why_not: str = ""
