# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
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

_NAMED_LIKE_THIS = {
    "A_ArrayExpr": "array",
    "CaseExpr": "case",
    "CoalesceExpr": "coalesce",
    "RowExpr": "row",
}


def view_columns(body: Node, world: World) -> tuple[Columns, bool]:
    """Of a ViewStmt; false when it may have more."""
    query = body["query"].get("SelectStmt", {})
    while "larg" in query:
        query = query["larg"].get("SelectStmt", query["larg"])
    tables = _tables(query, world)
    found = [_columns_of(each["ResTarget"], tables) for each in query.get("targetList", ())]
    whole = bool(found) and all(each is not None for each in found)
    listed = [pair for each in found for pair in (each or {}).items()]
    aliases = strings(body.get("aliases", ()))
    if aliases and not whole:
        return dict.fromkeys(aliases), False
    renamed = [(name, type_) for name, (_old, type_) in zip(aliases, listed, strict=False)]
    return dict([*renamed, *listed[len(aliases) :]]), whole


def _tables(query: Node, world: World) -> Mapping[str, Columns | None]:
    """By alias, the columns of each part of FROM; None for what is none of the database's relations."""
    ctes = {
        each["CommonTableExpr"]["ctename"] for each in query.get("withClause", {}).get("ctes", ())
    }
    tables: dict[str, Columns | None] = {}
    for number, node in enumerate(_sources(query.get("fromClause", ()))):
        table = node.get("RangeVar")
        if table is None or (table["relname"] in ctes and "schemaname" not in table):
            tables[f"?{number}"] = None
        else:
            alias = table.get("alias", {}).get("aliasname", table["relname"])
            renamed = "colnames" in table.get("alias", {})
            tables[alias] = None if renamed else _known(table, world)
    return tables


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


def _columns_of(target: Node, tables: Mapping[str, Columns | None]) -> Columns | None:
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


def _type_of(value: Node, tables: Mapping[str, Columns | None]) -> str | None:
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
