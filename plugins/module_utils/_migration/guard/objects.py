# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what makes objects and triggers, and remember what was made."""

from __future__ import annotations

import typing as t

from .columns import is_numbered, note_domain
from .models import Concerns, Drop, Scope, concern
from .parser import (
    Name,
    Node,
    UnparsableError,
    dropped_types,
    items,
    options_of,
    relation_name,
    signature,
    strings,
    to_name,
    type_name,
    walk,
)
from .routines import Routine, Signature, read_routine
from .signatures import Columns, lost_for_callers, read_options, read_signature, view_columns
from .world import ObjectState, Trigger, World, is_history

_BEFORE = 2
_RETURN = frozenset({"PLpgSQL_stmt_return"})


def create_trigger(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["relation"])
    target = scope.world.find(table)
    scope.lock(table)
    name, function = body["trigname"], to_name(strings(body["funcname"]))
    if is_history(target):
        yield concern("history", f"it makes the trigger {name} on the history of migrations")
    for key in target.keys:
        settled = scope.settle("trigger", (*key, name))
        fresh = not body.get("replace") and not settled
        scope.world.create("trigger", *key, name, certain=scope.certain, fresh=fresh)
        scope.world.add_trigger(key, Trigger(name, body.get("events", 0), function))
    before = body.get("timing") == _BEFORE and body.get("row")
    if before and not target.new and _swallows(function, scope.world):
        what = f"its function {function}() may return NULL, which drops rows of {table}"
        yield concern("rows-swallowed", what)


def judge_replaced_function(routine: Routine, schema: str, scope: Scope) -> Concerns:
    """Of triggers that the database has."""
    catalog = scope.world.catalog
    place = (schema, routine.name.name)
    if place in catalog.swallowing or not returns_null(routine):
        return
    for (_schema, table, trigger), of in catalog.triggers.items():
        if of.before_row and of.function == place:
            what = f"the trigger {trigger} of {table} may return NULL by it, which drops rows"
            yield concern("rows-swallowed", what)


def _swallows(function: Name, world: World) -> bool:
    made = list(world.find_routines(function))
    if made:
        return any(returns_null(routine) for routine in made)
    return any(
        name == function.name and function.schema in (None, schema)
        for schema, name in world.catalog.swallowing
    )


def returns_null(routine: Routine) -> bool:
    """Whether a RETURN NULL stands in its body, wherever."""
    if routine.language != "plpgsql":
        return False
    try:
        body = routine.plpgsql
    except UnparsableError:
        return False
    return any(
        each.get("expr", {}).get("PLpgSQL_expr", {}).get("query", "").strip().lower() == "null"
        for _key, each in walk(body, _RETURN)
    )


_CONSTRAINTS = frozenset({"Constraint"})


def create_table(body: Node, scope: Scope) -> None:
    world, name = scope.world, relation_name(body["relation"])
    certain = scope.certain and body.get("oncommit") != "ONCOMMIT_DROP"
    before = world.find(name).state
    world.create_relation(name, "table", certain=certain)
    if before is not ObjectState.EXISTING:
        world.create_type(name, certain=certain)
        for each in body.get("tableElts", ()):
            column = each.get("ColumnDef", {})
            if is_numbered(column):
                sequence = Name(name.schema, f"{name.name}_{column['colname']}_seq")
                world.create_relation(sequence, "sequence", certain=scope.certain)
    for _key, each in walk(body.get("tableElts", []), _CONSTRAINTS):
        if "pktable" in each:
            scope.lock(relation_name(each["pktable"]))
    for each in body.get("inhRelations", ()):
        parent = relation_name(each["RangeVar"])
        reached = world.find(parent)
        if "partbound" in body:
            scope.lock(parent)
        if before is ObjectState.EXISTING:
            world.entangle(reached)


def create_foreign_table(body: Node, scope: Scope) -> None:
    name = relation_name(body["base"]["relation"])
    scope.world.create_relation(name, "foreign table", certain=scope.certain)


def create_sequence(body: Node, scope: Scope) -> None:
    name = relation_name(body["sequence"])
    scope.world.create_relation(name, "sequence", certain=scope.certain)


def create_view(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["view"])
    place = scope.world.creation_place(name)
    settled = scope.settle("view", (place, name.name)) if place is not None else []
    for drop in settled:
        yield from _compare_view(t.cast("Columns | None", drop.before), name, body, scope)
    if settled or body.get("replace"):
        yield from _compare_options((place or "", name.name), name, body, scope.world)
    fresh = not body.get("replace") and not settled
    scope.world.create_relation(name, "view", certain=scope.certain, fresh=fresh)


def _compare_view(before: Columns | None, name: Name, body: Node, scope: Scope) -> Concerns:
    if before is None:
        return
    again = f"it makes the view {name} again"
    after, whole = view_columns(body, scope.world)
    missing = ", ".join(sorted(before.keys() - after.keys()))
    if missing and not whole:
        what = f"{again}, and whether that has {missing} cannot be told"
        yield concern("replacement-unclear", what)
    elif missing:
        yield concern("replacement-differs", f"{again} without {missing}")
    for column, type_ in before.items():
        other = after.get(column)
        if other is not None and other != type_:
            what = f"{again} with {column} as {other} instead of {type_}"
            yield concern("replacement-differs", what)


def _compare_options(place: tuple[str, str], name: Name, body: Node, world: World) -> Concerns:
    """A view that is made again has those of the new statement alone, even with OR REPLACE."""
    known = world.catalog.view_options
    if world.state("relation", *place) is ObjectState.EXISTING and place in known:
        before, after = known[place], read_options(body)
        for option in sorted(before ^ after):
            word = "without" if option in before else "with"
            yield concern("replacement-differs", f"it makes the view {name} again {word} {option}")


def create_schema(body: Node, scope: Scope) -> Concerns:
    name = body.get("schemaname") or body.get("authrole", {}).get("rolename", "")
    scope.world.create("schema", name, certain=scope.certain)
    paths = tuple((name, *(path or ())) for path in scope.world.paths)
    with scope.world.searching(paths):
        for each in body.get("schemaElts", ()):
            yield from scope.judge(each, scope)


def create_extension(body: Node, scope: Scope) -> None:
    scope.world.create("extension", body["extname"], certain=scope.certain)
    scope.world.facts.unclear = True


def create_type(body: Node, scope: Scope) -> None:
    """An enum, a range, a composite type or a domain."""
    if "typevar" in body:
        name = relation_name(body["typevar"])
    else:
        name = to_name(strings(body.get("domainname") or body["typeName"]))
    scope.world.create_type(name, certain=scope.certain)
    if "domainname" in body:
        note_domain(name, body, scope)


def create_routine(body: Node, scope: Scope) -> Concerns:
    """Its body is judged when something calls it."""
    routine = read_routine(body, scope.sql)
    place = scope.world.creation_place(routine.name)
    if place is not None:
        signature_now = read_signature(body)
        settled = _settle_routine((place, routine.name.name), signature_now, scope)
        for drop in settled:
            before = t.cast("Signature | None", drop.before)
            for loss in lost_for_callers(before, signature_now) if before else ():
                what = f"it makes {routine.name}() again, which {loss}"
                yield concern("replacement-differs", what)
        scope.world.create(
            "function",
            place,
            routine.name.name,
            signature(routine.types),
            certain=scope.certain,
            fresh=not body.get("replace") and not settled,
        )
        yield from judge_replaced_function(routine, place, scope)
    scope.world.add_routine(routine, certain=scope.certain)


def _settle_routine(name: tuple[str, str], now: Signature, scope: Scope) -> list[Drop]:
    """With the same inputs, or with more of them that have defaults, where no other routine has the name."""
    settled = scope.settle("function", name, now.types)
    if settled:
        return settled
    functions = scope.world.catalog.functions.items()
    others = [of for (_schema, other), of in functions if other == name[1]]
    if sum(map(len, others)) != 1 or name[1] in scope.world.routine_names:
        return []
    for count in range(len(now.types) - now.optional, len(now.types)):
        settled += scope.settle("function", name, now.types[:count])
    return settled


def create_rule(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["relation"])
    if scope.world.find(table).new:
        yield concern("statement", f"it makes a rule that replaces actions on {table}")
    else:
        yield concern("rule-created", f"it replaces actions on the existing {table}")


_DEFINED: t.Final = {
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_OPERATOR": "operator",
    "OBJECT_COLLATION": "collation",
}


def define(body: Node, scope: Scope) -> None:
    """Aggregates, operators, collations, base types and the parts of text search."""
    kind = _DEFINED.get(body["kind"])
    name = to_name(strings(body["defnames"]))
    place = scope.world.creation_place(name)
    if kind and place is not None:
        types = None
        if kind == "aggregate" and body.get("args"):
            types = dropped_types({"objfuncargs": items(body["args"][0])})
        if kind == "operator":
            given = options_of(body, "definition")
            sides = [given[side]["TypeName"] for side in ("leftarg", "rightarg") if side in given]
            types = tuple(map(type_name, sides))
        scope.settle(kind, (place, name.name), types)
    if body["kind"] == "OBJECT_TYPE":
        scope.world.create_type(name, certain=scope.certain)


def create_cast(body: Node, scope: Scope) -> None:
    types = (type_name(body["sourcetype"]), type_name(body["targettype"]))
    scope.settle("cast", ("cast",), types)


def create_statistics(body: Node, scope: Scope) -> None:
    name = to_name(strings(body.get("defnames", ())))
    place = scope.world.creation_place(name)
    if place is not None:
        scope.settle("statistics", (place, name.name))
