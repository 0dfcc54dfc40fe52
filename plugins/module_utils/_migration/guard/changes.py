# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge DROP, of what the same file makes again too, and what alters, renames and moves other objects."""

from __future__ import annotations

from dataclasses import replace

from .catalog import Domain
from .models import Concerns, Scope, concern
from .parser import (
    Name,
    Node,
    Types,
    dropped_types,
    items,
    options_of,
    relation_name,
    same_types,
    signature,
    strings,
    to_name,
    type_name,
)
from .world import UNPLACED, ObjectState, World, worst_state

_HELD = {
    "OBJECT_TABLE": ("drop-table", "and the rows in it"),
    "OBJECT_FOREIGN_TABLE": ("drop-table", "which code may read"),
    "OBJECT_INDEX": ("drop-index", "which queries may need to be fast"),
    "OBJECT_SEQUENCE": ("drop-sequence", "and its position"),
    "OBJECT_MATVIEW": ("drop-materialized-view", "and its rows"),
    "OBJECT_TYPE": ("drop-type", "which code may use"),
    "OBJECT_DOMAIN": ("drop-type", "which code may use"),
}
_RELATIONS = {*_HELD, "OBJECT_VIEW"} - {"OBJECT_TYPE", "OBJECT_DOMAIN"}
_OF_TABLE = {"OBJECT_POLICY": "policy", "OBJECT_TRIGGER": "trigger", "OBJECT_RULE": "rule"}
ROUTINES = {
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "function",
    "OBJECT_ROUTINE": "function",
    "OBJECT_AGGREGATE": "aggregate",
}
_WITHOUT_DATA = {
    "OBJECT_OPERATOR": "operator",
    "OBJECT_CAST": "cast",
    "OBJECT_COLLATION": "collation",
    "OBJECT_STATISTIC_EXT": "statistics",
}


def judge_drop(body: Node, scope: Scope) -> Concerns:
    kind = body["removeType"]
    for node in body["objects"]:
        if kind in _RELATIONS:
            scope.lock(_object_name(node))
        if kind in _HELD:
            yield from _judge_held(kind, _object_name(node), body, scope)
        elif kind == "OBJECT_VIEW":
            yield from _judge_view(_object_name(node), body, scope)
        elif kind in _OF_TABLE:
            _judge_of_table(_OF_TABLE[kind], items(node), body, scope)
        elif kind in ROUTINES:
            yield from _judge_routine(ROUTINES[kind], node, body, scope)
        elif kind in ("OBJECT_SCHEMA", "OBJECT_EXTENSION"):
            yield from _judge_named(object_word(kind), strings([node])[0], body, scope)
        elif kind in _WITHOUT_DATA:
            yield from _judge_without_data(_WITHOUT_DATA[kind], node, body, scope)
        else:
            yield concern("drop-object", f"it drops a {object_word(kind)}, which something may use")


def object_word(kind: str) -> str:
    """Of one of the parser's OBJECT_..."""
    return kind.removeprefix("OBJECT_").replace("_", " ").lower()


def _cascades(body: Node) -> bool:
    return body.get("behavior") == "DROP_CASCADE"


def _judge_held(kind: str, name: Name, body: Node, scope: Scope) -> Concerns:
    what = "type" if kind in ("OBJECT_TYPE", "OBJECT_DOMAIN") else "relation"
    target = scope.world.find(name, what)
    if not target.new and not target.may_be_absent(body):
        rule, loss = _HELD[kind]
        also = ", and its dependents" if _cascades(body) else ""
        word = "materialized view" if kind == "OBJECT_MATVIEW" else object_word(kind)
        yield concern(rule, f"it drops the {word} {name} {loss}{also}")
    for key in target.sole:
        scope.world.drop(what, *key, certain=scope.certain)


def _judge_view(name: Name, body: Node, scope: Scope) -> Concerns:
    target = scope.world.find(name)
    if target.new:
        for key in target.sole:
            scope.world.drop("relation", *key, certain=scope.certain)
    elif target.may_be_absent(body):
        return
    elif _cascades(body):
        yield concern("drop-cascade", f"it drops the view {name} and its dependents")
        for key in target.sole:
            scope.world.drop("relation", *key, certain=scope.certain)
    else:
        lost = concern("drop-not-recreated", f"it drops the view {name} and does not recreate it")
        known = scope.world.catalog.columns.items()
        columns = {part: of.type for (*place, part), of in known if tuple(place) in target.keys}
        names = frozenset[tuple[str, ...]](target.keys)
        scope.await_replacement("view", names, lost, before=columns or None)


def _judge_of_table(kind: str, parts: list[Node], body: Node, scope: Scope) -> None:
    *table_parts, name = strings(parts)
    table = to_name(table_parts)
    scope.lock(table)
    target = scope.world.find(table)
    states = {scope.world.state(kind, *key, name) for key in target.keys}
    is_new = target.new or states == {ObjectState.NEW}
    absent = target.state is ObjectState.ABSENT or states == {ObjectState.ABSENT}
    if not is_new and not (body.get("missing_ok") and absent):
        what = f"it drops the {kind} {name!r} of {table} and does not recreate it"
        names = frozenset((*key, name) for key in target.keys)
        scope.await_replacement(kind, names, concern("drop-not-recreated", what))
    for key in target.sole:
        if kind == "trigger" and scope.certain:
            scope.world.forget_trigger(key, name)
        if is_new:
            scope.world.drop(kind, *key, name, certain=scope.certain)


def _judge_routine(kind: str, node: Node, body: Node, scope: Scope) -> Concerns:
    routine = node["ObjectWithArgs"]
    name, types = to_name(strings(routine["objname"])), dropped_types(routine)
    if kind == "function":
        state, types = state_of_routine(scope.world, name, types)
        if state is ObjectState.NEW or (body.get("missing_ok") and state is ObjectState.ABSENT):
            return
    shown = f"{name}({signature(types)})" if types is not None else str(name)
    lost = concern("drop-not-recreated", f"it drops the {kind} {shown} and does not recreate it")
    if _cascades(body):
        yield concern("drop-cascade", f"it drops the {kind} {shown} and its dependents")
    elif types is None:
        # Which of several it was cannot be told, nor whether what is made again is that one.
        yield lost
    else:
        names = places(scope.world, name)
        known = scope.world.catalog.functions if kind == "function" else {}
        before = (
            each
            for schema, of in names
            for each in known.get((schema, of), ())
            if same_types(each.types, types)
        )
        scope.await_replacement(kind, names, lost, types, next(before, None))


def _judge_without_data(kind: str, node: Node, body: Node, scope: Scope) -> Concerns:
    if _cascades(body):
        yield concern("drop-cascade", f"it drops a {kind} and its dependents")
        return
    lost = concern("drop-not-recreated", f"it drops a {kind} and does not recreate it")
    names, types = frozenset[tuple[str, ...]]({("cast",)}), None
    if kind == "cast":
        types = tuple(type_name(each["TypeName"]) for each in items(node))
    elif "ObjectWithArgs" in node:
        named = node["ObjectWithArgs"]
        names, types = places(scope.world, to_name(strings(named["objname"]))), dropped_types(named)
    else:
        names = places(scope.world, _object_name(node))
    scope.await_replacement(kind, names, lost, types)


def _judge_named(word: str, name: str, body: Node, scope: Scope) -> Concerns:
    state = scope.world.state(word, name)
    if state is not ObjectState.NEW and not (
        body.get("missing_ok") and state is ObjectState.ABSENT
    ):
        yield concern(f"drop-{word}", f"it drops the {word} {name} and its contents")
    scope.world.drop(word, name, certain=scope.certain)


def state_of_routine(
    world: World, name: Name, types: Types | None
) -> tuple[ObjectState, Types | None]:
    """`types` too, where the name alone says which routine it is."""
    places_of = places(world, name)
    if types is None:
        known = world.catalog.functions
        there = [each.types for schema, of in places_of for each in known.get((schema, of), ())]
        there += [
            routine.types
            for schema, of in places_of
            for routine in world.routines.get((schema, of), ())
        ]
        if not world.known or len({*map(signature, there)}) > 1:
            return ObjectState.EXISTING, None
        if not there:
            return ObjectState.ABSENT, None
        types = there[0]
    states = (world.state("function", *place, signature(types)) for place in places_of)
    return worst_state(states), types


def places(world: World, name: Name) -> frozenset[tuple[str, ...]]:
    """Where a routine of this name may be: in its schema, or in the first one of each search path that has it."""
    if name.schema is not None:
        return frozenset({(name.schema, name.name)})
    result: set[tuple[str, ...]] = set()
    for path in world.paths:
        candidates = (UNPLACED,) if path is None else path
        having = {*world.catalog.functions, *world.routines}
        # Without a database any schema may have it, so it is the first one's that goes.
        holding = [each for each in candidates if world.known and (each, name.name) in having]
        result.add(((*holding, *candidates, UNPLACED)[0], name.name))
    return frozenset(result)


def _object_name(node: Node) -> Name:
    if "TypeName" in node:
        return type_name(node["TypeName"])
    return to_name(strings(items(node)))


def alter_function(body: Node, scope: Scope) -> None:
    """Like replacing it: only where its body looks for names matters here."""
    name = to_name(strings(body["func"]["objname"]))
    for each in body.get("actions", ()):
        setting = each["DefElem"].get("arg", {}).get("VariableSetStmt", {})
        if setting.get("name", "").lower() == "search_path":
            scope.world.set_path_of(name, setting)
        if each["DefElem"]["defname"] == "volatility" and not scope.world.is_held:
            scope.world.volatile_names.add(name.name)


def alter_enum(body: Node, scope: Scope) -> Concerns:
    name = to_name(strings(body["typeName"]))
    if "oldVal" in body and not scope.world.find(name, "type").new:
        yield concern("type-changed", f"it renames a value of the type {name}")


def alter_domain(body: Node, scope: Scope) -> Concerns:
    name = to_name(strings(body["typeName"]))
    target = scope.world.find(name, "type")
    if not scope.world.is_held:
        scope.world.domains.update(dict.fromkeys(target.keys, Domain(rewrites=True)))
    if target.new and not target.keys & scope.world.types_in_use:
        return
    subtype = body.get("subtype")
    constraint = body.get("def", {}).get("Constraint", {})
    validates_later = subtype in ("C", "AD_AddConstraint") and constraint.get("skip_validation")
    if validates_later:
        yield concern("rows-refused", f"it refuses new values of the domain {name}")
    elif subtype not in ("V", "AD_ValidateConstraint", "N", "AD_DropNotNull"):
        yield concern("type-changed", f"it changes the domain {name} for all its columns")


def alter_sequence(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["sequence"])
    target = scope.world.find(name)
    changes = options_of(body).keys() - {"owned_by", "cache"}
    if changes and not target.new and not target.may_be_absent(body):
        yield concern("sequence-changed", f"it changes the existing sequence {name}")


def rename(body: Node, scope: Scope) -> Concerns:
    kind, new_name = body["renameType"], body["newname"]
    word = object_word(kind)
    if "relation" in body:
        yield from _rename_at_relation(word, body, scope)
    elif kind in ("OBJECT_TYPE", "OBJECT_DOMAIN"):
        name = to_name(strings(items(body["object"])))
        target = scope.world.find(name, "type")
        if not target.new:
            yield concern("rename", f"it renames the {word} {name}, which code may use")
        for key in target.keys:
            _move_type(key, (key[0], new_name), scope)
    elif kind in ("OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"):
        name = to_name(strings(body["object"]["ObjectWithArgs"]["objname"]))
        # A body that goes by another name would not be found when it is called.
        yield concern("rename", f"it renames the {word} {name}, which code may call")
    elif kind == "OBJECT_SCHEMA":
        schema = Name(None, body["subname"])
        if scope.world.state("schema", schema.name) is not ObjectState.NEW:
            yield concern("rename", f"it renames the schema {schema}, which code may use")
        else:
            # What is in it would have to be moved one by one.
            yield concern("statement", f"it renames the schema {schema} with its contents")
    else:
        yield concern("rename", f"it renames a {word}, which something may use")


def _rename_at_relation(word: str, body: Node, scope: Scope) -> Concerns:
    name, new_name, part = relation_name(body["relation"]), body["newname"], body.get("subname", "")
    world, target = scope.world, scope.world.find(name)
    if target.may_be_absent(body):
        return
    for key in target.sole:
        kind = word.removeprefix("tab")
        if kind not in ("column", "constraint", "policy", "trigger"):
            to = (key[0], new_name)
            scope.lock(Name(*to))
            if not target.new:
                yield concern("rename", f"it renames the {word} {name}, which code may use")
            _move_relation(key, to, scope)
            continue
        old = not target.new and world.state(kind, *key, part) is not ObjectState.NEW
        if old and kind in ("column", "constraint"):
            yield concern("rename", f"it renames {part or None} of {name}, which code may use")
        world.move(kind, (*key, part), (*key, new_name), certain=scope.certain)
        for trigger in list(world.triggers.get(key, ())) if word == "trigger" else ():
            if trigger.name == part:
                world.add_trigger(key, replace(trigger, name=new_name))
    if not target.sole:
        yield concern("rename", f"it renames {name}, which may be one of several")


def _move_relation(key: tuple[str, str], to: tuple[str, str], scope: Scope) -> None:
    scope.world.move("relation", key, to, certain=scope.certain)
    for trigger in scope.world.triggers.get(key, ()):
        scope.world.add_trigger(to, trigger)


def set_schema(body: Node, scope: Scope) -> Concerns:
    word = object_word(body["objectType"])
    if "relation" in body:
        name = relation_name(body["relation"])
        target = scope.world.find(name)
        if target.may_be_absent(body):
            return
        for key in target.sole:
            _move_relation(key, (body["newschema"], name.name), scope)
        if not target.new or not target.sole:
            yield concern("set-schema", f"it moves the {word} {name}, which code may use")
    else:
        if word in ("type", "domain"):
            for key in scope.world.find(to_name(strings(items(body["object"]))), "type").keys:
                _move_type(key, (body["newschema"], key[1]), scope)
        yield concern("set-schema", f"it moves a {word}, which code may use")


def _move_type(key: tuple[str, str], to: tuple[str, str], scope: Scope) -> None:
    world = scope.world
    world.move("type", key, to, certain=scope.certain)
    domain = world.domain(key)
    if domain and not world.is_held:
        world.domains[to] = domain


def create_role(body: Node, scope: Scope) -> None:
    scope.world.create("role", body["role"], certain=scope.certain, fresh=False)


def judge_reindex(body: Node, scope: Scope) -> Concerns:
    options = options_of(body, "params")
    relation = body.get("relation")
    new = relation is not None and scope.world.find(relation_name(relation)).new
    if "concurrently" not in options and not new:
        yield concern("reindex-blocks", "it rebuilds indexes and blocks writes meanwhile")


def judge_transaction(body: Node, scope: Scope) -> Concerns:
    kind = body["kind"].removeprefix("TRANS_STMT_")
    if kind not in ("BEGIN", "START", "COMMIT", "SAVEPOINT", "RELEASE"):
        scope.world.doubt()
        yield concern("rollback", f"it has {kind.replace('_', ' ')} in a migration")
