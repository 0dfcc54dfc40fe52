# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge ALTER TABLE and what else changes a relation that is there: what it rewrites, blocks or takes away."""

from __future__ import annotations

import typing as t

from .columns import judge_add_column, judge_column_type
from .models import Drop, concern, judge_filled, lock_kept
from .parser import relation_name, words
from .restrictions import SWITCHES, judge_not_valid, judge_row_security, note_row_security
from .world import ObjectState

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .models import Concern, Scope
    from .parser import Name, Node
    from .world import NamedObjects, World

    Judge = Callable[[Node, Name, NamedObjects, Scope], Iterator[Concern]]

_ADDITIVE = words(
    """
    AT_ColumnDefault AT_DropNotNull AT_SetStatistics AT_SetOptions AT_ResetOptions AT_SetStorage
    AT_SetCompression AT_SetRelOptions AT_ResetRelOptions
    """
)
_SIMPLE = {
    "AT_SetNotNull": ("set-not-null", "scans it under a lock that stops everybody"),
    "AT_ChangeOwner": ("owner", "gets another owner, and the old one loses its rights"),
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
_BUILDS_INDEX = ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION")


def judge_alter_table(body: Node, scope: Scope) -> Iterator[Concern]:
    """Any ALTER of a relation, by its commands; of a new one everything may change."""
    name = relation_name(body["relation"])
    kind = body.get("objtype")
    if kind == "OBJECT_TYPE":
        if not scope.world.find(name, "type").new:
            yield concern("type-changed", f"it changes the type {name}")
        return
    target = scope.world.find(name)
    if body.get("missing_ok") and target.state is ObjectState.ABSENT:
        return
    for node in body["cmds"]:
        command = node["AlterTableCmd"]
        if not target.new or command["subtype"] == "AT_AttachPartition":
            yield from _judge_command(command, kind or "", name, target, scope)
        elif command["subtype"] in _READS_ALL:
            yield from judge_filled(name, scope)
        note_row_security(command, name, target, scope)
        _note(command, target, scope)
        if command["subtype"] not in _LOCKS_NOBODY_OUT:
            scope.lock(name)


def _judge_command(
    command: Node, kind: str, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    subtype = command["subtype"]
    if kind == "OBJECT_VIEW" and subtype in ("AT_SetRelOptions", "AT_ResetRelOptions"):
        yield concern("table-change", f"it changes how the view {name} is read")
    elif kind == "OBJECT_INDEX" and subtype == "AT_AttachPartition":
        return
    elif subtype in _COMMANDS:
        yield from _COMMANDS[subtype](command, name, target, scope)
    elif subtype in _SIMPLE:
        if _changes_nothing(command, target, scope):
            return
        rule, what = _SIMPLE[subtype]
        yield concern(rule, f"it alters {name}, which {what}")
    elif subtype not in _ADDITIVE:
        word = subtype.removeprefix("AT_")
        yield concern("table-change", f"it alters {name} in an unknown way ({word})")


def _changes_nothing(command: Node, target: NamedObjects, scope: Scope) -> bool:
    """SET NOT NULL of a column that is NOT NULL."""
    catalog = scope.world.catalog
    if command["subtype"] != "AT_SetNotNull" or catalog is None or not target.keys:
        return False
    columns = [catalog.columns.get((*key, command.get("name", ""))) for key in target.keys]
    return all(column is not None and column.not_null for column in columns)


def _column_default(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    column = command.get("name", "")
    new = all(scope.world.state("column", *key, column) is ObjectState.NEW for key in target.keys)
    if not new and _is_none(command.get("def")) and _has_default(column, target, scope.world):
        yield concern(
            "drop-default", f"it drops the default of {name}.{column}, which old code relies on"
        )


def _is_none(default: Node | None) -> bool:
    """PostgreSQL keeps no default that is NULL."""
    bare = (default or {}).get("TypeCast", {}).get("arg", default)
    return bare is None or bool(bare.get("A_Const", {}).get("isnull"))


def _has_default(column: str, target: NamedObjects, world: World) -> bool:
    """Or perhaps so, before this run."""
    known = world.catalog.columns if world.catalog else {}
    columns = [known.get((*key, column)) for key in target.keys if world.is_untouched(key, column)]
    return len(columns) < len(target.keys) or any(not of or of.has_default for of in columns)


def _drop_column(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    column = command.get("name", "")
    states = {scope.world.state("column", *key, column) for key in target.keys}
    if states == {ObjectState.NEW} or (
        command.get("missing_ok") and states == {ObjectState.ABSENT}
    ):
        return
    yield concern("drop-column", f"it drops the column {name}.{column} and its contents")


def _drop_constraint(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    constraint = command.get("name", "")
    states = {scope.world.state("constraint", *key, constraint) for key in target.keys}
    if states == {ObjectState.NEW} or (
        command.get("missing_ok") and states == {ObjectState.ABSENT}
    ):
        return
    lost = concern("drop-constraint", f"it drops the constraint {constraint!r} of {name}")
    catalog = scope.world.catalog
    types = (
        {catalog.constraints.get((*key, constraint)) for key in target.keys} if catalog else set()
    )
    if types and types <= {"c", "f"} and command.get("behavior") != "DROP_CASCADE":
        names = frozenset((*key, constraint) for key in target.keys)
        drop = Drop(scope.statement, "constraint", names, None, scope.place, lost)
        scope.unit.drops.append(drop)
        scope.world.facts.dropped = True
    else:
        yield lost


def _add_constraint(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    constraint = command["def"]["Constraint"]
    kind, shown = constraint["contype"], constraint.get("conname") or "without a name"
    if kind in _BUILDS_INDEX:
        if "indexname" not in constraint:
            yield concern(
                "constraint-builds-index",
                f"it adds the constraint {shown} to {name} and builds its index, which blocks writes meanwhile",
            )
    elif kind in ("CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_NOTNULL"):
        if not constraint.get("skip_validation"):
            yield concern(
                "constraint-validates",
                f"it adds the constraint {shown} to {name} and scans it under a lock",
            )
        else:
            yield from judge_not_valid(constraint, name, target, scope)
    else:
        yield concern("table-change", f"it adds an unknown constraint to {name}")


def _validate(_command: Node, name: Name, _found: NamedObjects, scope: Scope) -> Iterator[Concern]:
    if scope.unit.locked:
        yield lock_kept(name, scope)


def _attach(command: Node, name: Name, _found: NamedObjects, scope: Scope) -> Iterator[Concern]:
    partition = relation_name(command["def"]["PartitionCmd"]["name"])
    if not scope.world.find(partition).new:
        yield concern("partition", f"it attaches the existing {partition} to {name} and scans it")


def _inherit(_command: Node, name: Name, _found: NamedObjects, _scope: Scope) -> Iterator[Concern]:
    yield concern("inherit", f"it makes {name} a child of another table")


def _replica_identity(
    command: Node, name: Name, _found: NamedObjects, _scope: Scope
) -> Iterator[Concern]:
    if command["def"]["ReplicaIdentityStmt"].get("identity_type") == "n":
        yield concern("replica-identity", f"it stops {name} from being replicated")


def _trigger_switch(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    trigger = command.get("name", "")
    if trigger and all(
        scope.world.state("trigger", *k, trigger) is ObjectState.NEW for k in target.keys
    ):
        return
    yield concern("trigger-switch", f"it switches triggers or rules of {name}")


_COMMANDS: t.Final[dict[str, Judge]] = {
    "AT_AddColumn": judge_add_column,
    "AT_AlterColumnType": judge_column_type,
    "AT_ColumnDefault": _column_default,
    "AT_DropColumn": _drop_column,
    "AT_DropConstraint": _drop_constraint,
    "AT_AddConstraint": _add_constraint,
    "AT_ValidateConstraint": _validate,
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


def _note(command: Node, target: NamedObjects, scope: Scope) -> None:
    """What the command leaves behind."""
    world, subtype, definition = scope.world, command["subtype"], command.get("def", {})
    for key in target.keys if len(target.keys) == 1 else ():
        if subtype == "AT_AddColumn":
            world.create("column", *key, definition["ColumnDef"]["colname"], certain=scope.certain)
        elif subtype == "AT_AddConstraint" and definition["Constraint"].get("conname"):
            name = definition["Constraint"]["conname"]
            world.create("constraint", *key, name, certain=scope.certain)
        elif subtype in ("AT_DropColumn", "AT_DropConstraint"):
            kind = "column" if subtype == "AT_DropColumn" else "constraint"
            if not (
                kind == "constraint"
                and world.state(kind, *key, command.get("name", "")) is ObjectState.EXISTING
            ):
                world.drop(kind, *key, command.get("name", ""), certain=scope.certain)
    if subtype in ("AT_AttachPartition", "AT_AddInherit"):
        _note_family(command, target, scope)
    _note_references(definition, target, scope)


def _note_family(command: Node, target: NamedObjects, scope: Scope) -> None:
    """What reaches the rows of a parent reaches those of its children."""
    definition = command["def"]
    if "PartitionCmd" in definition:
        child = scope.world.find(relation_name(definition["PartitionCmd"]["name"]))
        parent = target
    else:
        child, parent = target, scope.world.find(relation_name(definition["RangeVar"]))
    if not child.new:
        scope.world.entangle(parent)


def _note_references(definition: Node, target: NamedObjects, scope: Scope) -> None:
    """Deleting rows of a new table may reach rows of an old one that references it."""
    inline = definition.get("ColumnDef", {}).get("constraints", ())
    for each in (
        {"Constraint": definition["Constraint"]} if "Constraint" in definition else {},
        *inline,
    ):
        if "pktable" in each.get("Constraint", {}):
            name = relation_name(each["Constraint"]["pktable"])
            scope.lock(name)
            if not target.new:
                scope.world.entangle(scope.world.find(name))
