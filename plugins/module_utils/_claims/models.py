# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be claimed of a release, each with the evidence's word on it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

MARKS: t.Mapping[bool | None, str] = {True: "✅", False: "⚠️", None: "❔"}


@dataclass(frozen=True)
class Claim:
    """`good`: True where the evidence shows that all is well, False for otherwise, None where nobody looked."""

    words: str
    good: bool | None

    @property
    def mark(self) -> str:
        return MARKS[self.good]

    def said(self, well: str, otherwise: str = "") -> Claim:
        """The same in the words `well` where all is well, else with `otherwise` before its own."""
        return replace(self, words=well if self.good else f"{otherwise}{self.words}")

    def to_json(self) -> dict[str, t.Any]:
        return {"words": self.words, "good": self.good, "mark": self.mark}
