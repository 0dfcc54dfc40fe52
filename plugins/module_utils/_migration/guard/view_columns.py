# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns a view will have, as far as its query and the database tell."""

from __future__ import annotations

import typing as t

from .names import relation_name, strings, type_name
from .world import State

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .parser import Node
    from .world import World

Columns: t.TypeAlias = "Mapping[str, str | None]"
"""To their types as in pg_type.typname, None where that cannot be told."""
Tables: t.TypeAlias = "Mapping[str, Columns | None]"

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
    found = [_columns_of(each["ResTarget"], tables) for each in query.get("targetList", ())]
    whole = bool(found) and all(each is not None for each in found)
    return {name: of for each in found for name, of in (each or {}).items()}, whole


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


def _sources(nodes: t.Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        if "JoinExpr" in node:
            yield from _sources([node["JoinExpr"]["larg"], node["JoinExpr"]["rarg"]])
        else:
            yield node


def _known(table: Node, world: World) -> Columns | None:
    found = world.find(relation_name(table))
    if world.catalog is None or found.state is not State.EXISTING or len(found.keys) != 1:
        return None
    (key,) = found.keys
    columns = world.catalog.columns.items()
    return {name: of.type for (*place, name), of in columns if tuple(place) == key} or None


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
