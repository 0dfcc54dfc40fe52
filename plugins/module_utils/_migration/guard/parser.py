# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that knows pglast: PostgreSQL 18's own parser, for SQL and for the bodies of PL/pgSQL.

Trees are the parser's JSON: a node is a dict with one key, the name of its type.
"""

from __future__ import annotations

import json
import re
import typing as t

from ..._errors import Library

PGLAST = Library("pglast >= 8.8")
with PGLAST:
    from pglast import parser as _parser

_POINTED_AT = re.compile(r' at or near ".*', re.DOTALL)
_JSON = json.JSONDecoder(strict=False)

Node: t.TypeAlias = "dict[str, t.Any]"


class UnparsableError(Exception):
    """`position` counts characters from 0, None when the parser points nowhere."""

    def __init__(self, message: str, position: int | None) -> None:
        super().__init__(message)
        self.position = position


class Parsed(t.NamedTuple):
    """A statement, and the part of the text that it is."""

    node: Node
    sql: str


def parse(sql: str) -> list[Parsed]:
    """The statements in `sql`; empty when it is nothing but comments."""
    try:
        tree = _JSON.decode(_parser.parse_sql_json(sql))
    except _parser.ParseError as exc:
        raise UnparsableError(*_read(exc)) from exc
    except (ValueError, RecursionError) as exc:
        raise UnparsableError("it is nested too deeply, or has odd characters", None) from exc
    found = [each for each in tree.get("stmts", ()) if each.get("stmt")]
    if len(found) == 1:
        return [Parsed(found[0]["stmt"], sql)]
    content = sql.encode()
    return [Parsed(each["stmt"], _cut(content, each)) for each in found]


def parse_plpgsql(sql: str) -> Node:
    """The body of the one CREATE FUNCTION, CREATE PROCEDURE or DO that `sql` is."""
    try:
        functions = _JSON.decode(_parser.parse_plpgsql_json(sql))
    except _parser.ParseError as exc:
        raise UnparsableError(*_read(exc)) from exc
    except (ValueError, RecursionError) as exc:
        raise UnparsableError("it is nested too deeply, or has odd characters", None) from exc
    if len(functions) != 1:
        raise UnparsableError("it has no body of PL/pgSQL", None)
    return t.cast("Node", functions[0]["PLpgSQL_function"])


def _cut(content: bytes, statement: Node) -> str:
    start = statement.get("stmt_location", 0)
    end = start + statement["stmt_len"] if "stmt_len" in statement else len(content)
    return content[start:end].decode()


def _read(error: Exception) -> tuple[str, int | None]:
    """The message without the text it points at, which may be a part of a secret."""
    message, position = (*error.args, None, None)[:2]
    return _POINTED_AT.sub("", str(message)), position if isinstance(position, int) else None
