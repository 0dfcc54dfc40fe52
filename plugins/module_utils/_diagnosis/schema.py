# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Which tables and columns the statements of migrations make, so that what is there can be held against it. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._migration.guard.names import relation_name
from .._migration.guard.parser import Node, UnparsableError, parse

NOT_COMPARED = (
    "Only tables and columns in CREATE TABLE and ALTER TABLE of the migrations were compared: no "
    "types, "
    "defaults, constraints, indexes, functions, policies, rights or data, and nothing that a DO block or a function "
    "makes."
)
Table = tuple[str, str]


@dataclass
class Made:
    """Tables by schema and name to the columns that are known, and scripts that could not be read.

    `created`: those that some script makes and does not take for granted, so that it fails where one is there.
    """

    tables: dict[Table, set[str]] = field(default_factory=dict)
    created: set[Table] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)


def made_by(scripts: t.Iterable[tuple[str, str]]) -> Made:
    """What is there once all have run, in their order. Each is a name and its SQL."""
    made = Made()
    for name, sql in scripts:
        try:
            statements = parse(sql)
        except UnparsableError as exc:
            made.unread.append(f"{name} could not be read: {exc}.")
            continue
        for statement in statements:
            ((kind, body),) = statement.node.items()
            if kind in _HANDLERS:
                _HANDLERS[kind](made, body)
    return made


def _create(made: Made, body: Node) -> None:
    if body["relation"].get("relpersistence") == "t":
        return
    elements = body.get("tableElts") or []
    columns = {one["ColumnDef"]["colname"] for one in elements if "ColumnDef" in one}
    known = made.tables.setdefault(_table(body), set())
    if not body.get("if_not_exists"):
        made.created.add(_table(body))
    if not (body.get("if_not_exists") and known):
        known |= columns


def _alter(made: Made, body: Node) -> None:
    if body.get("objtype") != "OBJECT_TABLE":
        return
    # One that the migrations did not make is known by these columns alone.
    columns = made.tables.setdefault(_table(body), set())
    for command in (one["AlterTableCmd"] for one in body.get("cmds") or []):
        if command.get("subtype") == "AT_AddColumn":
            columns.add(command["def"]["ColumnDef"]["colname"])
        elif command.get("subtype") == "AT_DropColumn":
            columns.discard(command.get("name", ""))


def _rename(made: Made, body: Node) -> None:
    if "relation" not in body:
        return
    table, kind = _table(body), body.get("renameType")
    if kind == "OBJECT_TABLE" and table in made.tables:
        made.tables[table[0], body["newname"]] = made.tables.pop(table)
    elif kind == "OBJECT_COLUMN" and body.get("relationType") == "OBJECT_TABLE":
        columns = made.tables.setdefault(table, set())
        columns.discard(body.get("subname", ""))
        columns.add(body["newname"])


def _drop(made: Made, body: Node) -> None:
    if body.get("removeType") != "OBJECT_TABLE":
        return
    for one in body.get("objects") or []:
        parts = [part["String"]["sval"] for part in one["List"]["items"]]
        made.tables.pop((parts[-2] if len(parts) > 1 else "public", parts[-1]), None)


def _table(body: Node) -> Table:
    name = relation_name(body["relation"])
    return (name.schema or "public", name.name)


_HANDLERS: t.Mapping[str, t.Callable[[Made, Node], None]] = {
    "CreateStmt": _create,
    "AlterTableStmt": _alter,
    "RenameStmt": _rename,
    "DropStmt": _drop,
}
