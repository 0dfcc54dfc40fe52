# SPDX-License-Identifier: GPL-3.0-or-later
"""Read names and types out of the parser's trees."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .parser import Node

HOLE = "deploy_guard_hole_"
"""Begins the names that stand for an identifier only the run will know."""

_INPUT_MODES = ("FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC", "FUNC_PARAM_DEFAULT")


class Name(t.NamedTuple):
    """As written: without a schema, the search path decides."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        shown = f"{self.schema}.{self.name}" if self.schema else self.name
        return "a name known only at run time" if HOLE in shown else shown


Types: t.TypeAlias = "tuple[Name, ...]"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def strings(nodes: Iterable[Node]) -> list[str]:
    return [node["String"].get("sval", "") for node in nodes if "String" in node]


def to_name(parts: Sequence[str]) -> Name:
    return Name(parts[-2] if len(parts) > 1 else None, parts[-1] if parts else "")


def relation_name(range_var: Node) -> Name:
    """Temporary ones are found in a schema of their own."""
    schema = "pg_temp" if range_var.get("relpersistence") == "t" else None
    return Name(range_var.get("schemaname", schema), range_var.get("relname", ""))


def items(node: Node) -> list[Node]:
    return t.cast("list[Node]", node["List"].get("items", [])) if "List" in node else [node]


def type_name(body: Node) -> Name:
    """Without modifiers; those of pg_catalog have no schema, as they are mostly written."""
    schema, name = to_name(strings(body.get("names", ())))
    array = "[]" if body.get("arrayBounds") else ""
    return Name(None if schema == "pg_catalog" else schema, name + array)


def input_types(parameters: Iterable[Node]) -> Types:
    """Of a routine's FunctionParameters, those that tell it from others of its name."""
    return tuple(
        type_name(each["FunctionParameter"]["argType"])
        for each in parameters
        if "FunctionParameter" in each and each["FunctionParameter"].get("mode") in _INPUT_MODES
    )


def dropped_types(body: Node) -> Types | None:
    """Of an ObjectWithArgs; None when it names the routine alone."""
    if body.get("args_unspecified"):
        return None
    if "objfuncargs" in body:
        return input_types(body["objfuncargs"])
    return tuple(type_name(each.get("TypeName", {})) for each in body.get("objargs", ()))


def signature(types: Types) -> str:
    """Without the schemas of types, for they need not be written."""
    return ",".join(each.name for each in types)


def same_types(types: Types, other: Types) -> bool:
    """A schema that is not written may be any."""
    return len(types) == len(other) and all(
        a.name == b.name and (a.schema == b.schema or None in (a.schema, b.schema))
        for a, b in zip(types, other, strict=True)
    )


def option_names(body: Node, key: str = "options") -> set[str]:
    """The names in a list of DefElem."""
    return {each["DefElem"]["defname"] for each in body.get(key, ())}


def walk(node: t.Any, wanted: frozenset[str]) -> list[tuple[str, t.Any]]:
    """The values of the wanted keys, at any depth below `node`, with their keys."""
    values: list[tuple[str, t.Any]] = []
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            for key, value in current.items():
                if key in wanted:
                    values.append((key, value))
                if isinstance(value, (dict, list)):
                    pending.append(value)
        else:
            pending += [each for each in current if isinstance(each, (dict, list))]
    return values


def constant_text(node: Node) -> str | None:
    """Of a string literal, cast to text or not."""
    while "TypeCast" in node and type_name(node["TypeCast"]["typeName"]).name in (
        "text",
        "varchar",
    ):
        node = node["TypeCast"].get("arg", {})
    value = node.get("A_Const", {})
    return t.cast("str", value["sval"].get("sval", "")) if "sval" in value else None
