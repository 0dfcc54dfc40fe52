# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the text that EXECUTE will run out of the expression that makes it."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from .names import HOLE, constant_text, strings, type_name
from .parser import Node, UnparsableError, parse

_PLACE = re.compile(r"%(?:(\d+)\$)?-?\d*([sIL%])")
_NAMES_OF_OBJECTS = ("regclass", "regrole", "regnamespace")
_LOCATIONS = re.compile(r'"(?:arg_)?location": -?\d+,? ?')


class Text(t.NamedTuple):
    """Names and values that only the run knows are made up; `whole` is false where more than such is missing."""

    sql: str
    whole: bool


def read_dynamic(expression: str) -> Text | None:
    """None when nothing of it can be told."""
    try:
        statements = parse(f"SELECT {expression}")
    except UnparsableError:
        return None
    select = statements[0].node.get("SelectStmt", {}) if len(statements) == 1 else {}
    targets = select.get("targetList", ())
    if len(targets) != 1 or "fromClause" in select:
        return None
    text = _render(targets[0]["ResTarget"].get("val", {}))
    return text if text.sql.strip() and not text.sql.startswith(HOLE) else None


def _render(node: Node) -> Text:
    constant = constant_text(node)
    if constant is not None:
        return Text(constant, whole=True)
    if "TypeCast" in node:
        return _render_cast(node)
    if "A_Expr" in node and strings(node["A_Expr"].get("name", ())) == ["||"]:
        left, right = (_render(node["A_Expr"].get(side, {})) for side in ("lexpr", "rexpr"))
        return Text(left.sql + right.sql, left.whole and right.whole)
    if "FuncCall" in node:
        return _render_call(node)
    return _hole(node, whole=False)


def _render_cast(node: Node) -> Text:
    target = type_name(node["TypeCast"]["typeName"]).name
    if target in _NAMES_OF_OBJECTS:
        return _hole(node, whole=True)
    return (
        _render(node["TypeCast"].get("arg", {})) if target == "text" else _hole(node, whole=False)
    )


def _render_call(node: Node) -> Text:
    call = node["FuncCall"]
    name, arguments = strings(call["funcname"])[-1], call.get("args", [])
    if name == "format" and arguments:
        return _render_format(arguments)
    if name == "quote_ident":
        return _hole(node, whole=True)
    if name in ("quote_literal", "quote_nullable"):
        return Text("'...'", whole=True)
    if name == "concat":
        parts = [_render(each) for each in arguments]
        return Text("".join(part.sql for part in parts), all(part.whole for part in parts))
    return _hole(node, whole=False)


def _render_format(arguments: list[Node]) -> Text:
    template = constant_text(arguments[0])
    if template is None:
        return _hole(arguments[0], whole=False)
    whole, following = True, 1

    def fill(match: re.Match[str]) -> str:
        nonlocal whole, following
        if match[2] == "%":
            return "%"
        at = int(match[1]) if match[1] else following
        following = at + 1
        value = arguments[at] if at < len(arguments) else {}
        if match[2] == "L":
            return "'...'"
        if match[2] == "I":
            known = constant_text(value)
            return _quoted(known) if known is not None else _hole(value, whole=True).sql
        text = _render(value)
        whole = whole and text.whole
        return text.sql

    return Text(_PLACE.sub(fill, template), whole)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _hole(node: Node, *, whole: bool) -> Text:
    """A name made up: the same for the same expression, so that what is dropped and made again is one."""
    written = _LOCATIONS.sub("", json.dumps(node, sort_keys=True))
    return Text(HOLE + hashlib.sha256(written.encode()).hexdigest()[:12], whole)
