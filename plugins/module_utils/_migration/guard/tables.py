# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge ALTER TABLE, and what refuses or hides rows: conditions that hold for no row, policies, row level security."""

from __future__ import annotations

import typing as t

from .catalog import Policy
from .columns import is_quick_to_read, judge_add_column, judge_column_type
from .constraints import (
    add_constraint,
    drop_constraint,
    is_never,
    note_constraint,
    set_not_null,
    validate_constraint,
)
from .grants import judge_owner
from .models import Alter, Concern, Concerns, Scope, concern, judge_filled
from .parser import HOLE, Name, Node, relation_name, type_name, words
from .world import ObjectState, World


def create_policy(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["table"])
    target = scope.world.find(table)
    scope.lock(table)
    name = body["policy_name"]
    settled, before = False, None
    for key in target.keys:
        settled = bool(scope.settle("policy", (*key, name))) or settled
        before = scope.world.catalog.policies.get((*key, name))
        scope.world.create("policy", *key, name, certain=scope.certain, fresh=not settled)
        scope.world.tables_with_policies.add(key)
    if HOLE in table.name:
        scope.world.policies_unclear = True
    if target.new:
        return
    if not body.get("permissive") and not (settled and before and not before.permissive):
        what = f"it hides rows of {table} from clients that see them now"
        yield concern("restrictive-policy", what)
        return
    if settled and before:
        command = _COMMAND_LETTERS.get(body.get("cmd_name", "all"), "*")
        if command not in ("*", before.command):
            what = (
                f"its policy {name!r} of {table} no longer holds for all commands that it held for"
            )
            yield concern("policy-locks-out", what)
        yield from _judge_roles(table, name, body, before)
    yield from _judge_condition(table, name, body)


_COMMAND_LETTERS = {"select": "r", "insert": "a", "update": "w", "delete": "d"}


def _judge_roles(table: Name, policy: str, body: Node, before: Policy) -> Concerns:
    roles = {each["RoleSpec"].get("rolename", "") for each in body.get("roles", ())}
    lost = before.roles - roles if "" not in roles else ()
    if lost:
        shown = ", ".join(sorted(role or "PUBLIC" for role in lost))
        yield concern(
            "policy-locks-out", f"its policy {policy!r} of {table} no longer holds for {shown}"
        )


def alter_policy(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["table"])
    scope.lock(table)
    target, name = scope.world.find(table), body["policy_name"]
    if not target.new:
        known = (scope.world.catalog.policies.get((*key, name)) for key in target.keys)
        for before in known if "roles" in body else ():
            if before:
                yield from _judge_roles(table, name, body, before)
        yield from _judge_condition(table, name, body)


def _judge_condition(table: Name, policy: str, body: Node) -> Concerns:
    for part, what in (("qual", "see or change a row"), ("with_check", "write a row")):
        if part in body and is_never(body[part]):
            clause = f"its policy {policy!r} lets no role {what} of {table}"
            yield concern("policy-locks-out", clause)
            return


def without_policy(
    enabled: t.Iterable[tuple[int, Name, tuple[str, str]]], world: World
) -> t.Iterator[tuple[int, Concern]]:
    """At the end of the run, for the statements that enabled it, by their indexes."""
    for statement, table, key in enabled:
        gone = world.state("relation", *key) is ObjectState.ABSENT
        if not (gone or key in world.tables_with_policies or world.policies_unclear):
            what = f"it enables row level security on {table}, and no policy lets anybody through"
            yield statement, concern("no-policy", what)


SWITCHES: t.Final = {
    "AT_EnableRowSecurity": ("enabled", True, "hides rows from clients that see them now"),
    "AT_DisableRowSecurity": ("enabled", False, "shows rows to clients that must not see them"),
    "AT_ForceRowSecurity": ("forced", True, "hides rows from its owner"),
    "AT_NoForceRowSecurity": ("forced", False, "shows rows to its owner"),
}


def judge_row_security(alter: Alter) -> Concerns:
    switch, value, what = SWITCHES[alter.subtype]
    world = alter.scope.world
    if any(_stands(key, switch, world) != {value} for key in alter.target.keys):
        yield concern("row-security", f"it alters {alter.name}, which {what}")


def note_row_security(alter: Alter) -> None:
    """Of a table of this run, whose policies may come in any later statement, that it needs one."""
    scope, world, keys = alter.scope, alter.scope.world, alter.target.keys
    if alter.subtype not in SWITCHES or world.is_held:
        return
    switch, value, _what = SWITCHES[alter.subtype]
    certain = scope.certain and len(keys) == 1
    for key in keys:
        before = frozenset[bool | None]() if certain else _stands(key, switch, world)
        world.row_security[key, switch] = before | {value}
        if switch == "enabled" and value and alter.target.new:
            scope.unit.enabled.append((scope.statement, alter.name, key))


def _stands(key: tuple[str, str], switch: str, world: World) -> frozenset[bool | None]:
    """All that it may be; None where the database did not tell."""
    noted = world.row_security.get((key, switch))
    if noted is not None:
        return noted
    known = world.catalog.row_security.get(key)
    return frozenset({getattr(known, switch) if known else None})


_ADDITIVE = words(
    """
    AT_ColumnDefault AT_DropNotNull AT_SetStatistics AT_SetOptions AT_ResetOptions AT_SetStorage
    AT_SetCompression AT_SetRelOptions AT_ResetRelOptions
    """
)
_SIMPLE = {
    "AT_SetLogged": ("table-rewrite", "is rewritten under a lock that stops everybody"),
    "AT_SetUnLogged": ("table-rewrite", "is rewritten under a lock that stops everybody"),
    "AT_SetTableSpace": ("table-rewrite", "is moved under a lock that stops everybody"),
    "AT_SetAccessMethod": ("table-rewrite", "is rewritten under a lock that stops everybody"),
    "AT_SetExpression": ("column-rewrite", "is rewritten under a lock that stops everybody"),
    "AT_DetachPartition": ("partition", "loses the rows of a partition"),
    "AT_DropInherit": ("inherit", "leaves its parent, which loses its rows"),
}
_LOCKS_NOBODY_OUT = words(
    """
    AT_SetStatistics AT_SetOptions AT_ResetOptions AT_SetRelOptions AT_ResetRelOptions AT_ValidateConstraint
    AT_AttachPartition
    """
)
"""SHARE UPDATE EXCLUSIVE is enough for them, as the page of ALTER TABLE in PostgreSQL's documentation says."""
_READS_ALL = ("AT_AddConstraint", "AT_AlterColumnType", "AT_SetNotNull", "AT_ValidateConstraint")


def judge_alter_table(body: Node, scope: Scope) -> Concerns:
    """Any ALTER of a relation, by its commands; of a new one everything may change."""
    name = relation_name(body["relation"])
    kind = body.get("objtype")
    if kind == "OBJECT_TYPE":
        if not scope.world.find(name, "type").new:
            yield concern("type-changed", f"it changes the type {name}")
        return
    target = scope.world.find(name)
    if target.may_be_absent(body):
        return
    for node in body["cmds"]:
        alter = Alter(node["AlterTableCmd"], name, target, scope)
        if not target.new or alter.subtype == "AT_AttachPartition":
            yield from _judge_command(alter, kind or "")
            column = alter.command.get("def", {}).get("ColumnDef", {})
            if "typeName" in column:
                used = scope.world.find(type_name(column["typeName"]), "type")
                scope.world.types_in_use |= used.keys
        elif alter.subtype in _READS_ALL:
            yield from judge_filled(name, scope)
        note_row_security(alter)
        _note(alter)
        if alter.subtype not in _LOCKS_NOBODY_OUT:
            scope.lock(name)


def _judge_command(alter: Alter, kind: str) -> Concerns:
    subtype, name = alter.subtype, alter.name
    if kind == "OBJECT_VIEW" and subtype in ("AT_SetRelOptions", "AT_ResetRelOptions"):
        yield concern("table-change", f"it changes how the view {name} is read")
    elif kind == "OBJECT_INDEX" and subtype == "AT_AttachPartition":
        return
    elif subtype in _COMMANDS:
        yield from _COMMANDS[subtype](alter) or ()
    elif subtype in _SIMPLE:
        rule, what = _SIMPLE[subtype]
        yield concern(rule, f"it alters {name}, which {what}")
    elif subtype not in _ADDITIVE:
        word = subtype.removeprefix("AT_")
        yield concern("table-change", f"it alters {name} in an unknown way ({word})")


def _change_owner(alter: Alter) -> Concerns:
    keys = [("relation", *key) for key in alter.target.keys]
    yield from judge_owner(keys, alter.command["newowner"], str(alter.name), alter.scope)


def _column_default(alter: Alter) -> None:
    world = alter.scope.world
    has_default = any(world.has_default(key, alter.part) for key in alter.target.keys)
    is_none = _is_none(alter.command.get("def"))
    names = frozenset((*key, alter.part) for key in alter.target.keys)
    if not is_none:
        for name in names:
            alter.scope.settle("default", name)
    elif alter.states("column") != {ObjectState.NEW} and has_default:
        shown = f"{alter.name}.{alter.part}"
        what = f"it drops the default of {shown}, which old code relies on"
        alter.scope.await_replacement("default", names, concern("drop-default", what))


def _is_none(default: Node | None) -> bool:
    """PostgreSQL keeps no default that is NULL."""
    bare = (default or {}).get("TypeCast", {}).get("arg", default)
    return bare is None or bool(bare.get("A_Const", {}).get("isnull"))


def _drop_column(alter: Alter) -> Concerns:
    if not alter.drops_nothing_old("column"):
        shown = f"{alter.name}.{alter.part}"
        yield concern("drop-column", f"it drops the column {shown} and its contents")


def _alter_constraint(alter: Alter) -> Concerns:
    """Deferred, what it refuses is refused when the transaction ends."""
    change = alter.command["def"]["ATAlterConstraint"]
    if change.get("alterDeferrability") and not change.get("alterEnforceability"):
        what = f"it changes when {change['conname']} of {alter.name} is checked"
        yield concern("reference-changed", what)
    else:
        yield concern("table-change", f"it changes {change['conname']} of {alter.name}")


def _attach(alter: Alter) -> Concerns:
    attached = alter.command["def"]["PartitionCmd"]
    partition = relation_name(attached["name"])
    if not alter.scope.world.find(partition).new:
        what = f"it attaches the existing {partition} to {alter.name} and scans it"
        yield concern("partition", what)
    yield from judge_partition(alter.name, attached["bound"], alter.scope)


def judge_partition(parent: Name, bound: Node, scope: Scope) -> Concerns:
    """Of a new one, for whose rows PostgreSQL looks in the DEFAULT partition."""
    world = scope.world
    for key in world.find(parent).keys if not bound.get("is_default") else ():
        default = world.catalog.default_partitions.get(key)
        if default and world.state("relation", *key) is ObjectState.EXISTING:
            scope.lock(Name(*default))
            if not is_quick_to_read({default}, world):
                what = f"it adds a partition to {parent}, and scans {Name(*default)} under a lock that stops everybody"
                yield concern("default-partition", what)


def _inherit(alter: Alter) -> Concerns:
    yield concern("inherit", f"it makes {alter.name} a child of another table")


def _replica_identity(alter: Alter) -> Concerns:
    if alter.command["def"]["ReplicaIdentityStmt"].get("identity_type") == "n":
        yield concern("replica-identity", f"it stops {alter.name} from being replicated")


def _trigger_switch(alter: Alter) -> Concerns:
    """Off is on again where the file says so later."""
    switch, _enable, which = alter.subtype.partition("able")
    if alter.part and alter.states("trigger") == {ObjectState.NEW}:
        return
    lost = concern("trigger-switch", f"it switches triggers or rules of {alter.name}")
    names = frozenset((*key, alter.part or which) for key in alter.target.keys)
    if switch == "AT_Dis":
        alter.scope.await_replacement("switch", names, lost)
    elif not [drop for name in names for drop in alter.scope.settle("switch", name)]:
        yield lost


_COMMANDS: t.Final[dict[str, t.Callable[[Alter], Concerns | None]]] = {
    "AT_ChangeOwner": _change_owner,
    "AT_AddColumn": judge_add_column,
    "AT_AlterColumnType": judge_column_type,
    "AT_ColumnDefault": _column_default,
    "AT_SetNotNull": set_not_null,
    "AT_DropColumn": _drop_column,
    "AT_DropConstraint": drop_constraint,
    "AT_AddConstraint": add_constraint,
    "AT_ValidateConstraint": validate_constraint,
    "AT_AlterConstraint": _alter_constraint,
    "AT_AttachPartition": _attach,
    "AT_AddInherit": _inherit,
    "AT_ReplicaIdentity": _replica_identity,
    **dict.fromkeys(SWITCHES, judge_row_security),
    **dict.fromkeys(
        words(
            """
            AT_EnableTrig AT_EnableAlwaysTrig AT_EnableReplicaTrig AT_DisableTrig AT_EnableTrigAll AT_DisableTrigAll
            AT_EnableTrigUser AT_DisableTrigUser AT_EnableRule AT_EnableAlwaysRule AT_EnableReplicaRule AT_DisableRule
            """
        ),
        _trigger_switch,
    ),
}


def _note(alter: Alter) -> None:
    """What the command leaves behind."""
    world, certain, subtype = alter.scope.world, alter.scope.certain, alter.subtype
    definition = alter.command.get("def", {})
    for key in alter.target.sole:
        if subtype == "AT_AddColumn":
            world.create("column", *key, definition["ColumnDef"]["colname"], certain=certain)
        elif subtype == "AT_AddConstraint" and definition["Constraint"].get("conname"):
            world.create("constraint", *key, definition["Constraint"]["conname"], certain=certain)
        elif subtype == "AT_DropColumn" or (
            subtype == "AT_DropConstraint"
            and world.state("constraint", *key, alter.part) is not ObjectState.EXISTING
        ):
            kind = subtype.removeprefix("AT_Drop").lower()
            world.drop(kind, *key, alter.part, certain=certain)
    if subtype in ("AT_AttachPartition", "AT_AddInherit"):
        _note_family(alter)
    note_constraint(alter)
    if subtype in ("AT_AddColumn", "AT_AddConstraint", "AT_ColumnDefault"):
        world.note_calls(alter.name, definition)
    _note_references(alter)


def _note_family(alter: Alter) -> None:
    """What reaches the rows of a parent reaches those of its children."""
    world, definition = alter.scope.world, alter.command["def"]
    if "PartitionCmd" in definition:
        child = world.find(relation_name(definition["PartitionCmd"]["name"]))
        parent = alter.target
    else:
        child, parent = alter.target, world.find(relation_name(definition["RangeVar"]))
    if not child.new:
        world.entangle(parent)


def _note_references(alter: Alter) -> None:
    """Deleting rows of a new table may reach rows of an old one that references it."""
    definition = alter.command.get("def", {})
    for each in (definition, *definition.get("ColumnDef", {}).get("constraints", ())):
        if "pktable" in each.get("Constraint", {}):
            name = relation_name(each["Constraint"]["pktable"])
            alter.scope.lock(name)
            if not alter.target.new:
                alter.scope.world.entangle(alter.scope.world.find(name))
