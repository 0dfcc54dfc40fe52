# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge new columns and indexes of existing tables, and new types of existing columns."""

from __future__ import annotations

import typing as t

from .catalog import Domain
from .models import concern, judge_filled
from .parser import (
    Name,
    Node,
    UnparsableError,
    parse,
    relation_name,
    strings,
    to_name,
    type_name,
    walk,
    words,
)
from .routines import TYPES, is_stable, is_type
from .world import UNPLACED, ObjectState

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .catalog import Column
    from .models import Concern, Scope
    from .world import NamedObjects, World


TINY: t.Final = 1024 * 1024
"""Bytes. Measured with PostgreSQL 18, each of the methods below took at most 45 ms for a table of this size."""
_METHODS = frozenset({"btree", "hash", "gin", "gist", "spgist", "brin"})


def create_index(body: Node, scope: Scope) -> Iterator[Concern]:
    table = relation_name(body["relation"])
    target = scope.world.find(table)
    index = body.get("idxname")
    places = {key[0] for key in target.keys}
    if body.get("if_not_exists") and index and scope.world.catalog:
        states = {scope.world.state("relation", place, index) for place in places}
    else:
        states = set()
    if states == {ObjectState.EXISTING}:
        return
    if not target.new:
        yield from _judge_build(body, table, target, scope.world)
    yield from judge_filled(table, scope)
    if "whereClause" in body or any("expr" in each["IndexElem"] for each in body["indexParams"]):
        scope.world.facts.scanned_tables |= target.keys
    if index and len(places) == 1:
        scope.world.create_relation(Name(places.pop(), index), "index", certain=scope.certain)


def _judge_build(body: Node, table: Name, target: NamedObjects, world: World) -> Iterator[Concern]:
    if not body.get("concurrent") and not _is_quick(body, target, world):
        yield concern(
            "index-blocks", f"it builds an index on {table} and blocks writes to it meanwhile"
        )
    elif body.get("unique"):
        yield concern(
            "unique-index", f"it fails if rows of {table} repeat, and refuses new repeats"
        )


def _is_quick(body: Node, target: NamedObjects, world: World) -> bool:
    """Whether the table is known to be tiny, and nothing before this may have filled it."""
    sizes = world.catalog.sizes if world.catalog else {}
    if not target.keys or world.facts.rows_written:
        return False
    if any(sizes.get(key, TINY + 1) > TINY for key in target.keys):
        return False
    called = [to_name(strings(call["funcname"])) for _key, call in walk(body, _CALLS)]
    return body.get("accessMethod", "btree") in _METHODS and all(
        is_stable(name.schema, name.name) for name in called
    )


_CALLS = frozenset({"FuncCall"})

_SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})
_CONSTANT_NODES = words(
    """
    SQLValueFunction A_Const TypeCast A_Expr A_ArrayExpr FuncCall MinMaxExpr CaseExpr CoalesceExpr BoolExpr NullTest
    BooleanTest CollateClause RowExpr
    """
)
_NOT_CONSTANT = frozenset({"FuncCall", "SubLink", "ColumnRef", "A_Indirection"})
_HEADER = 4
"""PostgreSQL counts it into the modifier of varchar."""


def judge_add_column(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    column = command["def"]["ColumnDef"]
    shown = f"{name}.{column['colname']}"
    if command.get("missing_ok"):
        states = {scope.world.state("column", *key, column["colname"]) for key in target.keys}
        known = scope.world.catalog is not None
        if known and ObjectState.ABSENT not in states:
            return
    constraints = {
        each["Constraint"]["contype"]: each["Constraint"] for each in column.get("constraints", ())
    }
    default = constraints.get("CONSTR_DEFAULT", {}).get("raw_expr")
    if _is_null(default):
        default = None
    yield from _judge_rewrite(column, constraints, default, shown, scope.world)
    if "CONSTR_NOTNULL" in constraints and default is None and not _fills(column, constraints):
        yield concern(
            "column-not-null", f"it adds {shown} NOT NULL without a default, which old rows lack"
        )
    if "CONSTR_UNIQUE" in constraints or "CONSTR_PRIMARY" in constraints:
        yield concern(
            "column-constraint",
            f"it adds {shown} and builds an index, which blocks writes meanwhile",
        )
    if "CONSTR_CHECK" in constraints or ("CONSTR_FOREIGN" in constraints and default is not None):
        yield concern(
            "column-constraint", f"it adds {shown} with a constraint and scans all rows for it"
        )


def _judge_rewrite(
    column: Node, constraints: t.Mapping[str, Node], default: Node | None, shown: str, world: World
) -> Iterator[Concern]:
    generated = constraints.get("CONSTR_GENERATED")
    serial = type_name(column["typeName"]).name in _SERIAL if "typeName" in column else False
    rewrites = (
        ("CONSTR_IDENTITY" in constraints, "numbers all rows"),
        (serial, "numbers all rows"),
        (generated is not None and generated.get("generated_kind") != "v", "computes all rows"),
        (default is not None and not is_constant(default, world), "computes all rows"),
        (_domain_rewrites(column, world, default=default), "checks all rows against a domain"),
    )
    for rewrite, why in rewrites:
        if rewrite:
            yield concern(
                "column-rewrite", f"it adds {shown} and {why} under a lock that stops everybody"
            )
            return


def _fills(column: Node, constraints: t.Mapping[str, Node]) -> bool:
    serial = "typeName" in column and type_name(column["typeName"]).name in _SERIAL
    return serial or "CONSTR_IDENTITY" in constraints or "CONSTR_GENERATED" in constraints


def _is_null(default: Node | None) -> bool:
    while default is not None and "TypeCast" in default:
        default = default["TypeCast"].get("arg")
    return default is not None and bool(default.get("A_Const", {}).get("isnull"))


def is_constant(expression: Node, world: World) -> bool:
    """Whether it has one value for all rows, so that PostgreSQL stores it once: no volatile function in it."""
    for key, body in walk(expression, _NOT_CONSTANT):
        if key != "FuncCall" or _is_volatile(to_name(strings(body["funcname"])), world):
            return False
    return bool(_CONSTANT_NODES & expression.keys())


def _is_volatile(name: Name, world: World) -> bool:
    """Or perhaps so. PostgreSQL goes by what the function was declared to be, and so does this."""
    known = [
        volatile
        for (schema, of), volatile in (world.catalog.volatile.items() if world.catalog else ())
        if of == name.name and name.schema in (None, schema)
    ]
    made = [
        routine
        for (schema, of), routines in world.routines.items()
        for routine in routines
        if of == name.name and (name.schema in (None, schema) or schema == UNPLACED)
    ]
    if any(known) or name.name in world.facts.volatile_names:
        return True
    if any(routine.volatile for routine in made):
        return True
    return not known and not made and not is_stable(name.schema, name.name)


def note_domain(name: Name, body: Node, scope: Scope) -> None:
    """Of a CreateDomainStmt."""
    place = scope.world.creation_place(name)
    if place is None or scope.world.is_held:
        return
    constraints = [each["Constraint"] for each in body.get("constraints", ())]
    rewrites = _domain_rewrites(body, scope.world, default=None) or any(
        not is_constant(each["raw_expr"], scope.world)
        if each["contype"] == "CONSTR_DEFAULT"
        else each["contype"] != "CONSTR_NULL"
        for each in constraints
    )
    scope.world.facts.domains[place, name.name] = Domain(rewrites=rewrites)


def _domain_rewrites(column: Node, world: World, *, default: Node | None) -> bool:
    """Whether rows are checked against its type's constraints, or get a default of the type's that is volatile."""
    if "typeName" not in column or column["typeName"].get("arrayBounds"):
        return False
    name = type_name(column["typeName"])
    target = world.find(name, "type")
    if world.catalog is None and target.state is not ObjectState.NEW and not is_type(name):
        return True  # it may be a domain: what the database has is unknown
    known = world.catalog.domains if world.catalog else {}
    for key in target.keys:
        domain = world.facts.domains.get(key) or known.get(key)
        if domain and (domain.rewrites or (default is None and _draws(domain, world))):
            return True
    return False


def _draws(domain: Domain, world: World) -> bool:
    """Whether its default is another one for each row."""
    if domain.default is None:
        return False
    try:
        [parsed] = parse(f"SELECT {domain.default}")
    except (UnparsableError, ValueError):
        return True
    targets = parsed.node.get("SelectStmt", {}).get("targetList", ())
    return len(targets) != 1 or not is_constant(targets[0]["ResTarget"].get("val", {}), world)


def judge_column_type(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    column = command.get("name", "")
    definition = command["def"]["ColumnDef"]
    catalog = scope.world.catalog
    before = [catalog.columns.get((*key, column)) for key in target.keys] if catalog else [None]
    states = {scope.world.state("column", *key, column) for key in target.keys}
    plain = "raw_default" not in definition and "collClause" not in definition
    if (
        plain
        and ObjectState.NEW not in states
        and all(each and _widens(each, definition) for each in before)
    ):
        if _is_scanned(column, target, scope.world):
            yield concern(
                "column-scanned",
                f"it changes the type of {name}.{column}, which a CHECK, a partial index or an index on an expression "
                "names, or which has a collation of its own: all rows are read while the table is blocked",
            )
        return
    yield concern(
        "column-type",
        f"it changes the type of {name}.{column}, which may rewrite it and break old code",
    )


def _is_scanned(column: str, target: NamedObjects, world: World) -> bool:
    known = world.catalog.scanned_columns if world.catalog else frozenset()
    return any((*key, column) in known or key in world.facts.scanned_tables for key in target.keys)


def _widens(before: Column, definition: Node) -> bool:
    """The same type, or varchar to a longer one or to text, which PostgreSQL does without looking at a row."""
    schema, wanted = type_name(definition["typeName"])
    if wanted == before.type and before.modifier < 0 and "typmods" not in definition["typeName"]:
        return schema is None and wanted in TYPES
    if schema is not None or before.type not in ("varchar", "text"):
        return False
    if wanted == "text":
        return True
    if wanted != "varchar":
        return False
    modifiers = definition["typeName"].get("typmods")
    if not modifiers:
        return True
    length = modifiers[0].get("A_Const", {}).get("ival", {}).get("ival")
    if before.type != "varchar" or before.modifier < 0 or length is None:
        return False
    return int(length) + _HEADER >= before.modifier
