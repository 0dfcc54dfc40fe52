# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge constraints that are NOT VALID: they look at no row that is there, and at each that code writes from now on."""

from __future__ import annotations

import typing as t

from .conditions import is_never
from .names import strings, walk
from .rules import concern
from .world import State

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .names import Name
    from .parser import Node
    from .scope import Scope
    from .world import Found

_COLUMNS = frozenset({"ColumnRef"})


def judge_not_valid(constraint: Node, name: Name, found: Found, scope: Scope) -> Iterator[Concern]:
    kind, condition = constraint["contype"], constraint.get("raw_expr", {})
    settled = False
    if kind != "CONSTR_NOTNULL":
        for key in found.keys:
            place = (*key, constraint.get("conname", ""))
            settled = bool(scope.settle("constraint", place)) or settled
    if is_never(condition, unless_null=True):
        yield concern("rows-refused", f"it refuses every new row of {name}")
        return
    columns = _columns(constraint)
    old = [column for column in columns if not _is_new(column, found, scope)]
    if old and not settled:
        listed = ", ".join(old)
        yield concern("rows-refused", f"it refuses new rows of {name} by their values in {listed}")


def _columns(constraint: Node) -> list[str]:
    named = strings(constraint.get("fk_attrs", ())) or strings(constraint.get("keys", ()))
    checked = [
        strings(body.get("fields", ()))[-1:]
        for _key, body in walk(constraint.get("raw_expr", {}), _COLUMNS)
    ]
    return sorted({*named, *(name for each in checked for name in each)})


def _is_new(column: str, found: Found, scope: Scope) -> bool:
    return {scope.world.state("column", *key, column) for key in found.keys} == {State.NEW}
