# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge privileges, roles, publications and what belongs to the server."""

from __future__ import annotations

import typing as t

from .changes import is_new
from .names import relation_name
from .rules import concern
from .world import State

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .models import Concern
    from .parser import Node
    from .scope import Scope


def judge_grant(body: Node, scope: Scope) -> Iterator[Concern]:
    if body.get("is_grant"):
        return
    kind, objects = body.get("objtype", ""), body.get("objects", ())
    if body.get("targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
        names = [each["String"].get("sval", "") for each in objects]
        new = all(scope.world.state("schema", name) is State.NEW for name in names)
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
        found = [scope.world.find(relation_name(each.get("RangeVar", {}))) for each in objects]
        places = {place for each in found for place in each.keys if not each.new}
    roles = {each.get("rolename", "") for each in specs}
    return named and not any(
        place in scope.world.facts.moved or not roles.isdisjoint(granted.get(place, roles))
        for place in places
    )


_ALL: t.Final = {"OBJECT_TABLE": "rpvmf", "OBJECT_SEQUENCE": "S"}
"""The kinds of relations that ALL TABLES and ALL SEQUENCES mean."""


def judge_grant_role(body: Node, _scope: Scope) -> Iterator[Concern]:
    if not body.get("is_grant"):
        yield concern("revoke", "it revokes a role")


def judge_default_privileges(body: Node, _scope: Scope) -> Iterator[Concern]:
    if not body["action"].get("is_grant"):
        yield concern("revoke", "it revokes default privileges")


def create_role(body: Node, scope: Scope) -> Iterator[Concern]:
    scope.world.create("role", body["role"], certain=scope.certain, fresh=False)
    yield from ()


def judge_role(_body: Node, _scope: Scope) -> Iterator[Concern]:
    yield concern("role-changed", "it changes or drops a role and its logins")


def judge_owned(_body: Node, _scope: Scope) -> Iterator[Concern]:
    yield concern("role-changed", "it drops or reassigns all that a role owns")


def judge_publication(body: Node, _scope: Scope) -> Iterator[Concern]:
    if body.get("action") != "AP_AddObjects" or "options" in body:
        yield concern("publication-changed", "it changes what a publication sends")


def create_publication(body: Node, _scope: Scope) -> Iterator[Concern]:
    if body.get("for_all_tables"):
        yield concern(
            "server", "it publishes all tables, and those without a key can no longer be updated"
        )


def judge_server(_body: Node, _scope: Scope) -> Iterator[Concern]:
    yield concern("server", "it changes more than this database's objects")


def judge_vacuum(body: Node, _scope: Scope) -> Iterator[Concern]:
    options = {each["DefElem"]["defname"] for each in body.get("options", ())}
    if "full" in options:
        yield concern("table-rewrite", "it rewrites tables under a lock that stops everybody")


def judge_cluster(_body: Node, _scope: Scope) -> Iterator[Concern]:
    yield concern("table-rewrite", "it rewrites tables under a lock that stops everybody")


def judge_reindex(body: Node, scope: Scope) -> Iterator[Concern]:
    options = {each["DefElem"]["defname"] for each in body.get("params", ())}
    relation = body.get("relation")
    new = relation is not None and is_new("OBJECT_TABLE", {"RangeVar": relation}, scope)
    if "concurrently" not in options and not new:
        yield concern("reindex-blocks", "it rebuilds indexes while nobody can write")


def judge_transaction(body: Node, scope: Scope) -> Iterator[Concern]:
    kind = body["kind"].removeprefix("TRANS_STMT_")
    if kind not in ("BEGIN", "START", "COMMIT", "SAVEPOINT", "RELEASE"):
        scope.world.doubt()
        yield concern("rollback", f"it has {kind.replace('_', ' ')} in a migration")
