# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Patterns of static files, with the meaning that the Supabase CLI gives them: `*` stays in a folder, `**` does not."""

from __future__ import annotations

import re

_WILD = re.compile(r"[*?[]")
_PIECE = re.compile(
    r"(?P<deep>\*\*)|(?P<many>\*)|(?P<one>\?)|\[(?P<set>[^\]]+)\]|(?P<plain>.)", re.DOTALL
)


def is_pattern(path: str) -> bool:
    return bool(_WILD.search(path))


def fixed_folder(pattern: str) -> str:
    """The longest folder in which everything lies that can match."""
    fixed = []
    for part in pattern.split("/"):
        if _WILD.search(part):
            break
        fixed.append(part)
    return "/".join(fixed) or "."


def expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_translated(piece) for piece in _PIECE.finditer(pattern)))


def _translated(piece: re.Match[str]) -> str:
    if piece["deep"]:
        return ".*"
    if piece["many"]:
        return "[^/]*"
    if piece["one"]:
        return "[^/]"
    if characters := piece["set"]:
        negated = characters.startswith("!")
        return f"[{'^' if negated else ''}{characters[negated:]}]".replace("\\", "\\\\")
    return re.escape(piece["plain"])
