# SPDX-License-Identifier: GPL-3.0-or-later
"""What the words of a record mean for a reader: good, bad, or worth a look."""

from __future__ import annotations

import typing as t

from ..models import Cell, Tone

GOOD = {"succeeded", "no_change", "pass", "passed", "ok", "proceed", "true", "delivered", "done",
        "approve", "good"}  # fmt: skip
BAD = {"failed", "fail", "rollback", "rollback_failed", "failed_no_undo", "error", "false", "reject",
       "breach"}  # fmt: skip
CALM = {"skip", "skipped", "planned", "unchanged", "none"}


def tone_of(word: t.Any) -> Tone:
    lowered = str(word).lower().replace(" ", "_")
    if lowered in GOOD:
        return "good"
    if lowered in CALM:
        return "calm"
    return "bad" if lowered in BAD else "warn" if lowered else ""


def judged(word: t.Any) -> Cell:
    """A result with its tone."""
    said = "" if word is None else str(word)
    return Cell(said.replace("_", " "), tone_of(said))


def share(good: int, total: int, what: str, rest: str = "") -> str:
    """For example "All 12 services rolled out." or "11 of 12 services rolled out: wallet-service did not." """
    if not total:
        return ""
    if good == total:
        return f"All {total} {what}." if total > 1 else f"{what[:1].upper()}{what[1:]}: 1 of 1."
    return f"{good} of {total} {what}{': ' + rest if rest else ''}."
