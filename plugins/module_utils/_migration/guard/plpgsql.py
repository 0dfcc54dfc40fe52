# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge all that a body of PL/pgSQL may run: its statements, its expressions, and the text it executes."""

from __future__ import annotations

import re
import typing as t

from .dynamic import read_dynamic
from .models import Classification
from .names import walk, words
from .parser import UnparsableError, parse
from .presence import answer
from .rules import concern
from .scope import DEEPEST

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .parser import Node
    from .scope import Scope

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
_IS_THERE = frozenset(
    {
        "duplicate_object",
        "duplicate_table",
        "duplicate_function",
        "duplicate_schema",
        "unique_violation",
    }
)
_STATEMENT_MODE, _EXPRESSION_MODE = 0, 2
_ASSIGNMENT = re.compile(r"\s*([^:=]+?)\s*(?::=|=)(.*)", re.DOTALL)


def judge_plpgsql(function: Node, scope: Scope) -> Iterator[Concern]:
    """All of a body, with every branch that the database does not rule out; they matter for what is made again."""
    yield from _judge_parts(function.get("datums", ()), scope)
    yield from _judge_statements([function.get("action", {})], scope)


def _judge_statements(nodes: t.Sequence[Node], scope: Scope) -> Iterator[Concern]:
    for node in nodes:
        for kind, body in node.items():
            yield from _judge_statement(kind.removeprefix(_STATEMENT), body, scope)
        if node is not nodes[-1] and _may_leave(node):
            scope = scope.branch()


def _judge_statement(kind: str, body: Node, scope: Scope) -> Iterator[Concern]:
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
        scope = scope.loop() if kind in _LOOPS else scope
        for key, part in body.items():
            if key == "dynquery" or (key == "query" and kind in ("dynexecute", "dynfors")):
                yield from _judge_dynamic(part["PLpgSQL_expr"]["query"], scope)
            else:
                yield from _judge_parts(part, scope)


def _judge_if(body: Node, scope: Scope) -> Iterator[Concern]:
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


def _judge_block(body: Node, scope: Scope) -> Iterator[Concern]:
    handlers = body.get("exceptions", ())
    inner = scope.branch() if handlers and not _only_makes_sure(body) else scope
    yield from _judge_statements(body.get("body", ()), inner)
    yield from _judge_parts(handlers, scope)


def _only_makes_sure(block: Node) -> bool:
    """One statement, and the error that what it makes is there already."""
    named = {
        body.get("condname", "") for _key, body in walk(block.get("exceptions", []), _CONDITION)
    }
    return len(block.get("body", ())) == 1 and named <= _IS_THERE


def _judge_parts(part: t.Any, scope: Scope) -> Iterator[Concern]:
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


def _judge_expression(expression: Node, scope: Scope) -> Iterator[Concern]:
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


def _judge_dynamic(query: str, scope: Scope) -> Iterator[Concern]:
    yield from _judge_expression({"query": query, "parseMode": _EXPRESSION_MODE}, scope)
    text = read_dynamic(query)
    if text is None or scope.depth > DEEPEST:
        yield concern("dynamic-sql", "it executes a text known only at run time")
        return
    try:
        found = [
            each
            for node, sql in parse(text.sql)
            for each in scope.judge(node, scope.executing().reading(sql))
        ]
    except UnparsableError:
        yield concern("dynamic-sql", "it executes a text that cannot be read")
        return
    yield from found
    if not text.whole and not any(each.verdict is Classification.DESTRUCTIVE for each in found):
        yield concern("dynamic-sql", "it executes a text partly known only at run time")


def _may_leave(node: Node) -> bool:
    """Whether what comes after it may not run. The RETURN at the end that nobody wrote has no line."""
    return any("lineno" in body for _key, body in walk(node, _LEAVES))
