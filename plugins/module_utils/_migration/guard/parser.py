# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that knows pglast: PostgreSQL 18's own parser, for SQL and for the bodies of PL/pgSQL.

Trees are the parser's JSON: a node is a dict with one key, the name of its type. A long INSERT is read in parts, for
its tree takes thirty times the memory of its text. Names and types are read out of the trees.
"""

from __future__ import annotations

import json
import re
import typing as t

from ..._errors import Library
from ..splitter import comments_end

_LONG = 200_000
_PART = 100_000
"""In characters."""

_HEAD = re.compile(
    r"""(?xi)
    INSERT \s+ INTO \s+ (?: \w+ | "[^"]+" ) (?: \s* \. \s* (?: \w+ | "[^"]+" ) )? \s*
    (?: \( [^()']* \) \s* )? VALUES \s* (?= \( )
    """
)
_LITERAL = r"(?: [-+]? [0-9.]++ | '(?: [^'] | '' )*+' | NULL | TRUE | FALSE )"
_LITERALS = re.compile(rf"(?xi) \( \s*+ {_LITERAL} (?: \s*+ , \s*+ {_LITERAL} )*+ \s*+ \)")
_NEXT = re.compile(r"\s*+,\s*+(?=\()")
_TOKEN = re.compile(
    r"""(?xs)
    \b[eE]'(?: [^'\\] | '' | \\. )*+' | '(?: [^'] | '' )*+' | "[^"]*+" | --[^\n]*+ | /\*.*?\*/
  | \$(?P<tag>\w*+)\$ .*? \$(?P=tag)\$ | [()'"$]
    """
)


def in_parts(sql: str) -> t.Iterator[str]:
    """The statement whole, or a long INSERT in parts of some rows each, without most rows of nothing but literals.

    Each part is a statement of its own: the head of the whole, some of its rows, and behind the last what follows them.
    """
    begins = comments_end(sql) if len(sql) > _LONG else None
    head = None if begins is None else _HEAD.match(sql, begins)
    if head is None:
        yield sql
        return
    rows: list[str] = []
    size, at, more = 0, head.end(), True
    while more:
        literals = _LITERALS.match(sql, at)
        end = literals.end() if literals else _end_of_row(sql, at)
        if end is None:
            # It cannot be told into rows, so it is read as it is.
            yield sql
            return
        following = _NEXT.match(sql, end)
        more = following is not None
        if literals is None or not more:
            rows.append(sql[at:end])
            size += end - at
        at = following.end() if following else end
        if more and size > _PART:
            yield sql[: head.end()] + ",".join(rows)
            rows, size = [], 0
    yield sql[: head.end()] + ",".join(rows) + sql[at:]


def _end_of_row(sql: str, at: int) -> int | None:
    depth = 0
    for token in _TOKEN.finditer(sql, at):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")":
            depth -= 1
            if not depth:
                return token.end()
        elif token[0] in ("'", '"'):
            return None
    return None


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
    tree = _read(lambda: _parser.parse_sql_json(sql))
    statements = [each for each in tree.get("stmts", ()) if each.get("stmt")]
    if len(statements) == 1:
        return [Parsed(statements[0]["stmt"], sql)]
    content = sql.encode()
    return [Parsed(each["stmt"], _cut(content, each)) for each in statements]


def parse_expression(sql: str) -> Node | None:
    """None where it is no single one, or reads a table."""
    try:
        statements = parse(f"SELECT {sql}")
    except UnparsableError:
        return None
    query = statements[0].node.get("SelectStmt", {}) if len(statements) == 1 else {}
    targets = query.get("targetList", ())
    if len(targets) != 1 or "fromClause" in query:
        return None
    return t.cast("Node", targets[0]["ResTarget"].get("val", {}))


def parse_constraint(sql: str) -> Node | None:
    """What stands behind ADD CONSTRAINT and its name."""
    try:
        [statement] = parse(f"ALTER TABLE x ADD CONSTRAINT x {sql}")
        command = statement.node["AlterTableStmt"]["cmds"][0]["AlterTableCmd"]
    except (UnparsableError, ValueError):
        return None
    return t.cast("Node", command["def"]["Constraint"])


_IDENTIFIER = r'(?:"[^"]+"|[a-z_]\w*)'
_ARRAY = re.compile(rf'(?i)(?<![\w".])(?!array\b)(?:{_IDENTIFIER}\.)?{_IDENTIFIER}\s*\[\]')


def parse_plpgsql(sql: str) -> Node:
    """The body of the one CREATE FUNCTION, CREATE PROCEDURE or DO that `sql` is."""
    try:
        functions = _read(lambda: _parser.parse_plpgsql_json(sql))
    except UnparsableError:
        # Without a catalog, libpg_query takes an array of a type of the database's own for one of records.
        plain = _ARRAY.sub(lambda match: "text[]".ljust(len(match[0])), sql)
        functions = _read(lambda: _parser.parse_plpgsql_json(plain))
    if len(functions) != 1:
        raise UnparsableError("it has no body of PL/pgSQL", None)
    return t.cast("Node", functions[0]["PLpgSQL_function"])


def _cut(content: bytes, statement: Node) -> str:
    start = statement.get("stmt_location", 0)
    end = start + statement["stmt_len"] if "stmt_len" in statement else len(content)
    return content[start:end].decode()


def _read(parsing: t.Callable[[], str]) -> t.Any:
    try:
        return _JSON.decode(parsing())
    except _parser.ParseError as exc:
        message, position = (*exc.args, None, None)[:2]
        # Without the text that it points at, which may be a part of a secret.
        shown = _POINTED_AT.sub("", str(message))
        raise UnparsableError(shown, position if isinstance(position, int) else None) from exc
    except (ValueError, RecursionError) as exc:
        raise UnparsableError("it is nested too deeply, or has odd characters", None) from exc


HOLE = "deploy_guard_hole_"
"""Begins the names that stand for an identifier only the run will know."""

INPUT_MODES = ("FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC", "FUNC_PARAM_DEFAULT")


class Name(t.NamedTuple):
    """As written: without a schema, the search path decides."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        shown = f"{self.schema}.{self.name}" if self.schema else self.name
        return "a name known only at run time" if HOLE in shown else shown


Types: t.TypeAlias = "tuple[Name, ...]"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def strings(nodes: t.Iterable[Node]) -> list[str]:
    return [node["String"].get("sval", "") for node in nodes if "String" in node]


def to_name(parts: t.Sequence[str]) -> Name:
    return Name(parts[-2] if len(parts) > 1 else None, parts[-1] if parts else "")


def relation_name(range_var: Node) -> Name:
    """Temporary ones are found in a schema of their own."""
    schema = "pg_temp" if range_var.get("relpersistence") == "t" else None
    return Name(range_var.get("schemaname", schema), range_var.get("relname", ""))


def items(node: Node) -> list[Node]:
    return t.cast("list[Node]", node["List"].get("items", [])) if "List" in node else [node]


def type_name(body: Node) -> Name:
    """Without modifiers; those of pg_catalog have no schema, as they are mostly written."""
    schema, name = to_name(strings(body.get("names", ())))
    array = "[]" if body.get("arrayBounds") else ""
    return Name(None if schema == "pg_catalog" else schema, name + array)


def input_types(parameters: t.Iterable[Node]) -> Types:
    """Of a routine's FunctionParameters, those that tell it from others of its name."""
    return tuple(
        type_name(each["FunctionParameter"]["argType"])
        for each in parameters
        if "FunctionParameter" in each and each["FunctionParameter"].get("mode") in INPUT_MODES
    )


def dropped_types(body: Node) -> Types | None:
    """Of an ObjectWithArgs; None when it names the routine alone."""
    if body.get("args_unspecified"):
        return None
    if "objfuncargs" in body:
        return input_types(body["objfuncargs"])
    return tuple(type_name(each.get("TypeName", {})) for each in body.get("objargs", ()))


def signature(types: Types) -> str:
    """Without the schemas of types, for they need not be written."""
    return ",".join(each.name for each in types)


def same_types(types: Types | None, other: Types | None) -> bool:
    """A schema that is not written may be any."""
    if types is None or other is None:
        return types is other
    return len(types) == len(other) and all(
        a.name == b.name and (a.schema == b.schema or None in (a.schema, b.schema))
        for a, b in zip(types, other, strict=True)
    )


def options_of(body: Node, key: str = "options") -> dict[str, Node]:
    """The arguments in a list of DefElem by their names."""
    return {
        each["DefElem"]["defname"]: each["DefElem"].get("arg", {}) for each in body.get(key, ())
    }


def walk(node: t.Any, wanted: frozenset[str]) -> list[tuple[str, t.Any]]:
    """The values of the wanted keys, at any depth below `node`, with their keys."""
    values: list[tuple[str, t.Any]] = []
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            for key, value in current.items():
                if key in wanted:
                    values.append((key, value))
                if isinstance(value, (dict, list)):
                    pending.append(value)
        else:
            pending += [each for each in current if isinstance(each, (dict, list))]
    return values


def constant_text(node: Node) -> str | None:
    """Of a string literal, cast to text or not."""
    while "TypeCast" in node and type_name(node["TypeCast"]["typeName"]).name in (
        "text",
        "varchar",
    ):
        node = node["TypeCast"].get("arg", {})
    value = node.get("A_Const", {})
    return t.cast("str", value["sval"].get("sval", "")) if "sval" in value else None


_OFF = ("false", "off", "no", "0", "")


def to_options(texts: t.Iterable[tuple[str, str]]) -> frozenset[str]:
    """Of names and what is written for them, where a boolean may be `on`."""
    on = [(name, text.lower()) for name, text in texts if text.lower() not in _OFF]
    return frozenset(f"{name}={text}" if name == "check_option" else name for name, text in on)
