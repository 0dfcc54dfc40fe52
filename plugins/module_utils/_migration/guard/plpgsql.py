# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge all that a body of PL/pgSQL may run: its statements, its expressions, and the text it executes.

Conditions of a DO block that look whether something is there are answered as far as the database told. A wrong answer
would leave a branch unread, so whatever may have changed what is there leaves them open.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from .models import DEEPEST, Classification, Concerns, Scope, concern
from .parser import (
    Name,
    Node,
    UnparsableError,
    constant_text,
    parse,
    parse_expression,
    relation_name,
    strings,
    to_name,
    walk,
    words,
)
from .routines import read_dynamic
from .world import ObjectState, World


class _View(t.NamedTuple):
    """`columns` are those that hold the parts of a key of this kind, None where none does."""

    kind: str
    columns: tuple[str | None, ...]
    shows: frozenset[str] = frozenset()
    """The kinds of relations in it; all of them if empty."""
    privileged: bool = False
    """Whether it has only what the role may use."""


_TABLES = frozenset({"table", "view", "foreign table"})
_IN_SCHEMA = ("table_schema", "table_name")
_VIEWS: t.Final = {
    ("information_schema", "tables"): _View("relation", _IN_SCHEMA, _TABLES, privileged=True),
    ("information_schema", "columns"): _View(
        "column", (*_IN_SCHEMA, "column_name"), _TABLES, privileged=True
    ),
    ("pg_catalog", "pg_tables"): _View(
        "relation", ("schemaname", "tablename"), frozenset({"table"})
    ),
    ("pg_catalog", "pg_class"): _View("relation", (None, "relname")),
    ("pg_catalog", "pg_constraint"): _View("constraint", (None, None, "conname")),
    ("pg_catalog", "pg_policies"): _View("policy", ("schemaname", "tablename", "policyname")),
}
_NAMED_BY_POSTGRES = re.compile(r"_(pkey|key|idx|excl|seq)\d*\Z")
"""Such relations come with a table, and are not followed."""


def answer(expression: str, scope: Scope) -> bool | None:
    """Whether a condition holds where it stands; None when that cannot be told."""
    world = scope.world
    if not world.known or world.is_held or scope.calling or scope.repeated:
        return None
    value = parse_expression(expression)
    return None if value is None else _answer(value, world)


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
    view = _VIEWS.get((schema or "pg_catalog", name))
    # Without a schema it may be one of the database, or of this run, with the name of one of pg_catalog.
    if view is None or (schema is None and world.relations_named(None, name)):
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
    # A composite type is in pg_class too, and each table has one of its name; none has its columns in such a view.
    type_state = world.find(Name(key[0], named), "type").state
    typed = kind == "relation" and type_state is not ObjectState.ABSENT
    return None if typed or world.is_system(key[0], named) else False


def _shows(view: _View, key: tuple[str | None, ...], world: World) -> bool:
    """Whether what is there is in the view, too."""
    if view.kind not in ("relation", "column"):
        return True
    schema, name = key[:2]
    return all(
        (not view.shows or world.kind_of(place) in view.shows)
        and not (view.privileged and place in world.catalog.foreign_relations)
        for place in world.relations_named(schema, name)
    )


_STATEMENT = "PLpgSQL_stmt_"
_KNOWN = words(
    """
    assign assert block call case close commit dynexecute dynfors execsql exit fetch foreach_a forc fori fors
    getdiag if loop open perform raise return return_next return_query while
    """
)
_LOOPS = words("loop while fori fors forc foreach_a dynfors")
_LEAVES = frozenset({"PLpgSQL_stmt_return", "PLpgSQL_stmt_exit"})
_CONDITION = frozenset({"PLpgSQL_condition"})
_IS_THERE = words(
    "duplicate_object duplicate_table duplicate_function duplicate_schema unique_violation"
)
_STATEMENT_MODE, _EXPRESSION_MODE = 0, 2
_ASSIGNMENT = re.compile(r"\s*([^:=]+?)\s*(?::=|=)(.*)", re.DOTALL)


def judge_plpgsql(function: Node, scope: Scope) -> Concerns:
    """All of a body, with every branch that the database does not rule out; they matter for what is made again."""
    yield from _judge_parts(function.get("datums", ()), scope)
    yield from _judge_statements([function.get("action", {})], scope)


def _judge_statements(nodes: t.Sequence[Node], scope: Scope) -> Concerns:
    for node in nodes:
        for kind, body in node.items():
            yield from _judge_statement(kind.removeprefix(_STATEMENT), body, scope)
        if node is not nodes[-1] and _may_leave(node):
            scope = scope.branch()


def _judge_statement(kind: str, body: Node, scope: Scope) -> Concerns:
    if kind == "rollback":
        scope.world.doubt()
        yield concern("rollback", "it rolls back in a body")
    elif kind not in _KNOWN:
        yield concern("statement", f"it has an unknown statement {kind!r}")
    elif kind == "block":
        yield from _judge_block(body, scope)
    elif kind == "if":
        yield from _judge_if(body, scope)
    else:
        scope = replace(scope, repeated=True) if kind in _LOOPS else scope
        for key, part in body.items():
            if key == "dynquery" or (key == "query" and kind in ("dynexecute", "dynfors")):
                yield from _judge_dynamic(part["PLpgSQL_expr"]["query"], scope)
            else:
                yield from _judge_parts(part, scope)


def _judge_if(body: Node, scope: Scope) -> Concerns:
    """The branches that may be taken, and the conditions that are asked on the way to them."""
    branches = [(body, "then_body")]
    branches += [(each["PLpgSQL_if_elsif"], "stmts") for each in body.get("elsif_list", ())]
    for branch, statements in branches:
        yield from _judge_parts(branch["cond"], scope)
        holds = answer(branch["cond"]["PLpgSQL_expr"]["query"], scope)
        if holds is not False:
            yield from _judge_parts(branch.get(statements, []), scope)
        if holds:
            return
    yield from _judge_parts(body.get("else_body", []), scope)


def _judge_block(body: Node, scope: Scope) -> Concerns:
    handlers = body.get("exceptions", ())
    inner = scope.branch() if handlers and not _only_makes_sure(body) else scope
    yield from _judge_statements(body.get("body", ()), inner)
    yield from _judge_parts(handlers, scope)


def _only_makes_sure(block: Node) -> bool:
    """One statement, and the error that what it makes is there already."""
    conditions = walk(block.get("exceptions", []), _CONDITION)
    named = {body.get("condname", "") for _key, body in conditions}
    return len(block.get("body", ())) == 1 and named <= _IS_THERE


def _judge_parts(part: t.Any, scope: Scope) -> Concerns:
    """Expressions where they are, and lists of statements each as a branch of its own."""
    if isinstance(part, list):
        if any(key.startswith(_STATEMENT) for each in part for key in each):
            yield from _judge_statements(part, scope.branch())
        else:
            for each in part:
                yield from _judge_parts(each, scope)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "PLpgSQL_expr":
                yield from _judge_expression(value, scope)
            else:
                yield from _judge_parts(value, scope)


def _judge_expression(expression: Node, scope: Scope) -> Concerns:
    query, mode = expression.get("query", ""), expression.get("parseMode", _STATEMENT_MODE)
    try:
        for node, sql in parse(_to_statement(query, mode)):
            yield from scope.judge(node, scope.reading(sql))
    except UnparsableError as exc:
        yield concern("syntax", f"it has a part that cannot be read: {exc}")


def _to_statement(query: str, mode: int) -> str:
    if mode == _STATEMENT_MODE:
        return query
    assigned = _ASSIGNMENT.fullmatch(query) if mode > _EXPRESSION_MODE else None
    # The target may have subscripts that call something, so it is read as well.
    return f"SELECT {assigned[1]}, {assigned[2]}" if assigned else f"SELECT {query}"


def _judge_dynamic(query: str, scope: Scope) -> Concerns:
    yield from _judge_expression({"query": query, "parseMode": _EXPRESSION_MODE}, scope)
    text = read_dynamic(query)
    if text is None or scope.depth > DEEPEST:
        yield concern("dynamic-sql", "it executes a text known only at run time")
        return
    try:
        issues = [
            each
            for node, sql in parse(text.sql)
            for each in scope.judge(node, replace(scope, depth=scope.depth + 1, sql=sql))
        ]
    except UnparsableError:
        yield concern("dynamic-sql", "it executes a text that cannot be read")
        return
    yield from issues
    if not text.whole and not any(each.verdict is Classification.DESTRUCTIVE for each in issues):
        yield concern("dynamic-sql", "it executes a text partly known only at run time")


def _may_leave(node: Node) -> bool:
    """Whether what comes after it may not run. The implicit RETURN at the end has no line."""
    return any("lineno" in body for _key, body in walk(node, _LEAVES))
