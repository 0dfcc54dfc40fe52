# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge ALTER TABLE, and what refuses or hides rows: conditions that hold for no row, policies, row level security."""

from __future__ import annotations

import typing as t

from .columns import judge_add_column, judge_column_type
from .models import Alter, Concern, Concerns, Drop, Scope, concern, judge_filled, lock_kept
from .parser import HOLE, Name, Node, relation_name, strings, type_name, walk, words
from .world import ObjectState, World

_FALSE = ("f", "false", "n", "no", "off", "0")


def is_never(condition: Node, *, unless_null: bool = False) -> bool:
    """Whether it is false, or NULL, for every row. `unless_null` for a CHECK, which NULL passes."""
    if "A_Const" in condition:
        constant = condition["A_Const"]
        if constant.get("isnull"):
            return not unless_null
        return "boolval" in constant and not constant["boolval"].get("boolval")
    if "TypeCast" in condition:
        cast = condition["TypeCast"]
        constant = cast.get("arg", {}).get("A_Const", {})
        text = constant.get("sval", {}).get("sval", "").lower()
        boolean = type_name(cast["typeName"]).name == "bool"
        return boolean and (text in _FALSE or is_never(cast["arg"], unless_null=unless_null))
    if "BoolExpr" in condition:
        return _is_never_combined(condition["BoolExpr"], unless_null=unless_null)
    return _compares_other_constants(condition.get("A_Expr", {}))


def _is_never_combined(body: Node, *, unless_null: bool) -> bool:
    parts = body.get("args", ())
    if body["boolop"] == "AND_EXPR":
        return any(is_never(part, unless_null=unless_null) for part in parts)
    if body["boolop"] == "OR_EXPR":
        return all(is_never(part, unless_null=unless_null) for part in parts)
    constant = parts[0].get("A_Const", {})
    return bool(constant.get("boolval", {}).get("boolval"))


def _compares_other_constants(body: Node) -> bool:
    """1 = 0, and the like."""
    if body.get("kind") != "AEXPR_OP" or strings(body.get("name", ())) != ["="]:
        return False
    left, right = (
        {**body.get(side, {}).get("A_Const", {}), "location": None} for side in ("lexpr", "rexpr")
    )
    return len(left) > 1 and left.keys() == right.keys() and left != right


_COLUMNS = frozenset({"ColumnRef"})


def judge_not_valid(constraint: Node, alter: Alter) -> Concerns:
    name, scope = alter.name, alter.scope
    settled: list[Drop] = []
    if constraint["contype"] != "CONSTR_NOTNULL":
        for key in alter.target.keys:
            settled += scope.settle("constraint", (*key, constraint.get("conname", "")))
    if is_never(constraint.get("raw_expr", {}), unless_null=True):
        yield concern("rows-refused", f"it refuses every new row of {name}")
        return
    columns = _columns(constraint)
    old = [column for column in columns if alter.states("column", column) != {ObjectState.NEW}]
    if old and not settled:
        listed = ", ".join(old)
        yield concern("rows-refused", f"it refuses new rows of {name} by their values in {listed}")


def _columns(constraint: Node) -> list[str]:
    named = strings(constraint.get("fk_attrs", ())) or strings(constraint.get("keys", ()))
    for _key, body in walk(constraint.get("raw_expr", {}), _COLUMNS):
        named += strings(body.get("fields", ()))[-1:]
    return sorted({*named})


def create_policy(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["table"])
    target = scope.world.find(table)
    scope.lock(table)
    name = body["policy_name"]
    settled = False
    for key in target.keys:
        settled = bool(scope.settle("policy", (*key, name))) or settled
        scope.world.create("policy", *key, name, certain=scope.certain, fresh=not settled)
        scope.world.tables_with_policies.add(key)
    if HOLE in table.name:
        scope.world.policies_unclear = True
    if target.new:
        return
    if not body.get("permissive") and not settled:
        what = f"it hides rows of {table} from clients that see them now"
        yield concern("restrictive-policy", what)
    else:
        yield from _judge_condition(table, name, body)


def alter_policy(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["table"])
    scope.lock(table)
    if not scope.world.find(table).new:
        yield from _judge_condition(table, body["policy_name"], body)


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
        yield from _COMMANDS[subtype](alter)
    elif subtype in _SIMPLE:
        rule, what = _SIMPLE[subtype]
        yield concern(rule, f"it alters {name}, which {what}")
    elif subtype not in _ADDITIVE:
        word = subtype.removeprefix("AT_")
        yield concern("table-change", f"it alters {name} in an unknown way ({word})")


def _set_not_null(alter: Alter) -> Concerns:
    """Of a column that is NOT NULL it changes nothing."""
    known = alter.scope.world.catalog.columns
    columns = [known.get((*key, alter.part)) for key in alter.target.keys]
    if not all(column and column.not_null for column in columns):
        what = f"it alters {alter.name}, which scans it under a lock that stops everybody"
        yield concern("set-not-null", what)


def _column_default(alter: Alter) -> Concerns:
    world = alter.scope.world
    has_default = any(world.has_default(key, alter.part) for key in alter.target.keys)
    is_none = _is_none(alter.command.get("def"))
    if alter.states("column") != {ObjectState.NEW} and is_none and has_default:
        shown = f"{alter.name}.{alter.part}"
        yield concern("drop-default", f"it drops the default of {shown}, which old code relies on")


def _is_none(default: Node | None) -> bool:
    """PostgreSQL keeps no default that is NULL."""
    bare = (default or {}).get("TypeCast", {}).get("arg", default)
    return bare is None or bool(bare.get("A_Const", {}).get("isnull"))


def _drops_nothing_old(alter: Alter, kind: str) -> bool:
    states = alter.states(kind)
    absent = alter.command.get("missing_ok") and states == {ObjectState.ABSENT}
    return bool(absent) or states == {ObjectState.NEW}


def _drop_column(alter: Alter) -> Concerns:
    if not _drops_nothing_old(alter, "column"):
        shown = f"{alter.name}.{alter.part}"
        yield concern("drop-column", f"it drops the column {shown} and its contents")


def _drop_constraint(alter: Alter) -> Concerns:
    if _drops_nothing_old(alter, "constraint"):
        return
    lost = concern("drop-constraint", f"it drops the constraint {alter.part!r} of {alter.name}")
    names = frozenset((*key, alter.part) for key in alter.target.keys)
    known = alter.scope.world.catalog.constraints
    types = {known.get((schema, table, part)) for schema, table, part in names}
    if types <= {"c", "f"} and alter.command.get("behavior") != "DROP_CASCADE":
        alter.scope.await_replacement("constraint", names, lost)
    else:
        yield lost


def _add_constraint(alter: Alter) -> Concerns:
    constraint = alter.command["def"]["Constraint"]
    kind, shown = constraint["contype"], constraint.get("conname") or "without a name"
    adds = f"it adds the constraint {shown} to {alter.name} and"
    if kind in _BUILDS_INDEX:
        if "indexname" not in constraint:
            what = f"{adds} builds its index, which blocks writes meanwhile"
            yield concern("constraint-builds-index", what)
    elif kind not in ("CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_NOTNULL"):
        yield concern("table-change", f"it adds an unknown constraint to {alter.name}")
    elif constraint.get("skip_validation"):
        yield from judge_not_valid(constraint, alter)
    else:
        yield concern("constraint-validates", f"{adds} scans it under a lock")


def _validate(alter: Alter) -> Concerns:
    if alter.scope.unit.locked:
        yield lock_kept(alter.name, alter.scope)


def _attach(alter: Alter) -> Concerns:
    partition = relation_name(alter.command["def"]["PartitionCmd"]["name"])
    if not alter.scope.world.find(partition).new:
        what = f"it attaches the existing {partition} to {alter.name} and scans it"
        yield concern("partition", what)


def _inherit(alter: Alter) -> Concerns:
    yield concern("inherit", f"it makes {alter.name} a child of another table")


def _replica_identity(alter: Alter) -> Concerns:
    if alter.command["def"]["ReplicaIdentityStmt"].get("identity_type") == "n":
        yield concern("replica-identity", f"it stops {alter.name} from being replicated")


def _trigger_switch(alter: Alter) -> Concerns:
    if not alter.part or alter.states("trigger") != {ObjectState.NEW}:
        yield concern("trigger-switch", f"it switches triggers or rules of {alter.name}")


_COMMANDS: t.Final[dict[str, t.Callable[[Alter], Concerns]]] = {
    "AT_AddColumn": judge_add_column,
    "AT_AlterColumnType": judge_column_type,
    "AT_ColumnDefault": _column_default,
    "AT_SetNotNull": _set_not_null,
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
