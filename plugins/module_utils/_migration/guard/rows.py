# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge statements that read or change rows, and those that lock or write whole tables."""

from __future__ import annotations

import typing as t

from .calls import RUNNING, judge_call_of, judge_called, judge_definition, judge_running
from .columns import is_quick_to_read
from .models import STOPPING, Concerns, Scope, concern, judge_filled, lock_kept
from .parser import Name, Node, options_of, relation_name, strings, walk
from .world import ObjectState, World, is_history

_INSERT, _DELETE, _UPDATE, _TRUNCATE = 4, 8, 16, 32
_RELATIONS = frozenset({"RangeVar"})


def judge_query(kind: str, body: Node, scope: Scope) -> Concerns:
    """SELECT, INSERT, UPDATE, DELETE or MERGE with all that stands in its WITH, and the functions it calls."""
    for key, part in [(kind, body), *walk(body, _PARTS)]:
        if key in _CHANGES:
            yield from _CHANGES[key](part, scope)
        elif key in RUNNING:
            yield from judge_called(key, part, body, scope)
    if kind == "InsertStmt":
        # WITH stands before INSERT, and is no part of its query.
        query: Node = {key: body[key] for key in ("selectStmt", "withClause") if key in body}
        yield from _judge_time(query, relation_name(body["relation"]), scope)
    elif kind == "SelectStmt":
        made = body.get("intoClause", {}).get("rel")
        name = relation_name(made) if made else None
        if name:
            scope.world.create_relation(name, "table", certain=scope.certain)
        yield from _judge_time(body, name, scope)
    for _key, query in walk({kind: body}, _QUERIES):
        yield from _judge_row_locks(query, scope)


def _judge_insert(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["relation"])
    yield from _judge_triggers(name, _INSERT, scope)
    yield from _judge_hidden_calls(name, scope)
    if is_history(scope.world.find(name)):
        yield concern("history", f"it writes into {name}, the history of migrations")
        return
    if scope.world.rows_are_new(name):
        return
    yield from _judge_fired(name, scope)
    scope.world.rows_written = True
    if _is_system(name):
        yield concern("server", f"it writes into {name}, which belongs to the server")
    conflict = body.get("onConflictClause", {})
    if conflict.get("action") == "ONCONFLICT_UPDATE":
        yield from _judge_triggers(name, _UPDATE, scope)
        if not _sets_nothing(conflict):
            yield concern("rows-overwritten", f"it overwrites existing rows of {name}")
    kinds = {scope.world.kind_of(key) for key in scope.world.find(name).keys}
    if kinds - {"table"} and not scope.world.find(name).new:
        yield concern("statement", f"it inserts through {name}, which is no table")


def note_view(body: Node, scope: Scope) -> None:
    """Who reads it reads the rows of old tables."""
    read = [relation_name(each) for _key, each in walk(body["query"], _RELATIONS)]
    if any(_has_old_rows(name, scope) for name in read):
        scope.world.filled |= scope.world.find(relation_name(body["view"])).keys


def _judge_time(query: Node, target: Name | None, scope: Scope) -> Concerns:
    """Of what reads old rows, as many as there are, after a lock that nothing gives back before the file ends."""
    read = [relation_name(body) for _key, body in walk(query, _RELATIONS)]
    old = [name for name in read if _has_old_rows(name, scope)]
    for name in read:
        yield from _judge_hidden_calls(name, scope)
    if old and target:
        result = scope.world.find(target)
        scope.world.filled |= result.keys if result.new else set()
    if scope.unit.locked and old:
        yield lock_kept(old[0], scope)


def _judge_row_locks(query: Node, scope: Scope) -> Concerns:
    """Rows of which as many are locked as there are; FOR KEY SHARE hardly stops others."""
    for each in query.get("lockingClause", ()) if "limitCount" not in query else ():
        clause = each["LockingClause"]
        locked = clause.get("lockedRels") or query.get("fromClause", ())
        for _key, body in (
            walk(locked, _RELATIONS) if clause["strength"] != "LCS_FORKEYSHARE" else ()
        ):
            if _has_old_rows(relation_name(body), scope):
                what = f"it locks rows of {relation_name(body)} until the migration ends"
                yield concern("lock-table", what)


def _judge_hidden_calls(name: Name, scope: Scope) -> Concerns:
    """Functions of a default, a CHECK or a view, which the statement does not name."""
    world = scope.world
    for key in world.find(name).keys:
        for called in sorted(world.calls.get(key, ()), key=str):
            # A function of the server or of an extension does not destroy.
            if any(world.find_routines(called)) or called.name not in world.foreign_functions:
                yield from judge_call_of(called, scope)
        for called in world.catalog.calls.get(key, ()):
            yield from _judge_fired_call(
                f"{called}() of {name}", judge_call_of(called, scope), scope
            )


def _judge_fired_call(shown: str, does: Concerns, scope: Scope) -> Concerns:
    """What it does is nothing new to the database, but the file does not show it."""
    with scope.world.held():
        concerns = list(does)
    for each in [of for of in concerns if of.verdict in STOPPING][:1]:
        yield concern("trigger-fires", f"it runs {shown}: {each.what}")


def _has_old_rows(name: Name, scope: Scope) -> bool:
    """Or copies of them. A name of a WITH has none, as far as the database told."""
    result = scope.world.find(name)
    if _is_system(name) or is_quick_to_read(result.keys, scope.world):
        return False
    if result.keys & scope.world.filled:
        return True
    is_there = not scope.world.known or result.state is ObjectState.EXISTING
    return is_there and not scope.world.rows_are_new(name)


def _sets_nothing(conflict: Node) -> bool:
    """SET id = EXCLUDED.id with id as the target of the conflict, which changes nothing."""
    target = {
        each["IndexElem"].get("name") for each in conflict.get("infer", {}).get("indexElems", ())
    }
    for each in conflict.get("targetList", ()):
        assigned = each["ResTarget"]
        value = strings(assigned.get("val", {}).get("ColumnRef", {}).get("fields", ()))
        if assigned.get("name") not in target or value != ["excluded", assigned["name"]]:
            return False
    return "whereClause" not in conflict


def _judge_update(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["relation"])
    yield from _judge_triggers(name, _UPDATE, scope)
    yield from judge_filled(name, scope)
    if scope.world.rows_are_new(name):
        return
    scope.world.rows_written = True
    if _only_fills(body.get("targetList", ()), name, scope.world):
        what = f"it fills columns of {name} that these files made: all rows are read, and locked until the file ends"
        yield concern("column-filled", what)
    else:
        yield concern("rows-updated", f"it updates existing rows of {name}")


def _only_fills(targets: t.Sequence[Node], name: Name, world: World) -> bool:
    """Whether nothing changes but columns of this run: no trigger or rule sees the update either."""
    return world.known and any(
        world.kind_of(key) == "table"
        and key not in world.moved
        and not any(each.events & _UPDATE for each in world.catalog.fired.get(key, ()))
        and not any(each.events & _UPDATE for each in world.triggers.get(key, ()))
        and all(
            world.state("column", *key, each["ResTarget"]["name"]) is ObjectState.NEW
            for each in targets
        )
        for key in world.find(name).sole
    )


def _judge_delete(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["relation"])
    yield from _judge_triggers(name, _DELETE, scope)
    yield from judge_filled(name, scope)
    if not scope.world.rows_are_new(name):
        yield concern("rows-deleted", f"it deletes existing rows of {name}")


def _judge_merge(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["relation"])
    clauses = [each["MergeWhenClause"] for each in body.get("mergeWhenClauses", ())]
    yield from _judge_triggers(name, _INSERT | _UPDATE | _DELETE, scope)
    yield from judge_filled(name, scope)
    if is_history(scope.world.find(name)):
        yield concern("history", f"it writes into {name}, the history of migrations")
    scope.world.rows_written = True
    changing = {"CMD_UPDATE", "CMD_DELETE"} & {each.get("commandType") for each in clauses}
    if changing and not scope.world.rows_are_new(name):
        yield concern("rows-merged", f"it changes existing rows of {name}")


_CHANGES: t.Final = {
    "InsertStmt": _judge_insert,
    "UpdateStmt": _judge_update,
    "DeleteStmt": _judge_delete,
    "MergeStmt": _judge_merge,
}

_PARTS = RUNNING | _CHANGES.keys()
_QUERIES = frozenset({"SelectStmt"})


def judge_truncate(body: Node, scope: Scope) -> Concerns:
    for each in body["relations"]:
        name = relation_name(each["RangeVar"])
        yield from _judge_triggers(name, _TRUNCATE, scope)
        scope.lock(name)
        if not scope.world.rows_are_new(name):
            cascade = body.get("behavior") == "DROP_CASCADE"
            others = " and of all tables that reference it" if cascade else ""
            yield concern("rows-truncated", f"it removes all rows of {name}{others}")


def judge_lock(body: Node, scope: Scope) -> Concerns:
    for each in body["relations"]:
        name = relation_name(each["RangeVar"])
        scope.lock(name)
        if not scope.world.find(name).new:
            yield concern("lock-table", f"it locks {name} until the migration ends")


def judge_refresh(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["relation"])
    scope.world.rows_written = True
    if not body.get("concurrent") and not scope.world.find(name).new:
        yield concern("refresh-blocks", f"it refreshes {name} and blocks reads of it meanwhile")
    elif scope.unit.locked:
        yield lock_kept(name, scope)
    scope.lock(name)


def judge_create_as(body: Node, scope: Scope) -> Concerns:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW."""
    [(kind, query)] = body["query"].items()
    name = relation_name(body["into"]["rel"])
    scope.replace_view(name)
    there = body.get("if_not_exists") and scope.world.find(name).state is ObjectState.EXISTING
    runs = not (there and scope.world.known)
    if runs:
        yield from scope.judge({kind: query}, scope)
    word = "materialized view" if body.get("objtype") == "OBJECT_MATVIEW" else "table"
    lasts = body["into"].get("onCommit") != "ONCOMMIT_DROP"
    scope.world.create_relation(name, word, certain=scope.certain and lasts)
    if runs and not body["into"].get("skipData"):
        yield from _judge_time(query, name, scope)


def judge_explain(body: Node, scope: Scope) -> Concerns:
    if "analyze" in options_of(body):
        yield from scope.judge(body["query"], scope)


def judge_prepare(body: Node, scope: Scope) -> Concerns:
    """And a cursor: as if it were executed at once; what it is executed with does not matter."""
    yield from scope.judge(body["query"], scope)
    scope.world.prepared[body.get("name", "")] = body["query"]


def judge_execute(body: Node, scope: Scope) -> Concerns:
    yield from judge_running(body, scope)
    prepared = scope.world.prepared.get(body["name"])
    if prepared is None:
        yield concern("prepared", f"it executes {body['name']!r}, which these files do not prepare")
    else:
        yield from scope.judge(prepared, scope)


def judge_call(body: Node, scope: Scope) -> Concerns:
    yield from judge_running({"FuncCall": body["funccall"]}, scope)


def _judge_triggers(name: Name, events: int, scope: Scope) -> Concerns:
    """Those that the migrations made, and their rules."""
    for key in scope.world.find(name).keys:
        if key in scope.world.ruled:
            yield concern("statement", f"it changes {name}, for which these files have a rule")
        for trigger in scope.world.triggers.get(key, ()):
            if trigger.events & events:
                yield from judge_call_of(trigger.function, scope)


def _judge_fired(name: Name, scope: Scope) -> Concerns:
    """Older triggers and rules."""
    catalog = scope.world.catalog
    for each in [of for key in scope.world.find(name).keys for of in catalog.fired.get(key, ())]:
        if each.events & _INSERT and each.function:
            does = judge_definition(each.function, scope)
            yield from _judge_fired_call(f"{each.name} of {name}", does, scope)


def _is_system(name: Name) -> bool:
    return name.schema in ("pg_catalog", "information_schema") or (
        name.schema is None and name.name.startswith("pg_")
    )
