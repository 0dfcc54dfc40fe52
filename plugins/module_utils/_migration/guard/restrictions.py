# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what refuses or hides rows: conditions that hold for no row, NOT VALID, policies and row level security."""

from __future__ import annotations

import typing as t

from .models import concern
from .parser import HOLE, relation_name, strings, type_name, walk
from .world import ObjectState

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern, Scope
    from .parser import Name, Node
    from .world import NamedObjects, World


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
    sides = [body.get(side, {}).get("A_Const") for side in ("lexpr", "rexpr")]
    if None in sides:
        return False
    left, right = (
        {key: value for key, value in each.items() if key != "location"} for each in sides if each
    )
    return left.keys() == right.keys() and left != right


_COLUMNS = frozenset({"ColumnRef"})


def judge_not_valid(
    constraint: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    kind, condition = constraint["contype"], constraint.get("raw_expr", {})
    settled = False
    if kind != "CONSTR_NOTNULL":
        for key in target.keys:
            place = (*key, constraint.get("conname", ""))
            settled = bool(scope.settle("constraint", place)) or settled
    if is_never(condition, unless_null=True):
        yield concern("rows-refused", f"it refuses every new row of {name}")
        return
    columns = _columns(constraint)
    old = [column for column in columns if not _is_new(column, target, scope)]
    if old and not settled:
        listed = ", ".join(old)
        yield concern("rows-refused", f"it refuses new rows of {name} by their values in {listed}")


def _columns(constraint: Node) -> list[str]:
    named = strings(constraint.get("fk_attrs", ())) or strings(constraint.get("keys", ()))
    checked = [
        strings(body.get("fields", ()))[-1:]
        for _key, body in walk(constraint.get("raw_expr", {}), _COLUMNS)
    ]
    return sorted({*named, *(name for each in checked for name in each)})


def _is_new(column: str, target: NamedObjects, scope: Scope) -> bool:
    return {scope.world.state("column", *key, column) for key in target.keys} == {ObjectState.NEW}


def create_policy(body: Node, scope: Scope) -> Iterator[Concern]:
    table = relation_name(body["table"])
    target = scope.world.find(table)
    scope.lock(table)
    name = body["policy_name"]
    settled = False
    for key in target.keys:
        settled = bool(scope.settle("policy", (*key, name))) or settled
        scope.world.create("policy", *key, name, certain=scope.certain, fresh=not settled)
        scope.world.facts.tables_with_policies.add(key)
    if HOLE in table.name:
        scope.world.facts.policies_unclear = True
    if target.new:
        return
    if not body.get("permissive") and not settled:
        yield concern(
            "restrictive-policy", f"it hides rows of {table} from clients that see them now"
        )
    else:
        yield from _judge_condition(table, name, body)


def alter_policy(body: Node, scope: Scope) -> Iterator[Concern]:
    table = relation_name(body["table"])
    scope.lock(table)
    if not scope.world.find(table).new:
        yield from _judge_condition(table, body["policy_name"], body)


def _judge_condition(table: Name, policy: str, body: Node) -> Iterator[Concern]:
    for part, what in (("qual", "see or change a row"), ("with_check", "write a row")):
        if part in body and is_never(body[part]):
            yield concern(
                "policy-locks-out", f"its policy {policy!r} lets no role {what} of {table}"
            )
            return


def note_enabled(table: Name, key: tuple[str, str], scope: Scope) -> None:
    """Of a table of this run, whose policies may come in any later statement."""
    scope.unit.enabled.append((scope.statement, table, key))


def without_policy(
    enabled: t.Iterable[tuple[int, Name, tuple[str, str]]], world: World
) -> Iterator[tuple[int, Concern]]:
    """At the end of the run, for the statements that enabled it, by their indexes."""
    for statement, table, key in enabled:
        gone = world.state("relation", *key) is ObjectState.ABSENT
        if not (gone or key in world.facts.tables_with_policies or world.facts.policies_unclear):
            yield (
                statement,
                concern(
                    "no-policy",
                    f"it enables row level security on {table}, and no policy lets anybody through",
                ),
            )


SWITCHES: t.Final = {
    "AT_EnableRowSecurity": ("enabled", True, "hides rows from clients that see them now"),
    "AT_DisableRowSecurity": ("enabled", False, "shows rows to clients that must not see them"),
    "AT_ForceRowSecurity": ("forced", True, "hides rows from its owner"),
    "AT_NoForceRowSecurity": ("forced", False, "shows rows to its owner"),
}


def judge_row_security(
    command: Node, name: Name, target: NamedObjects, scope: Scope
) -> Iterator[Concern]:
    switch, value, what = SWITCHES[command["subtype"]]
    if any(_stands(key, switch, scope.world) != {value} for key in target.keys):
        yield concern("row-security", f"it alters {name}, which {what}")


def note_row_security(command: Node, relation: Name, target: NamedObjects, scope: Scope) -> None:
    if command["subtype"] not in SWITCHES or scope.world.is_held:
        return
    switch, value, _what = SWITCHES[command["subtype"]]
    certain = scope.certain and len(target.keys) == 1
    for key in target.keys:
        before = frozenset[bool | None]() if certain else _stands(key, switch, scope.world)
        scope.world.facts.row_security[key, switch] = before | {value}
    if switch == "enabled" and value and target.new:
        for key in target.keys:
            note_enabled(relation, key, scope)


def _stands(key: tuple[str, str], switch: str, world: World) -> frozenset[bool | None]:
    """All that it may be; None where the database did not tell."""
    noted = world.facts.row_security.get((key, switch))
    if noted is not None:
        return noted
    known = world.catalog.row_security.get(key) if world.catalog else None
    return frozenset({getattr(known, switch) if known else None})
