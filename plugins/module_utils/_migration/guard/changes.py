# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what alters, renames, moves and gives away objects other than tables, and what changes the server."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .catalog import Domain
from .drops import state_of_routine
from .models import concern
from .parser import Name, dropped_types, items, option_names, relation_name, strings, to_name
from .world import ObjectState

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .models import Concern, Scope
    from .parser import Node


def alter_function(body: Node, scope: Scope) -> Iterator[Concern]:
    """Like replacing it: only where its body looks for names matters here."""
    name = to_name(strings(body["func"]["objname"]))
    for each in body.get("actions", ()):
        setting = each["DefElem"].get("arg", {}).get("VariableSetStmt", {})
        if setting.get("name", "").lower() == "search_path":
            scope.world.set_path_of(name, setting)
        if each["DefElem"]["defname"] == "volatility" and not scope.world.is_held:
            scope.world.facts.volatile_names.add(name.name)
    yield from ()


def alter_enum(body: Node, scope: Scope) -> Iterator[Concern]:
    name = to_name(strings(body["typeName"]))
    if "oldVal" in body and not scope.world.find(name, "type").new:
        yield concern("type-changed", f"it renames a value of the type {name}")


def alter_domain(body: Node, scope: Scope) -> Iterator[Concern]:
    name = to_name(strings(body["typeName"]))
    target = scope.world.find(name, "type")
    if not scope.world.is_held:
        scope.world.facts.domains.update(dict.fromkeys(target.keys, Domain(rewrites=True)))
    if target.new:
        return
    subtype = body.get("subtype")
    constraint = body.get("def", {}).get("Constraint", {})
    validates_later = subtype in ("C", "AD_AddConstraint") and constraint.get("skip_validation")
    if validates_later:
        yield concern("rows-refused", f"it refuses new values of the domain {name}")
    elif subtype not in ("V", "AD_ValidateConstraint", "N", "AD_DropNotNull"):
        yield concern("type-changed", f"it changes the domain {name} for all its columns")


def alter_sequence(body: Node, scope: Scope) -> Iterator[Concern]:
    name = relation_name(body["sequence"])
    target = scope.world.find(name)
    options = option_names(body)
    if target.new or (body.get("missing_ok") and target.state is ObjectState.ABSENT):
        return
    if options - {"owned_by", "cache"}:
        yield concern("sequence-changed", f"it changes the existing sequence {name}")


def rename(body: Node, scope: Scope) -> Iterator[Concern]:
    kind, new_name = body["renameType"], body["newname"]
    word = kind.removeprefix("OBJECT_").replace("_", " ").lower()
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
        function = body["object"]["ObjectWithArgs"]
        name = to_name(strings(function["objname"]))
        # A body that goes by another name would not be found when it is called.
        yield concern("rename", f"it renames the {word} {name}, which code may call")
    elif kind == "OBJECT_SCHEMA":
        name = Name(None, body["subname"])
        if scope.world.state("schema", name.name) is not ObjectState.NEW:
            yield concern("rename", f"it renames the schema {name}, which code may use")
        else:
            # What is in it would have to be moved one by one.
            yield concern("statement", f"it renames the schema {name} with its contents")
    else:
        yield concern("rename", f"it renames a {word}, which something may use")


def _rename_at_relation(word: str, body: Node, scope: Scope) -> Iterator[Concern]:
    name, new_name = relation_name(body["relation"]), body["newname"]
    target = scope.world.find(name)
    if body.get("missing_ok") and target.state is ObjectState.ABSENT:
        return
    inside = {
        "column": "column",
        "tabconstraint": "constraint",
        "policy": "policy",
        "trigger": "trigger",
    }
    for key in target.keys if len(target.keys) == 1 else ():
        if word in inside:
            old = (*key, body.get("subname", ""))
            if (
                not target.new
                and word in ("column", "tabconstraint")
                and scope.world.state(inside[word], *old) is not ObjectState.NEW
            ):
                yield concern(
                    "rename", f"it renames {body.get('subname')} of {name}, which code may use"
                )
            scope.world.move(inside[word], old, (*key, new_name), certain=scope.certain)
            if word == "trigger":
                _rename_trigger(key, body.get("subname", ""), new_name, scope)
        else:
            scope.lock(Name(key[0], new_name))
            if not target.new:
                yield concern("rename", f"it renames the {word} {name}, which code may use")
            scope.world.move("relation", key, (key[0], new_name), certain=scope.certain)
            _move_triggers(key, (key[0], new_name), scope)
    if len(target.keys) != 1:
        yield concern("rename", f"it renames {name}, which may be one of several")


def _rename_trigger(table: tuple[str, str], old: str, new: str, scope: Scope) -> None:
    for trigger in list(scope.world.triggers.get(table, ())):
        if trigger.name == old:
            scope.world.add_trigger(table, replace(trigger, name=new))


def _move_triggers(table: tuple[str, str], to: tuple[str, str], scope: Scope) -> None:
    for trigger in scope.world.triggers.get(table, ()):
        scope.world.add_trigger(to, trigger)


def set_schema(body: Node, scope: Scope) -> Iterator[Concern]:
    word = body["objectType"].removeprefix("OBJECT_").replace("_", " ").lower()
    if "relation" in body:
        name = relation_name(body["relation"])
        target = scope.world.find(name)
        if body.get("missing_ok") and target.state is ObjectState.ABSENT:
            return
        for key in target.keys if len(target.keys) == 1 else ():
            to = (body["newschema"], name.name)
            scope.world.move("relation", key, to, certain=scope.certain)
            _move_triggers(key, to, scope)
        if target.new and len(target.keys) == 1:
            return
        yield concern("set-schema", f"it moves the {word} {name}, which code may use")
    else:
        if word in ("type", "domain"):
            for key in scope.world.find(to_name(strings(items(body["object"]))), "type").keys:
                _move_type(key, (body["newschema"], key[1]), scope)
        yield concern("set-schema", f"it moves a {word}, which code may use")


def _move_type(key: tuple[str, str], to: tuple[str, str], scope: Scope) -> None:
    world = scope.world
    world.move("type", key, to, certain=scope.certain)
    known = world.catalog.domains if world.catalog else {}
    domain = world.facts.domains.get(key) or known.get(key)
    if domain and not world.is_held:
        world.facts.domains[to] = domain


def change_owner(body: Node, scope: Scope) -> Iterator[Concern]:
    kind = body["objectType"]
    word = kind.removeprefix("OBJECT_").replace("_", " ").lower()
    if not is_new(kind, body.get("object", {}), scope):
        yield concern("owner", f"it gives a {word} another owner, and the old one loses its rights")


def is_new(kind: str, node: Node, scope: Scope) -> bool:
    """Whether an object, as GRANT and ALTER ... OWNER name it, was made in this run."""
    world = scope.world
    if "RangeVar" in node:
        return world.find(relation_name(node["RangeVar"])).new
    if "ObjectWithArgs" in node:
        body = node["ObjectWithArgs"]
        name = to_name(strings(body["objname"]))
        state, _types = state_of_routine(world, name, dropped_types(body))
        return state is ObjectState.NEW
    if kind in ("OBJECT_TYPE", "OBJECT_DOMAIN"):
        return world.find(to_name(strings(items(node))), "type").new
    if kind == "OBJECT_SCHEMA" and "String" in node:
        return world.state("schema", node["String"].get("sval", "")) is ObjectState.NEW
    return False


def judge_grant(body: Node, scope: Scope) -> Iterator[Concern]:
    if body.get("is_grant"):
        return
    kind, objects = body.get("objtype", ""), body.get("objects", ())
    if body.get("targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
        names = [each["String"].get("sval", "") for each in objects]
        new = all(scope.world.state("schema", name) is ObjectState.NEW for name in names)
    else:
        new = bool(objects) and all(is_new(kind, each, scope) for each in objects)
    if not new and not _has_none(body, objects, scope):
        yield concern("revoke", "it revokes privileges")


def _has_none(body: Node, objects: Sequence[Node], scope: Scope) -> bool:
    """Whether none of the roles had a privilege on any of the relations before this run."""
    specs = [each["RoleSpec"] for each in body.get("grantees", ())]
    named = {"ROLESPEC_CSTRING", "ROLESPEC_PUBLIC"} >= {each["roletype"] for each in specs}
    granted = scope.world.catalog.granted if scope.world.catalog else {}
    if body.get("targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
        schemas = {each["String"].get("sval", "") for each in objects}
        kinds = _ALL.get(body.get("objtype", ""), "")
        relations = scope.world.catalog.relations if scope.world.catalog else {}
        places = {place for place, kind in relations.items() if kind in kinds}
        places = {place for place in places | scope.world.facts.moved if place[0] in schemas}
        named = named and bool(kinds)
    else:
        named = named and all("RangeVar" in each for each in objects)
        targets = [scope.world.find(relation_name(each.get("RangeVar", {}))) for each in objects]
        places = {place for each in targets for place in each.keys if not each.new}
    roles = {each.get("rolename", "") for each in specs}
    return named and not any(
        place in scope.world.facts.moved or not roles.isdisjoint(granted.get(place, roles))
        for place in places
    )


_ALL: t.Final = {"OBJECT_TABLE": "rpvmf", "OBJECT_SEQUENCE": "S"}
"""The kinds of relations that ALL TABLES and ALL SEQUENCES mean."""


def create_role(body: Node, scope: Scope) -> Iterator[Concern]:
    scope.world.create("role", body["role"], certain=scope.certain, fresh=False)
    yield from ()


def judge_reindex(body: Node, scope: Scope) -> Iterator[Concern]:
    options = option_names(body, "params")
    relation = body.get("relation")
    new = relation is not None and is_new("OBJECT_TABLE", {"RangeVar": relation}, scope)
    if "concurrently" not in options and not new:
        yield concern("reindex-blocks", "it rebuilds indexes and blocks writes meanwhile")


def judge_transaction(body: Node, scope: Scope) -> Iterator[Concern]:
    kind = body["kind"].removeprefix("TRANS_STMT_")
    if kind not in ("BEGIN", "START", "COMMIT", "SAVEPOINT", "RELEASE"):
        scope.world.doubt()
        yield concern("rollback", f"it has {kind.replace('_', ' ')} in a migration")
