# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge GRANT, REVOKE and OWNER TO, and whether what is made again has the privileges that it had."""

from __future__ import annotations

import typing as t

from .catalog import Grant, Key
from .changes import ROUTINES, object_word, places, state_of_routine
from .models import Concerns, Regrant, Revoked, Scope, concern
from .parser import (
    HOLE,
    Name,
    Node,
    dropped_types,
    items,
    relation_name,
    signature,
    strings,
    to_name,
)
from .world import ObjectState, World

_ALL: t.Final = {"OBJECT_TABLE": "rpvmf", "OBJECT_SEQUENCE": "S"}
"""The kinds of relations that ALL TABLES and ALL SEQUENCES mean."""


def judge_grant(body: Node, scope: Scope) -> Concerns:
    specs = [each["RoleSpec"] for each in body.get("grantees", ())]
    named = {"ROLESPEC_CSTRING", "ROLESPEC_PUBLIC"} >= {each["roletype"] for each in specs}
    roles = {each.get("rolename", each["roletype"]) for each in specs}
    roles = {"" if each == "ROLESPEC_PUBLIC" else each for each in roles}
    privileges = {
        each["AccessPriv"].get("priv_name", "").upper() for each in body.get("privileges", ())
    }

    def is_meant(grant: Grant) -> bool:
        mentioned = grant.privilege in privileges if privileges else grant.privilege != "OWNER"
        unclear = not body.get("is_grant") and any(HOLE in role for role in roles)
        return mentioned and (grant.role in roles or unclear)

    keys = _keys_meant(body, scope)
    scope.unit.regrant(keys, is_meant, scope.place, given=bool(body.get("is_grant")))
    if body.get("is_grant"):
        return
    granted, moved = scope.world.catalog.granted, scope.world.moved
    old = [key for key in keys if _is_old(key, scope.world)]
    known = [key for key in old if key is not None and key[1:] not in moved and key in granted]
    if not named or len(known) < len(old):
        yield concern("revoke", "it revokes privileges")
        return
    for key in known:
        before = scope.unit.granted(key, scope.place, granted[key])
        after = frozenset(each for each in before if not is_meant(each))
        if before != after:
            name = Name(None, ".".join(key[1:3]))
            revoked = Revoked(scope.statement, key, name, scope.place, before, after)
            scope.unit.regrants.append(revoked)


def _keys_meant(body: Node, scope: Scope) -> list[Key | None]:
    """None for one that the catalog does not tell of."""
    kind, objects, world = body.get("objtype", ""), body.get("objects", ()), scope.world
    if body.get("targtype") != "ACL_TARGET_ALL_IN_SCHEMA":
        return [key for each in objects for key in keys_of(kind, each, scope)]
    schemas = {each["String"].get("sval", "") for each in objects}
    if kind in ROUTINES:
        known = [key for key in world.catalog.granted if key[0] == "function"]
    else:
        relations = world.catalog.relations
        known = [("relation", *of) for of in relations if relations[of] in _ALL.get(kind, "")]
    known += [("relation", *of) for of in world.moved]
    whole = world.known and (kind in ROUTINES or kind in _ALL)
    new = all(world.state("schema", each) is ObjectState.NEW for each in schemas)
    return [*(key for key in known if key[1] in schemas), *(() if whole or new else (None,))]


def keys_of(kind: str, node: Node, scope: Scope) -> list[Key | None]:
    """Of an object as GRANT and ALTER ... OWNER name it, all that may be meant; None where the name does not tell."""
    world = scope.world
    if "RangeVar" in node:
        return [("relation", *key) for key in world.find(relation_name(node["RangeVar"])).keys]
    if "ObjectWithArgs" in node:
        body = node["ObjectWithArgs"]
        name = to_name(strings(body["objname"]))
        _state, types = state_of_routine(world, name, dropped_types(body))
        shown = None if types is None else signature(types)
        return [
            ("function", *of, shown) if shown is not None else None for of in places(world, name)
        ]
    if kind in ("OBJECT_TYPE", "OBJECT_DOMAIN"):
        return [("type", *key) for key in world.find(to_name(strings(items(node))), "type").keys]
    return [("schema", *strings([node]))] if kind == "OBJECT_SCHEMA" else [None]


def _is_old(key: Key | None, world: World) -> bool:
    return key is None or world.state(*key) is not ObjectState.NEW


def change_owner(body: Node, scope: Scope) -> Concerns:
    kind = body["objectType"]
    keys = keys_of(kind, body.get("object", {}), scope)
    yield from judge_owner(keys, body["newowner"], f"a {object_word(kind)}", scope)


def judge_owner(keys: t.Sequence[Key | None], role: Node, shown: str, scope: Scope) -> Concerns:
    owner = Grant(str(role.get("rolename", role["roletype"])), "OWNER")
    scope.unit.regrant(keys, lambda each: each.role == owner.role, scope.place, given=True)
    granted = scope.world.catalog.granted
    old = [key for key in keys if _is_old(key, scope.world)]
    if any(key is None or owner not in granted.get(key, ()) for key in old):
        yield concern("owner", f"it gives {shown} another owner, and the old one loses its rights")


def await_grants(key: Key, now: Key, name: Name, scope: Scope) -> None:
    """What was `key` is made again as `now`, with the privileges of a new object, until the file grants others."""
    world = scope.world
    before = world.catalog.granted.get(key)
    if before is not None:
        mine = {each for each in before if each.role in (world.catalog.user, world.catalog.maker)}
        after = frozenset(mine) | _of_new(now, world)
        scope.unit.regrants.append(Regrant(scope.statement, now, name, scope.place, before, after))


def _of_new(key: Key, world: World) -> frozenset[Grant]:
    kind, schema = key[:2]
    defaults = world.catalog.default_granted
    built_in = {Grant("", "EXECUTE")} if kind == "function" else set()
    return defaults.get((kind, ""), frozenset(built_in)) | defaults.get((kind, schema), frozenset())
