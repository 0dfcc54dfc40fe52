# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge constraints: what they scan, which rows they refuse, and one that takes the place of another."""

from __future__ import annotations

import typing as t

from .models import Alter, Concerns, Drop, concern, lock_kept
from .parser import Node, relation_name, strings, type_name, walk
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
_BUILDS_INDEX = ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION")


def add_constraint(alter: Alter) -> Concerns:
    constraint = alter.command["def"]["Constraint"]
    kind, name = constraint["contype"], constraint.get("conname", "")
    adds = f"it adds the constraint {name or 'without a name'} to {alter.name} and"
    settled: list[Drop] = []
    for key in alter.target.keys:
        settled += alter.scope.settle(kind, (*key, name))
    if kind in _BUILDS_INDEX:
        if any(
            _key_columns(each.before, alter) != _key_columns(constraint, alter) for each in settled
        ):
            what = f"it makes the constraint {name} of {alter.name} again over other columns"
            yield concern("replacement-differs", what)
        if "indexname" not in constraint:
            what = f"{adds} builds its index, which blocks writes meanwhile"
            yield concern("constraint-builds-index", what)
        elif kind == "CONSTR_PRIMARY":
            yield from _judge_key(constraint["indexname"], alter)
    elif kind not in ("CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_NOTNULL"):
        yield concern("table-change", f"it adds an unknown constraint to {alter.name}")
    elif constraint.get("skip_validation"):
        yield from _judge_not_valid(constraint, settled, alter)
    else:
        yield concern("constraint-validates", f"{adds} scans it under a lock")


def _key_columns(constraint: t.Any, alter: Alter) -> t.Any:
    """Of a key those that ON CONFLICT names, in any order; of what is no key the whole."""
    if constraint["contype"] == "CONSTR_EXCLUSION":
        return _bare({**constraint, "conname": None, "indexname": None})
    names = strings(constraint.get("keys", ()))
    if "indexname" in constraint:
        names = [
            each
            for key in alter.target.keys
            for each in _index_columns(key, constraint["indexname"], alter.scope.world)
        ]
    return {*names}, constraint.get("nulls_not_distinct", False)


def _index_columns(table: tuple[str, str], index: str, world: World) -> tuple[str, ...]:
    """Empty where they are not known."""
    place = (table[0], index)
    return world.index_columns.get(place) or world.catalog.index_columns.get(place) or ()


def _judge_key(index: str, alter: Alter) -> Concerns:
    """Its columns become NOT NULL."""
    world = alter.scope.world
    for key in alter.target.keys:
        columns = _index_columns(key, index, world)
        nullable = [each for each in columns if not _has_no_null(key, each, world)]
        if nullable or not columns:
            listed = ", ".join(nullable) or "its columns"
            what = f"it makes {listed} of {alter.name} NOT NULL, and scans it under a lock that stops everybody"
            yield concern("set-not-null", what)


def set_not_null(alter: Alter) -> Concerns:
    """Of a column that surely has no NULL it scans nothing."""
    world = alter.scope.world
    if not all(_has_no_null(key, alter.part, world) for key in alter.target.keys):
        what = f"it alters {alter.name}, which scans it under a lock that stops everybody"
        yield concern("set-not-null", what)


def _has_no_null(table: tuple[str, str], column: str, world: World) -> bool:
    """As PostgreSQL knows by itself: of NOT NULL, or of a CHECK that is valid (ConstraintImpliedByRelConstraint)."""
    known = world.catalog.columns.get((*table, column))
    not_null = known.not_null if known and table not in world.moved else False
    return world.not_null.get((*table, column), not_null) or any(
        not each.get("skip_validation") and _excludes_null(each, column)
        for each in world.constraints_of(table)
    )


def _excludes_null(node: Node, column: str) -> bool:
    if "contype" in node:
        names = strings(node.get("keys", ())) if node["contype"] == "CONSTR_NOTNULL" else []
        return column in names or _excludes_null(node.get("raw_expr", {}), column)
    body = node.get("BoolExpr", {})
    if body.get("boolop") == "AND_EXPR":
        return any(_excludes_null(each, column) for each in body["args"])
    test = node.get("NullTest", {})
    fields = test.get("arg", {}).get("ColumnRef", {}).get("fields", ())
    return test.get("nulltesttype") == "IS_NOT_NULL" and strings(fields)[-1:] == [column]


def drop_constraint(alter: Alter) -> Concerns:
    if alter.drops_nothing_old("constraint"):
        return
    lost = concern("drop-constraint", f"it drops the constraint {alter.part!r} of {alter.name}")
    names = frozenset((*key, alter.part) for key in alter.target.keys)
    known = [alter.scope.world.constraint(name) or {} for name in names]
    types = {each.get("contype") for each in known}
    if len(types) == 1 and alter.command.get("behavior") != "DROP_CASCADE":
        alter.scope.await_replacement(str(types.pop()), names, lost, before=known[0])
    else:
        yield lost


def validate_constraint(alter: Alter) -> Concerns:
    if alter.scope.unit.locked:
        yield lock_kept(alter.name, alter.scope)


def note_constraint(alter: Alter) -> None:
    """What the server knows of its columns from now on, so far as it surely runs."""
    world, subtype, scope = alter.scope.world, alter.subtype, alter.scope
    for key in alter.target.keys if not world.is_held else ():
        if subtype == "AT_AddConstraint" and scope.certain:
            constraint = alter.command["def"]["Constraint"]
            world.constraints[*key, constraint.get("conname", "")] = constraint
        elif subtype == "AT_DropConstraint":
            world.constraints[*key, alter.part] = None
        elif subtype == "AT_ValidateConstraint" and scope.certain:
            known = world.constraint((*key, alter.part)) or {}
            world.constraints[*key, alter.part] = {**known, "skip_validation": False}
        elif subtype == "AT_DropNotNull" or (subtype == "AT_SetNotNull" and scope.certain):
            world.not_null[*key, alter.part] = subtype == "AT_SetNotNull"


def _judge_not_valid(constraint: Node, settled: t.Sequence[Drop], alter: Alter) -> Concerns:
    name = alter.name
    if is_never(constraint.get("raw_expr", {}), unless_null=True):
        yield concern("rows-refused", f"it refuses every new row of {name}")
        return
    columns = _columns(constraint)
    old = [column for column in columns if alter.states("column", column) != {ObjectState.NEW}]
    shown = f"{name} by their values in {', '.join(old)}"
    if settled:
        yield from _compare(t.cast("Node", settled[0].before), constraint, shown)
    elif old:
        yield concern("rows-refused", f"it refuses new rows of {shown}")


def _columns(constraint: Node) -> list[str]:
    named = strings(constraint.get("fk_attrs", ())) or strings(constraint.get("keys", ()))
    for _key, body in walk(constraint.get("raw_expr", {}), _COLUMNS):
        named += strings(body.get("fields", ()))[-1:]
    return sorted({*named})


def _compare(before: Node, after: Node, shown: str) -> Concerns:
    same = _reference(before) == _reference(after)
    if not same or not _is_as_wide(_bare(before.get("raw_expr")), _bare(after.get("raw_expr"))):
        yield concern("rows-refused", f"it refuses other rows than before of {shown}")
    elif any(before.get(of) != after.get(of) for of in ("fk_del_action", "fk_upd_action")):
        yield concern(
            "reference-changed", f"it changes what deletes and updates do to rows of {shown}"
        )


def _reference(constraint: Node) -> tuple[t.Any, ...]:
    """Its columns, and the table that they refer to, whose key need not be written."""
    table = relation_name(constraint.get("pktable", {})).name
    return strings(constraint.get("fk_attrs", ())), table


def _bare(node: t.Any) -> t.Any:
    """An expression without what PostgreSQL writes otherwise than people: casts, IN, and where it stood."""
    if isinstance(node, list):
        return [_bare(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "TypeCast" in node:
        return _bare(node["TypeCast"].get("arg"))
    body = node.get("A_Expr", {})
    if body.get("kind") in ("AEXPR_IN", "AEXPR_OP_ANY") and strings(body["name"]) == ["="]:
        listed = _bare(body.get("rexpr", {}))
        [values] = (listed.get("List") or listed.get("A_ArrayExpr") or {"": [listed]}).values()
        return {"in": _bare(body["lexpr"]), "values": values}
    return {key: _bare(value) for key, value in node.items() if key not in _PLACES}


_PLACES = frozenset({"location", "rexpr_list_start", "rexpr_list_end", "list_start", "list_end"})


def _is_as_wide(before: t.Any, after: t.Any) -> bool:
    if before == after:
        return True
    lists = all(isinstance(each, dict) and "in" in each for each in (before, after))
    return (
        lists
        and before["in"] == after["in"]
        and all(each in after["values"] for each in before["values"])
    )
