# SPDX-License-Identifier: GPL-3.0-or-later
"""Read conditions that hold for no row, whichever it is."""

from __future__ import annotations

import typing as t

from .names import strings, type_name

if t.TYPE_CHECKING:
    from .parser import Node

_FALSE = ("f", "false", "n", "no", "off", "0")


def is_never(condition: Node, *, unless_null: bool = False) -> bool:
    """Whether it is false, or NULL, for every row. `unless_null` for a CHECK, which NULL passes."""
    if "A_Const" in condition:
        constant = condition["A_Const"]
        if constant.get("isnull"):
            return not unless_null
        return "boolval" in constant and not constant["boolval"].get("boolval")
    if "TypeCast" in condition:
        cast = condition["TypeCast"]
        constant = cast.get("arg", {}).get("A_Const", {})
        text = constant.get("sval", {}).get("sval", "").lower()
        boolean = type_name(cast["typeName"]).name == "bool"
        return boolean and (text in _FALSE or is_never(cast["arg"], unless_null=unless_null))
    if "BoolExpr" in condition:
        return _is_never_combined(condition["BoolExpr"], unless_null=unless_null)
    return _compares_other_constants(condition.get("A_Expr", {}))


def _is_never_combined(body: Node, *, unless_null: bool) -> bool:
    parts = body.get("args", ())
    if body["boolop"] == "AND_EXPR":
        return any(is_never(part, unless_null=unless_null) for part in parts)
    if body["boolop"] == "OR_EXPR":
        return all(is_never(part, unless_null=unless_null) for part in parts)
    constant = parts[0].get("A_Const", {})
    return bool(constant.get("boolval", {}).get("boolval"))


def _compares_other_constants(body: Node) -> bool:
    """1 = 0, and the like."""
    if body.get("kind") != "AEXPR_OP" or strings(body.get("name", ())) != ["="]:
        return False
    sides = [body.get(side, {}).get("A_Const") for side in ("lexpr", "rexpr")]
    if None in sides:
        return False
    left, right = (
        {key: value for key, value in each.items() if key != "location"} for each in sides if each
    )
    return left.keys() == right.keys() and left != right
