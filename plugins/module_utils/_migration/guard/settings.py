# SPDX-License-Identifier: GPL-3.0-or-later
"""SET, RESET and set_config: which of them change what later statements mean."""

from __future__ import annotations

import re
import typing as t

from .rules import concern
from .world import State

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .models import Concern
    from .parser import Node
    from .scope import Scope
    from .world import Path, World

_HARMLESS_VALUE = {
    "standard_conforming_strings": ("on", "true", "yes", "1"),
    "client_encoding": ("utf8", "utf-8", "unicode"),
    "session_replication_role": ("origin", "default"),
    "transform_null_equals": ("off", "false", "no", "0"),
    "row_security": ("on", "off", "true", "false"),
}
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(?:,|\Z)')


def judge_set(body: Node, scope: Scope) -> Iterator[Concern]:
    """A VariableSetStmt."""
    name = body.get("name", "").lower()
    kind = body.get("kind")
    if kind == "VAR_RESET_ALL" or name == "search_path":
        # LOCAL ends with a transaction, and whether there is one is not seen here.
        certain = scope.certain and not body.get("is_local")
        scope.world.set_path(read_path(body, scope.world), certain=certain)
        return
    if kind != "VAR_SET_VALUE":
        return
    yield from judge_value(name, _values(body))
    if name in ("role", "session_authorization"):
        scope.world.facts.dropped = True
        # Another user may have a schema of its own, which is searched first.
        for user in _values(body):
            if scope.world.state("schema", user) is not State.ABSENT:
                scope.world.set_path(None, certain=False)


def judge_value(name: str, values: Sequence[str]) -> Iterator[Concern]:
    harmless = _HARMLESS_VALUE.get(name)
    if harmless is not None and [value.lower() for value in values][:1] not in (
        [value] for value in harmless
    ):
        yield concern("setting", f"it sets {name}, which changes later statements")


def judge_set_config(
    arguments: Sequence[str | None], scope: Scope, *, alone: bool
) -> Iterator[Concern]:
    """A call of set_config; `alone` when it surely runs, once."""
    name, value, *_rest = (*arguments, None, None)
    if name is None:
        yield concern("setting", "it calls set_config with a name known only at run time")
    elif name.lower() == "search_path":
        path = _path_of_text(value, scope.world) if value is not None else None
        scope.world.set_path(path, certain=alone and scope.certain)
    elif value is None:
        yield from judge_value(name.lower(), ["?"])
    else:
        yield from judge_value(name.lower(), [value])


def read_path(body: Node, world: World) -> Path:
    """Of a VariableSetStmt of search_path."""
    if body.get("kind") != "VAR_SET_VALUE":
        return world.default_path
    return _expand(_values(body), world)


def _values(body: Node) -> list[str]:
    constants = [each.get("A_Const", {}) for each in body.get("args", ())]
    return [_value(each) for each in constants]


def _value(constant: Node) -> str:
    if "boolval" in constant:
        return "true" if constant["boolval"].get("boolval") else "false"
    if "ival" in constant:
        return str(constant["ival"].get("ival", 0))
    return t.cast("str", constant.get("sval", {}).get("sval", ""))


def _path_of_text(text: str, world: World) -> Path:
    names, at = [], 0
    while found := _ITEM.match(text, at):
        names.append(found[1].replace('""', '"') if found[1] is not None else found[2].lower())
        at = found.end()
    return _expand(names, world) if at == len(text.rstrip()) or not text.strip() else None


def _expand(names: Sequence[str], world: World) -> Path:
    user = world.catalog.user if world.catalog else ""
    expanded = [user if name == "$user" else name for name in names]
    return tuple(name for name in expanded if name and name != "pg_catalog")
