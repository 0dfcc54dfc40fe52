# SPDX-License-Identifier: GPL-3.0-or-later
"""How the terminal words times, lists and what stands behind the plan."""

from __future__ import annotations

import re
import typing as t

from .._report.times import lasting

MINUTE = 60
EXACT = 10 * MINUTE
"""Beyond this, seconds tell nobody anything."""
SENTENCE_LIMIT = 600
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What a terminal takes for a command, such as a colour in a service's log."""


def span(seconds: float) -> str:
    """For example "8 s", "3 min 5 s", "35 min", "1 h 20 min"."""
    if seconds >= EXACT:
        return lasting(round(seconds / MINUTE) * MINUTE)
    return lasting(round(max(0.0, seconds)))


def against_plan(spent: float, planned: float) -> str:
    """How far behind or ahead of the plan, to the minute."""
    behind = round((spent - planned) / MINUTE) * MINUTE
    if behind == 0:
        return "on plan"
    return f"{lasting(abs(behind))} {'behind' if behind > 0 else 'ahead of'} the plan"


def one_line(text: str, limit: int = SENTENCE_LIMIT) -> str:
    """Without line breaks, colours and control characters, and not longer than a few lines of a screen."""
    bare_text = ESCAPES.sub("", text)
    kept = "".join(one if one.isprintable() else " " for one in bare_text)
    line = " ".join(kept.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def bare(task: str) -> str:
    """The task's own name, without the role it stands in."""
    return one_line(task.rpartition(" : ")[2])


def words_of(reason: t.Any) -> str:
    """A reason in CamelCase as words: "ImageNotFound" is "image not found"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", str(reason or "")).lower()


def clock(seconds: float) -> str:
    """A time of day, from seconds since midnight."""
    minutes = int(seconds // MINUTE) % (24 * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def watch(seconds: float) -> str:
    """A duration as a stop watch shows it: "0:11", "12:05", "2:04:11"."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
