# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge new columns and indexes of existing tables, and new types of existing columns."""

from __future__ import annotations

import typing as t

from .catalog import Column, Domain
from .models import Alter, Concerns, Scope, concern, judge_filled
from .parser import (
    Name,
    Node,
    parse_expression,
    relation_name,
    strings,
    to_name,
    type_name,
    walk,
    words,
)
from .routines import TYPES, is_stable, is_type
from .world import NamedObjects, ObjectState, World

TINY: t.Final = 1024 * 1024
"""Bytes. Measured with PostgreSQL 18, each of the methods below took at most 45 ms for a table of this size."""
_METHODS = frozenset({"btree", "hash", "gin", "gist", "spgist", "brin"})


def create_index(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["relation"])
    target = scope.world.find(table)
    index = body.get("idxname")
    places = {key[0] for key in target.keys}
    if body.get("if_not_exists") and index and scope.world.known:
        states = {scope.world.state("relation", place, index) for place in places}
        if states == {ObjectState.EXISTING}:
            return
    if not target.new and not body.get("concurrent") and not _is_quick(body, target, scope.world):
        what = f"it builds an index on {table} and blocks writes to it meanwhile"
        yield concern("index-blocks", what)
    elif not target.new and body.get("unique"):
        what = f"it fails if rows of {table} repeat, and refuses new repeats"
        yield concern("unique-index", what)
    yield from judge_filled(table, scope)
    if not body.get("concurrent"):
        scope.lock(table)
    if "whereClause" in body or any("expr" in each["IndexElem"] for each in body["indexParams"]):
        scope.world.scanned_tables |= target.keys
    if index and len(places) == 1:
        named = tuple(each["IndexElem"].get("name", "") for each in body["indexParams"])
        scope.world.index_columns[min(places), index] = named
        scope.world.create_relation(Name(places.pop(), index), "index", certain=scope.certain)


def _is_quick(body: Node, target: NamedObjects, world: World) -> bool:
    """Whether the table is known to be tiny, and nothing before this may have filled it."""
    if not is_quick_to_read(target.keys, world):
        return False
    called = [to_name(strings(call["funcname"])) for _key, call in walk(body, _CALLS)]
    return body.get("accessMethod", "btree") in _METHODS and all(
        is_stable(name.schema, name.name) for name in called
    )


def is_quick_to_read(tables: t.Collection[tuple[str, str]], world: World) -> bool:
    sizes = world.catalog.sizes
    return not world.rows_written and all(sizes.get(key, TINY + 1) <= TINY for key in tables)


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


def judge_add_column(alter: Alter) -> Concerns:
    column, world = alter.command["def"]["ColumnDef"], alter.scope.world
    states = alter.states("column", column["colname"])
    if alter.command.get("missing_ok") and world.known and ObjectState.ABSENT not in states:
        return
    adds = f"it adds {alter.name}.{column['colname']}"
    constraints = constraints_of(column)
    default = constraints.get("CONSTR_DEFAULT", {}).get("raw_expr")
    if _is_null(default):
        default = None
    for why in _rewrites(column, constraints, default, world):
        what = f"{adds} and {why} under a lock that stops everybody"
        yield concern("column-rewrite", what)
        break
    if "CONSTR_NOTNULL" in constraints and alter.scope.certain:
        world.not_null.update({(*key, column["colname"]): True for key in alter.target.keys})
    fills = is_numbered(column) or "CONSTR_GENERATED" in constraints
    if "CONSTR_NOTNULL" in constraints and default is None and not fills:
        what = f"{adds} NOT NULL without a default, which old rows lack"
        yield concern("column-not-null", what)
    if "CONSTR_UNIQUE" in constraints or "CONSTR_PRIMARY" in constraints:
        what = f"{adds} and builds an index, which blocks writes meanwhile"
        yield concern("column-constraint", what)
    if "CONSTR_CHECK" in constraints or (
        "CONSTR_FOREIGN" in constraints and "CONSTR_DEFAULT" in constraints
    ):
        what = f"{adds} with a constraint and scans all rows for it"
        yield concern("column-constraint", what)


def constraints_of(column: Node) -> dict[str, Node]:
    return {
        each["Constraint"]["contype"]: each["Constraint"] for each in column.get("constraints", ())
    }


def is_numbered(column: Node) -> bool:
    """Whether a sequence fills it."""
    serial = "typeName" in column and type_name(column["typeName"]).name in _SERIAL
    return serial or "CONSTR_IDENTITY" in constraints_of(column)


def _rewrites(
    column: Node, constraints: t.Mapping[str, Node], default: Node | None, world: World
) -> t.Iterator[str]:
    """Clauses on why all rows are written, or read."""
    if is_numbered(column):
        yield "numbers all rows"
    generated = constraints.get("CONSTR_GENERATED", {"generated_kind": "v"})
    computed = default is not None and not is_constant(default, world)
    if computed or generated.get("generated_kind") != "v":
        yield "computes all rows"
    if _domain_rewrites(column, world, default=default):
        yield "checks all rows against a domain"


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
    declared = [
        volatile
        for (schema, of), volatile in world.catalog.volatile.items()
        if of == name.name and name.schema in (None, schema)
    ]
    declared += [routine.volatile for routine in world.find_routines(name)]
    if name.name in world.volatile_names or any(declared):
        return True
    return not declared and not is_stable(name.schema, name.name)


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
    scope.world.domains[place, name.name] = Domain(rewrites=rewrites)


def _domain_rewrites(column: Node, world: World, *, default: Node | None) -> bool:
    """Whether rows are checked against its type's constraints, or get a default of the type's that is volatile."""
    if "typeName" not in column or column["typeName"].get("arrayBounds"):
        return False
    name = type_name(column["typeName"])
    target = world.find(name, "type")
    if not world.known and target.state is not ObjectState.NEW and not is_type(name):
        return True  # it may be a domain: what the database has is unknown
    domains = (world.domain(key) for key in target.keys)
    return any(
        domain and (domain.rewrites or (default is None and _draws(domain, world)))
        for domain in domains
    )


def _draws(domain: Domain, world: World) -> bool:
    """Whether its default is another one for each row."""
    if domain.default is None:
        return False
    value = parse_expression(domain.default)
    return value is None or not is_constant(value, world)


def judge_column_type(alter: Alter) -> Concerns:
    definition, world = alter.command["def"]["ColumnDef"], alter.scope.world
    changes = f"it changes the type of {alter.name}.{alter.part}, which"
    before = [world.catalog.columns.get((*key, alter.part)) for key in alter.target.keys]
    plain = "raw_default" not in definition and "collClause" not in definition
    free = (
        plain
        and ObjectState.NEW not in alter.states("column")
        and all(each and _widens(each, definition) for each in before)
    )
    if not free:
        yield concern("column-type", f"{changes} may rewrite it and break old code")
    elif any(
        (*key, alter.part) in world.catalog.scanned_columns or key in world.scanned_tables
        for key in alter.target.keys
    ):
        what = (
            f"{changes} a CHECK, a partial index or an index on an expression names, or which has a collation of its "
            "own: all rows are read while the table is blocked"
        )
        yield concern("column-scanned", what)


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
