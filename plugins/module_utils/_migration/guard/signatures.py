# SPDX-License-Identifier: GPL-3.0-or-later
"""What callers of a routine and readers of a view rely on, and what of it another one in its place has no more."""

from __future__ import annotations

import typing as t

from .parser import (
    INPUT_MODES,
    Node,
    input_types,
    relation_name,
    same_types,
    strings,
    to_options,
    type_name,
)
from .routines import Signature
from .world import ObjectState, World


def read_options(body: Node) -> frozenset[str]:
    """Of a ViewStmt, those that are on, and which check it has of what is written through it."""
    texts = [
        (each["DefElem"]["defname"], _option_text(each["DefElem"].get("arg")))
        for each in body.get("options", ())
    ]
    check = body.get("withCheckOption", "").removesuffix("_CHECK_OPTION").lower()
    return to_options([*texts, ("check_option", check.replace("no", ""))])


def _option_text(arg: Node | None) -> str:
    if arg is None:
        return "true"
    [body] = arg.values()
    return str(next(iter(body.values()), "0"))


Columns: t.TypeAlias = "t.Mapping[str, str | None]"
"""To their types as in pg_type.typname, None where that cannot be told."""
Tables: t.TypeAlias = "t.Mapping[str, Columns | None]"

_NAMED_LIKE_THIS = {
    "A_ArrayExpr": "array",
    "CaseExpr": "case",
    "CoalesceExpr": "coalesce",
    "RowExpr": "row",
}


def view_columns(body: Node, world: World) -> tuple[Columns, bool]:
    """Of a ViewStmt; false when it may have more."""
    columns, whole = _columns_of_query(body["query"].get("SelectStmt", {}), {}, world)
    aliases = strings(body.get("aliases", ()))
    if aliases and not whole:
        return dict.fromkeys(aliases), False
    return _renamed(columns, aliases), whole


def _renamed(columns: Columns, aliases: t.Sequence[str]) -> Columns:
    """The first ones have other names."""
    listed = list(columns.items())
    first = [(name, of) for name, (_old, of) in zip(aliases, listed, strict=False)]
    return dict([*first, *listed[len(aliases) :]])


def _columns_of_query(query: Node, ctes: Tables, world: World) -> tuple[Columns, bool]:
    """`ctes` of the queries around it; of a set operation the first part's names, and the types that all parts have."""
    ctes = _with_own(query, ctes, world)
    if "larg" in query:
        columns, whole = _columns_of_query(_part(query, "larg"), ctes, world)
        others, all_there = _columns_of_query(_part(query, "rarg"), ctes, world)
        types = list(others.values()) if all_there and len(others) == len(columns) else []
        types = types or [None] * len(columns)
        pairs = zip(columns.items(), types, strict=True)
        return {name: of if of == other else None for (name, of), other in pairs}, whole
    tables = _tables(query, ctes, world)
    parts = [_columns_of(each["ResTarget"], tables) for each in query.get("targetList", ())]
    whole = bool(parts) and all(each is not None for each in parts)
    return {name: of for each in parts for name, of in (each or {}).items()}, whole


def _part(query: Node, side: str) -> Node:
    part: Node = query[side]
    inner: Node = part.get("SelectStmt", part)
    return inner


def _with_own(query: Node, ctes: Tables, world: World) -> Tables:
    """Each may read those before it, and itself."""
    for node in query.get("withClause", {}).get("ctes", ()):
        cte = node["CommonTableExpr"]
        name, aliases = cte["ctename"], strings(cte.get("aliascolnames", ()))
        inner = {**ctes, name: None}
        ctes = {**inner, name: _whole(cte["ctequery"].get("SelectStmt", {}), aliases, inner, world)}
    return ctes


def _whole(query: Node, aliases: t.Sequence[str], ctes: Tables, world: World) -> Columns | None:
    columns, whole = _columns_of_query(query, ctes, world)
    return _renamed(columns, aliases) if whole else None


def _tables(query: Node, ctes: Tables, world: World) -> Tables:
    """By alias, the columns of each part of FROM; None for what the database cannot tell."""
    tables: dict[str, Columns | None] = {}
    for number, node in enumerate(_sources(query.get("fromClause", ()))):
        body: Node = node.get("RangeVar") or node.get("RangeSubselect") or {}
        alias = body.get("alias", {})
        name = alias.get("aliasname") or body.get("relname") or f"?{number}"
        columns = _columns_of_source(body, ctes, world)
        renamed = strings(alias.get("colnames", ()))
        tables[name] = _renamed(columns, renamed) if columns is not None else None
    return tables


def _columns_of_source(body: Node, ctes: Tables, world: World) -> Columns | None:
    if "subquery" in body:
        return _whole(body["subquery"].get("SelectStmt", {}), (), ctes, world)
    if "relname" not in body:
        return None
    if "schemaname" not in body and body["relname"] in ctes:
        return ctes[body["relname"]]
    return _known(body, world)


def _sources(nodes: t.Iterable[Node]) -> t.Iterator[Node]:
    for node in nodes:
        if "JoinExpr" in node:
            yield from _sources([node["JoinExpr"]["larg"], node["JoinExpr"]["rarg"]])
        else:
            yield node


def _known(table: Node, world: World) -> Columns | None:
    target = world.find(relation_name(table))
    if target.state is not ObjectState.EXISTING or not target.sole:
        return None
    columns = world.catalog.columns.items()
    return {name: of.type for (*place, name), of in columns if tuple(place) in target.keys} or None


def _columns_of(target: Node, tables: Tables) -> Columns | None:
    """None when it is a star that cannot be told, or an expression whose name cannot."""
    value = target.get("val", {})
    fields = value.get("ColumnRef", {}).get("fields", ())
    if fields and "A_Star" in fields[-1]:
        named = strings(fields)
        stars = [tables.get(named[-1])] if named else list(tables.values())
        if any(columns is None for columns in stars):
            return None
        return {name: of for columns in stars for name, of in (columns or {}).items()}
    name = target.get("name") or _name_of(value)
    return None if name is None else {name: _type_of(value, tables)}


def _name_of(value: Node) -> str | None:
    """What PostgreSQL calls a column without an alias; None for the rarer expressions."""
    for kind, body in value.items():
        if kind == "ColumnRef":
            named = strings(body["fields"])
            return named[-1] if named else None
        if kind == "FuncCall":
            return strings(body["funcname"])[-1]
        if kind in ("TypeCast", "CollateClause"):
            inner = _name_of(body.get("arg", {}))
            return inner or (type_name(body["typeName"]).name if kind == "TypeCast" else None)
        if kind == "CaseExpr":
            default = body.get("defresult", {})
            return _name_of(default) if "ColumnRef" in default else "case"
        return _NAMED_LIKE_THIS.get(kind)
    return None


def _type_of(value: Node, tables: Tables) -> str | None:
    if "TypeCast" in value:
        return type_name(value["TypeCast"]["typeName"]).name
    named = strings(value.get("ColumnRef", {}).get("fields", ()))
    if len(named) == 1 and len(tables) == 1:
        (columns,) = tables.values()
    elif len(named) == 2:
        columns = tables.get(named[0])
    else:
        return None
    return (columns or {}).get(named[-1]) if columns else None


_OUTPUTS = ("FUNC_PARAM_OUT", "FUNC_PARAM_INOUT", "FUNC_PARAM_TABLE")


def read_signature(body: Node) -> Signature:
    """Of a CreateFunctionStmt."""
    parameters = [each.get("FunctionParameter", {}) for each in body.get("parameters", ())]
    inputs = [each for each in parameters if each.get("mode") in INPUT_MODES]
    modes = {each.get("mode") for each in parameters}
    result = body.get("returnType", {})
    return Signature(
        types=input_types(body.get("parameters", ())),
        names=tuple(each.get("name", "") for each in inputs),
        optional=sum("defexpr" in each for each in inputs),
        variadic="FUNC_PARAM_VARIADIC" in modes,
        procedure=bool(body.get("is_procedure")),
        returns_set=bool(result.get("setof")) or "FUNC_PARAM_TABLE" in modes,
        columns=tuple(
            (each.get("name", ""), type_name(each["argType"]))
            for each in parameters
            if each.get("mode") in _OUTPUTS
        )
        or ((("", type_name(result)),) if result else ()),
    )


def lost_for_callers(old: Signature, new: Signature) -> t.Iterator[str]:
    """A clause for each thing that callers of `old` cannot rely on with `new`, which may have more inputs."""
    if old.procedure != new.procedure:
        yield f"is a {'procedure' if new.procedure else 'function'} now"
    elif not _same_result(old, new):
        yield f"returns {_result(new)} instead of {_result(old)}"
    for number, name in enumerate(old.names):
        if name and name != new.names[number]:
            yield f"calls its parameter {name} {new.names[number] or 'nothing'} now"
    required = len(new.types) - new.optional
    if required > len(old.types) - old.optional:
        yield "has fewer defaults"
    if old.variadic and not new.variadic:
        yield "is no longer VARIADIC"


def _same_result(old: Signature, new: Signature) -> bool:
    if old.returns_set != new.returns_set or len(old.columns) != len(new.columns):
        return False
    return all(
        was == name and same_types((before,), (after,))
        for (was, before), (name, after) in zip(old.columns, new.columns, strict=True)
    )


def _result(of: Signature) -> str:
    listed = ", ".join(f"{name} {type_}".strip() for name, type_ in of.columns)
    listed = f"({listed})" if len(of.columns) > 1 else listed or "nothing"
    return f"a set of {listed}" if of.returns_set else listed
