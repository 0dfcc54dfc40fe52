# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer the conditions of a DO block that ask whether something is there, as far as the database told.

A wrong answer would leave a branch unread, so whatever may have changed what is there leaves the question open.
"""

from __future__ import annotations

import re
import typing as t

from .names import Name, constant_text, relation_name, strings, to_name
from .parser import UnparsableError, parse
from .world import State

if t.TYPE_CHECKING:
    from .parser import Node
    from .scope import Scope
    from .world import World


class _View(t.NamedTuple):
    """`columns` are those that hold the parts of a key of this kind, None where none does."""

    kind: str
    columns: tuple[str | None, ...]
    shows: frozenset[str] = frozenset()
    """The kinds of relations in it; all of them if empty."""
    privileged: bool = False
    """Whether it has only what the role may use."""


_TABLES = frozenset({"table", "view", "foreign table"})
_VIEWS: t.Final = {
    Name("information_schema", "tables"): _View(
        "relation", ("table_schema", "table_name"), _TABLES, privileged=True
    ),
    Name("information_schema", "columns"): _View(
        "column", ("table_schema", "table_name", "column_name"), _TABLES, privileged=True
    ),
    Name("pg_catalog", "pg_tables"): _View(
        "relation", ("schemaname", "tablename"), frozenset({"table"})
    ),
    Name("pg_catalog", "pg_class"): _View("relation", (None, "relname")),
    Name("pg_catalog", "pg_constraint"): _View("constraint", (None, None, "conname")),
    Name("pg_catalog", "pg_policies"): _View("policy", ("schemaname", "tablename", "policyname")),
}
_NAMED_BY_POSTGRES = re.compile(r"_(pkey|key|idx|excl|seq)\d*\Z")
"""Such relations come with a table, and are not followed."""


def answer(expression: str, scope: Scope) -> bool | None:
    """Whether a condition holds where it stands; None when that cannot be told."""
    world = scope.world
    if world.catalog is None or world.is_held or scope.calling or scope.repeated:
        return None
    try:
        [parsed] = parse(f"SELECT {expression}")
    except (UnparsableError, ValueError):
        return None
    query = parsed.node.get("SelectStmt", {})
    targets = query.get("targetList", ())
    if len(targets) != 1 or "fromClause" in query:
        return None
    return _answer(targets[0]["ResTarget"].get("val", {}), world)


def _answer(node: Node, world: World) -> bool | None:
    if "BoolExpr" in node:
        parts = [_answer(each, world) for each in node["BoolExpr"]["args"]]
        kind: str = node["BoolExpr"]["boolop"]
        if kind == "NOT_EXPR":
            return None if parts[0] is None else not parts[0]
        settles = kind == "OR_EXPR"
        if settles in parts:
            return settles
        return None if None in parts else not settles
    if node.get("SubLink", {}).get("subLinkType") == "EXISTS_SUBLINK":
        return _exists(node["SubLink"]["subselect"].get("SelectStmt", {}), world)
    test = node.get("NullTest", {})
    call = test.get("arg", {}).get("FuncCall", {})
    if strings(call.get("funcname", ()))[-1:] == ["to_regclass"]:
        text = constant_text((call.get("args") or [{}])[0])
        name = to_name(text.split(".")) if text and re.fullmatch(r"[a-z0-9_.]+", text) else None
        there = _is_there("relation", (name.schema, name.name), world) if name else None
        # Without a schema it may be in one that is not searched.
        there = None if there and name and name.schema is None else there
        wanted: str = test["nulltesttype"]
        return None if there is None else there is (wanted == "IS_NOT_NULL")
    return None


def _exists(query: Node, world: World) -> bool | None:
    sources = query.get("fromClause", ())
    if len(sources) != 1 or "RangeVar" not in sources[0] or query.keys() & _MORE:
        return None
    schema, name = relation_name(sources[0]["RangeVar"])
    view = _VIEWS.get(Name(schema or "pg_catalog", name))
    if view is None or (schema is None and world.may_be_made(name)):
        return None
    wanted, whole = _read_conditions(query.get("whereClause", {}))
    key = tuple(wanted.pop(column, None) if column else None for column in view.columns)
    there = _is_there(view.kind, key, world)
    if there and (not whole or wanted or not _shows(view, key, world)):
        return None
    return there


_MORE = frozenset(
    {"groupClause", "havingClause", "limitCount", "limitOffset", "withClause", "larg"}
)


def _read_conditions(condition: Node) -> tuple[dict[str, str], bool]:
    """Columns that must have a value; false when there is more to it."""
    parts = [condition] if condition else []
    if condition.get("BoolExpr", {}).get("boolop") == "AND_EXPR":
        parts = condition["BoolExpr"]["args"]
    wanted: dict[str, str] = {}
    whole = True
    for part in parts:
        body = part.get("A_Expr", {})
        column = strings(body.get("lexpr", {}).get("ColumnRef", {}).get("fields", ()))[-1:]
        value = constant_text(body.get("rexpr", {}))
        equals = body.get("kind") == "AEXPR_OP" and strings(body.get("name", ())) == ["="]
        if equals and column and value is not None and column[0] not in wanted:
            wanted[column[0]] = value
        else:
            whole = False
    return wanted, whole


def _is_there(kind: str, key: tuple[str | None, ...], world: World) -> bool | None:
    there = None if key[-1] is None else world.presence(kind, key)
    if there is not False:
        return there
    # Of others it is not followed what makes them.
    named = key[1] if kind == "column" else key[-1]
    if kind not in ("relation", "column") or not named or _NAMED_BY_POSTGRES.search(named):
        return None
    # A composite type is in pg_class too.
    typed = world.find(Name(key[0], named), "type").state is not State.ABSENT
    return None if typed or world.is_system(key[0], named) else False


def _shows(view: _View, key: tuple[str | None, ...], world: World) -> bool:
    """Whether what is there is in the view, too."""
    if view.kind not in ("relation", "column"):
        return True
    schema, name = key[:2]
    return all(
        (not view.shows or world.kind_of(place) in view.shows)
        and not (view.privileged and world.is_foreign(place))
        for place in world.relations_named(schema, name)
    )
