# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge DROP: of what holds data or is relied upon, and of what the same file makes again."""

from __future__ import annotations

import typing as t

from .models import Drop, concern
from .parser import Name, dropped_types, items, same_types, signature, strings, to_name, type_name
from .world import ObjectState

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern, Scope
    from .parser import Node, Types
    from .routines import Signature
    from .signatures import Columns
    from .world import World

_HELD = {
    "OBJECT_TABLE": ("drop-table", "and the rows in it"),
    "OBJECT_FOREIGN_TABLE": ("drop-table", "which code may read"),
    "OBJECT_INDEX": ("drop-index", "which queries may need to be fast"),
    "OBJECT_SEQUENCE": ("drop-sequence", "and its position"),
    "OBJECT_MATVIEW": ("drop-materialized-view", "and its rows"),
    "OBJECT_TYPE": ("drop-type", "which code may use"),
    "OBJECT_DOMAIN": ("drop-type", "which code may use"),
}
_OF_TABLE = {"OBJECT_POLICY": "policy", "OBJECT_TRIGGER": "trigger", "OBJECT_RULE": "rule"}
_ROUTINES = {
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


class _How(t.NamedTuple):
    cascade: bool
    if_exists: bool


def judge_drop(body: Node, scope: Scope) -> Iterator[Concern]:
    kind = body["removeType"]
    how = _How(body.get("behavior") == "DROP_CASCADE", bool(body.get("missing_ok")))
    for node in body["objects"]:
        if kind in _HELD:
            yield from _judge_held(kind, _object_name(node), scope, how)
        elif kind == "OBJECT_VIEW":
            yield from _judge_view(_object_name(node), scope, how)
        elif kind in _OF_TABLE:
            yield from _judge_of_table(_OF_TABLE[kind], items(node), scope, how)
        elif kind in _ROUTINES:
            yield from _judge_routine(_ROUTINES[kind], node, scope, how)
        elif kind in ("OBJECT_SCHEMA", "OBJECT_EXTENSION"):
            yield from _judge_named(kind, strings([node])[0], scope, how)
        elif kind in _WITHOUT_DATA:
            yield from _judge_without_data(_WITHOUT_DATA[kind], node, scope, how)
        else:
            word = kind.removeprefix("OBJECT_").replace("_", " ").lower()
            yield concern("drop-object", f"it drops a {word}, which something may use")


def _judge_held(kind: str, name: Name, scope: Scope, how: _How) -> Iterator[Concern]:
    what = "type" if kind in ("OBJECT_TYPE", "OBJECT_DOMAIN") else "relation"
    target = scope.world.find(name, what)
    if not target.new and not (how.if_exists and target.state is ObjectState.ABSENT):
        rule, loss = _HELD[kind]
        also = ", and its dependents" if how.cascade else ""
        yield concern(rule, f"it drops the {_word(kind)} {name} {loss}{also}")
    for key in target.keys if len(target.keys) == 1 else ():
        scope.world.drop(what, *key, certain=scope.certain)


def _judge_view(name: Name, scope: Scope, how: _How) -> Iterator[Concern]:
    target = scope.world.find(name)
    if target.new:
        for key in target.keys if len(target.keys) == 1 else ():
            scope.world.drop("relation", *key, certain=scope.certain)
        return
    if how.if_exists and target.state is ObjectState.ABSENT:
        return
    if how.cascade:
        yield concern("drop-cascade", f"it drops the view {name} and its dependents")
        return
    known = scope.world.catalog.columns if scope.world.catalog else {}
    _await(
        scope,
        "view",
        frozenset(target.keys),
        None,
        concern("drop-not-recreated", f"it drops the view {name} and does not recreate it"),
        {column: of.type for (*place, column), of in known.items() if tuple(place) in target.keys}
        or None,
    )


def _judge_of_table(kind: str, parts: list[Node], scope: Scope, how: _How) -> Iterator[Concern]:
    *table_parts, name = strings(parts)
    table = to_name(table_parts)
    scope.lock(table)
    target = scope.world.find(table)
    states = {scope.world.state(kind, *key, name) for key in target.keys}
    is_new = target.new or states == {ObjectState.NEW}
    if not is_new and not (
        how.if_exists and (target.state is ObjectState.ABSENT or states == {ObjectState.ABSENT})
    ):
        _await(
            scope,
            kind,
            frozenset((*key, name) for key in target.keys),
            None,
            concern(
                "drop-not-recreated",
                f"it drops the {kind} {name!r} of {table} and does not recreate it",
            ),
        )
    if len(target.keys) == 1:
        (key,) = target.keys
        if kind == "trigger" and scope.certain:
            scope.world.forget_trigger(key, name)
        if is_new:
            scope.world.drop(kind, *key, name, certain=scope.certain)
    yield from ()


def _judge_routine(kind: str, node: Node, scope: Scope, how: _How) -> Iterator[Concern]:
    body = node["ObjectWithArgs"]
    name, types = to_name(strings(body["objname"])), dropped_types(body)
    if kind == "function":
        state, types = state_of_routine(scope.world, name, types)
        if state is ObjectState.NEW or (how.if_exists and state is ObjectState.ABSENT):
            return
    shown = f"{name}({signature(types)})" if types is not None else str(name)
    if how.cascade:
        yield concern("drop-cascade", f"it drops the {kind} {shown} and its dependents")
        return
    lost = concern("drop-not-recreated", f"it drops the {kind} {shown} and does not recreate it")
    if types is None:
        # Which of several it was cannot be told, nor whether what is made again is that one.
        yield lost
        return
    places_of = places(scope.world, name)
    known = scope.world.catalog.functions if scope.world.catalog and kind == "function" else {}
    before = [
        each
        for place in places_of
        for each in known.get((place[0], place[1]), ())
        if same_types(each.types, types)
    ]
    _await(scope, kind, places_of, types, lost, before[0] if before else None)


def _judge_without_data(kind: str, node: Node, scope: Scope, how: _How) -> Iterator[Concern]:
    lost = concern("drop-not-recreated", f"it drops a {kind} and does not recreate it")
    if how.cascade:
        yield concern("drop-cascade", f"it drops a {kind} and its dependents")
        return
    if kind == "cast":
        source, target = (type_name(each["TypeName"]) for each in items(node))
        names, types = frozenset({("cast",)}), (source, target)
        _await(scope, kind, names, types, lost)
    elif "ObjectWithArgs" in node:
        body = node["ObjectWithArgs"]
        name = to_name(strings(body["objname"]))
        _await(scope, kind, places(scope.world, name), dropped_types(body), lost)
    else:
        _await(scope, kind, places(scope.world, _object_name(node)), None, lost)


def _judge_named(kind: str, name: str, scope: Scope, how: _How) -> Iterator[Concern]:
    word = _word(kind)
    state = scope.world.state(word, name)
    if state is not ObjectState.NEW and not (how.if_exists and state is ObjectState.ABSENT):
        yield concern(f"drop-{word}", f"it drops the {word} {name} and its contents")
    scope.world.drop(word, name, certain=scope.certain)


def state_of_routine(
    world: World, name: Name, types: Types | None
) -> tuple[ObjectState, Types | None]:
    """`types` too, where the name alone says which routine it is."""
    places_of = places(world, name)
    if types is None:
        known = world.catalog.functions if world.catalog else {}
        there = [each.types for place in places_of for each in known.get((place[0], place[1]), ())]
        made = [
            routine.types
            for place in places_of
            for routine in world.routines.get((place[0], place[1]), ())
        ]
        if world.catalog is None or len(there) + len(made) > 1:
            return ObjectState.EXISTING, None
        if not there and not made:
            return ObjectState.ABSENT, None
        types = (there + made)[0]
    states = {world.state("function", *place, signature(types)) for place in places_of}
    worst = next(
        each
        for each in (ObjectState.EXISTING, ObjectState.NEW, ObjectState.ABSENT)
        if each in states
    )
    return worst, types


def places(world: World, name: Name) -> frozenset[tuple[str, ...]]:
    """Where a routine of this name may be: in its schema, or in the first one of each search path that has it."""
    if name.schema is not None:
        return frozenset({(name.schema, name.name)})
    result: set[tuple[str, ...]] = set()
    for path in world.paths:
        candidates = path if path is not None else ("?",)
        if world.catalog is None:
            # Any schema may have it, so it is the first one's that goes.
            result.add((candidates[0] if candidates else "?", name.name))
            continue
        holding = [
            schema
            for schema in candidates
            if (schema, name.name) in world.catalog.functions
            or (schema, name.name) in world.routines
        ]
        result.add(((holding or [*candidates, "?"])[0], name.name))
    return frozenset(result)


def _await(
    scope: Scope,
    kind: str,
    names: frozenset[tuple[str, ...]],
    types: Types | None,
    lost: Concern,
    before: Signature | Columns | None = None,
) -> None:
    scope.world.facts.dropped = True
    scope.unit.drops.append(Drop(scope.statement, kind, names, types, scope.place, lost, before))


def _object_name(node: Node) -> Name:
    if "TypeName" in node:
        return type_name(node["TypeName"])
    return to_name(strings(items(node)))


def _word(kind: str) -> str:
    words = {"OBJECT_MATVIEW": "materialized view"}
    return words.get(kind, kind.removeprefix("OBJECT_").replace("_", " ").lower())
