# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what switches row level security, held against how it stands."""

from __future__ import annotations

import typing as t

from .policies import note_enabled
from .rules import concern

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .names import Name
    from .parser import Node
    from .scope import Scope
    from .world import Found, World

SWITCHES: t.Final = {
    "AT_EnableRowSecurity": ("enabled", True, "hides rows from clients that see them now"),
    "AT_DisableRowSecurity": ("enabled", False, "shows rows to clients that must not see them"),
    "AT_ForceRowSecurity": ("forced", True, "hides rows from its owner"),
    "AT_NoForceRowSecurity": ("forced", False, "shows rows to its owner"),
}


def judge_row_security(command: Node, name: Name, found: Found, scope: Scope) -> Iterator[Concern]:
    switch, value, what = SWITCHES[command["subtype"]]
    if any(_stands(key, switch, scope.world) != {value} for key in found.keys):
        yield concern("row-security", f"it alters {name}, which {what}")


def note_row_security(command: Node, relation: Name, found: Found, scope: Scope) -> None:
    if command["subtype"] not in SWITCHES or scope.world.is_held:
        return
    switch, value, _what = SWITCHES[command["subtype"]]
    certain = scope.certain and len(found.keys) == 1
    for key in found.keys:
        before = frozenset[bool | None]() if certain else _stands(key, switch, scope.world)
        scope.world.facts.row_security[key, switch] = before | {value}
    if switch == "enabled" and value and found.new:
        for key in found.keys:
            note_enabled(relation, key, scope)


def _stands(key: tuple[str, str], switch: str, world: World) -> frozenset[bool | None]:
    """All that it may be; None where the database did not tell."""
    noted = world.facts.row_security.get((key, switch))
    if noted is not None:
        return noted
    told = world.catalog.row_security.get(key) if world.catalog else None
    return frozenset({getattr(told, switch) if told else None})
