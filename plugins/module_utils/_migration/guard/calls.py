# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge SET, and the functions a statement calls: known ones by name, those of this run by what their bodies may run.

Conditions of a DO block that look whether something is there are answered as far as the database told. A wrong answer
would leave a branch unread, so whatever may have changed what is there leaves them open.
"""

from __future__ import annotations

import re
import typing as t
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from . import routines
from .models import DEEPEST, Classification, Concern, Concerns, Scope, concern
from .parser import (
    Name,
    Node,
    UnparsableError,
    constant_text,
    parse,
    parse_expression,
    relation_name,
    signature,
    strings,
    to_name,
    walk,
    words,
)
from .routines import Routine, read_definition, read_dynamic, read_texts, with_values
from .world import ObjectState, Path, World


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
    ("pg_catalog", "pg_views"): _View("relation", ("schemaname", "viewname"), frozenset({"view"})),
    ("pg_catalog", "pg_indexes"): _View(
        "relation", ("schemaname", "indexname"), frozenset({"index"})
    ),
    ("pg_catalog", "pg_extension"): _View("extension", ("extname",)),
    ("pg_catalog", "pg_namespace"): _View("schema", ("nspname",)),
    ("information_schema", "table_constraints"): _View(
        "constraint", (*_IN_SCHEMA, "constraint_name")
    ),
    ("pg_catalog", "pg_trigger"): _View("trigger", (None, None, "tgname")),
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
    value = with_values(parse_expression(expression), scope.values)
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
    if kind in ("extension", "schema"):
        return False
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
_SETS = frozenset({"PLpgSQL_stmt_assign", "PLpgSQL_stmt_foreach_a", "fields"})
_MOST = 100
"""Values of a loop that are followed one by one."""
_CONDITION = frozenset({"PLpgSQL_condition"})
_IS_THERE = words(
    "duplicate_object duplicate_table duplicate_function duplicate_schema unique_violation"
)
_STATEMENT_MODE, _EXPRESSION_MODE = 0, 2
_UNNEST = re.compile(r"(?is)\s*SELECT\s+unnest\s*\((.*)\)(?:\s+AS\s+(\w+))?\s*")
_ASSIGNMENT = re.compile(r"\s*([^:=]+?)\s*(?::=|=)(.*)", re.DOTALL)


def judge_plpgsql(function: Node, scope: Scope) -> Concerns:
    """All of a body, with every branch that the database does not rule out; they matter for what is made again."""
    datums = function.get("datums", ())
    yield from _judge_parts(datums, scope)
    variables = [next(iter(each.values())).get("refname", "") for each in datums]
    scope = replace(scope, variables=variables, values=_constants(function, variables))
    yield from _judge_statements([function.get("action", {})], scope)


def _constants(function: Node, variables: t.Sequence[str]) -> dict[str, t.Sequence[str]]:
    """Texts that variables have from their declaration on, and keep."""
    changing = _assigned(function, variables)
    values: dict[str, t.Sequence[str]] = {}
    for datum in function.get("datums", ()):
        query = (
            datum.get("PLpgSQL_var", {}).get("default_val", {}).get("PLpgSQL_expr", {}).get("query")
        )
        texts = read_texts(query, values) if query else None
        name = datum.get("PLpgSQL_var", {}).get("refname", "")
        if texts is not None and name not in changing and variables.count(name) == 1:
            values[name] = texts
    return values


def _assigned(node: Node, variables: t.Sequence[str]) -> set[str]:
    """Variables that statements below it set."""
    return {
        variables[each["varno"]]
        for _key, body in walk(node.get("body", node), _SETS)
        for each in (body if isinstance(body, list) else [body])
        if "varno" in each
    }


def _judge_statements(nodes: t.Sequence[Node], scope: Scope) -> Concerns:
    for node in nodes:
        leaves = _leaves(node, scope)
        for kind, body in node.items():
            yield from _judge_statement(kind.removeprefix(_STATEMENT), body, scope)
        if leaves:
            return
        if leaves is None and node is not nodes[-1]:
            scope = scope.branch()


def _leaves(node: Node, scope: Scope) -> bool | None:
    """Whether what comes after a statement does not run; None when that cannot be told."""
    # The implicit RETURN at the end has no line.
    if not any("lineno" in body for _key, body in walk(node, _LEAVES)):
        return False
    if "PLpgSQL_stmt_return" in node:
        return True
    outcomes: set[bool | None] = set()
    for condition, statements in (
        _branches(node["PLpgSQL_stmt_if"]) if "PLpgSQL_stmt_if" in node else ()
    ):
        holds = answer(condition, scope) if condition else True
        if holds is not False:
            outcomes.add(
                next(
                    (of for of in (_leaves(each, scope) for each in statements) if of is not False),
                    False,
                )
            )
        if holds:
            return outcomes.pop() if len(outcomes) == 1 else None
    return None


def _branches(body: Node) -> t.Iterator[tuple[str, t.Sequence[Node]]]:
    """Of an IF, with their conditions; ELSE, written or not, has none."""
    branches = [(body, "then_body")]
    branches += [(each["PLpgSQL_if_elsif"], "stmts") for each in body.get("elsif_list", ())]
    for branch, statements in branches:
        yield branch["cond"]["PLpgSQL_expr"]["query"], branch.get(statements, ())
    yield "", body.get("else_body", ())


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
    elif values := _values_of_loop(kind, body, scope):
        for name, text in values:
            known = replace(scope, values={**scope.values, name: [text]})
            yield from _judge_parts(body.get("body", []), known)
    else:
        scope = replace(scope, repeated=True) if kind in _LOOPS else scope
        for key, part in body.items():
            if key == "dynquery" or (key == "query" and kind in ("dynexecute", "dynfors")):
                yield from _judge_dynamic(part["PLpgSQL_expr"]["query"], scope)
            else:
                yield from _judge_parts(part, scope)


def _values_of_loop(kind: str, body: Node, scope: Scope) -> list[tuple[str, str]]:
    """The variable and each of its values, if the text tells them: of FOREACH, and of FOR over unnest of an array."""
    query = (
        body.get("expr" if kind == "foreach_a" else "query", {})
        .get("PLpgSQL_expr", {})
        .get("query", "")
    )
    if kind == "foreach_a":
        name = scope.variables[body["varno"]]
    elif kind == "fors" and (unnested := _UNNEST.fullmatch(query)):
        query, column = unnested[1], unnested[2] or "unnest"
        row, record = body["var"].get("PLpgSQL_row", {}), body["var"].get("PLpgSQL_rec", {})
        fields = [each["name"] for each in row.get("fields", ())]
        name = f"{record['refname']}.{column}" if record else "".join(fields)
    else:
        return []
    texts = read_texts(query, scope.values) or ()
    known = (
        len(texts) <= _MOST and "slice" not in body and name not in _assigned(body, scope.variables)
    )
    return [(name, text) for text in texts] if known else []


def _judge_if(body: Node, scope: Scope) -> Concerns:
    """The branches that may be taken, and the conditions that are asked on the way to them."""
    for condition, statements in _branches(body):
        if condition:
            yield from _judge_expression({"query": condition, "parseMode": _EXPRESSION_MODE}, scope)
        holds = answer(condition, scope) if condition else True
        if holds is not False:
            yield from _judge_parts(statements, scope)
        if holds:
            return


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
    text = read_dynamic(query, scope.values)
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
    # Of a GRANT, or of a REVOKE that is no concern, the rest can only be a name.
    names_roles = all("GrantStmt" in node for node, _sql in parse(text.sql))
    if not (text.whole or names_roles) and not any(
        each.verdict is Classification.DESTRUCTIVE for each in issues
    ):
        yield concern("dynamic-sql", "it executes a text partly known only at run time")


_HARMLESS_VALUE = {
    "standard_conforming_strings": ("on", "true", "yes", "1"),
    "client_encoding": ("utf8", "utf-8", "unicode"),
    "session_replication_role": ("origin", "default"),
    "transform_null_equals": ("off", "false", "no", "0"),
    "row_security": ("on", "off", "true", "false"),
}
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(?:,|\Z)')


def judge_set(body: Node, scope: Scope) -> Concerns:
    """A VariableSetStmt."""
    name = body.get("name", "").lower()
    kind = body.get("kind")
    if kind == "VAR_RESET_ALL" or name == "search_path":
        # LOCAL ends with a transaction, and whether there is one is not seen here.
        certain = scope.certain and not body.get("is_local")
        scope.world.set_path(read_path(body, scope.world), certain=certain)
        return
    if kind != "VAR_SET_VALUE":
        return
    yield from judge_value(name, _values(body))
    if name in ("role", "session_authorization"):
        scope.world.dropped = True
        # Another user may have a schema of its own, which is searched first.
        for user in _values(body):
            if scope.world.state("schema", user) is not ObjectState.ABSENT:
                scope.world.set_path(None, certain=False)


def judge_value(name: str, values: t.Sequence[str]) -> Concerns:
    value = values[0].lower() if values else None
    if name in _HARMLESS_VALUE and value not in _HARMLESS_VALUE[name]:
        yield concern("setting", f"it sets {name}, which changes later statements")


def judge_set_config(arguments: t.Sequence[str | None], scope: Scope, *, alone: bool) -> Concerns:
    """A call of set_config; `alone` when it surely runs, once."""
    name, value, *_rest = (*arguments, None, None)
    if name is None:
        yield concern("setting", "it calls set_config with a name known only at run time")
    elif name.lower() == "search_path":
        path = _path_of_text(value, scope.world) if value is not None else None
        scope.world.set_path(path, certain=alone and scope.certain)
    else:
        yield from judge_value(name.lower(), ["?" if value is None else value])


def read_path(body: Node, world: World) -> Path:
    """Of a VariableSetStmt of search_path."""
    if body.get("kind") != "VAR_SET_VALUE":
        return world.default_path
    return _expand(_values(body), world)


def _values(body: Node) -> list[str]:
    return [_value(each.get("A_Const", {})) for each in body.get("args", ())]


def _value(constant: Node) -> str:
    if "boolval" in constant:
        return "true" if constant["boolval"].get("boolval") else "false"
    if "ival" in constant:
        return str(constant["ival"].get("ival", 0))
    return t.cast("str", constant.get("sval", {}).get("sval", ""))


def _path_of_text(text: str, world: World) -> Path:
    names, at = [], 0
    while match := _ITEM.match(text, at):
        names.append(match[1].replace('""', '"') if match[1] is not None else match[2].lower())
        at = match.end()
    return _expand(names, world) if at == len(text.rstrip()) or not text.strip() else None


def _expand(names: t.Sequence[str], world: World) -> Path:
    expanded = [world.catalog.user if name == "$user" else name for name in names]
    return tuple(name for name in expanded if name and name != "pg_catalog")


RUNNING: t.Final = frozenset({"FuncCall", "ColumnRef", "A_Indirection"})
_NAMING = frozenset({"funcname", "names", "objname"})


def judge_running(node: Node, scope: Scope) -> Concerns:
    """The calls in a statement that evaluates them now."""
    for key, body in walk(node, RUNNING):
        yield from judge_called(key, body, node, scope)


def judge_called(key: str, body: Node, node: Node, scope: Scope) -> Concerns:
    """What `walk` found below `node` for RUNNING."""
    if key == "FuncCall":
        alone = len(node.get("targetList", ())) == 1 and "fromClause" not in node
        yield from _judge_call(body, scope, alone=alone)
        return
    # value.function is another way to write function(value).
    named = strings(body.get("fields", ()) or body.get("indirection", ()))
    if named and named[-1] in scope.world.routine_names:
        yield from _judge_defined(Name(None, named[-1]), scope)


def judge_mentioned(node: Node | list[Node], scope: Scope) -> Concerns:
    """The calls in a definition: they run later, or for existing rows, so those known to destroy are told."""
    names = scope.world.routine_names
    if not names:
        return
    mentioned = {
        Name(None, each["String"]["sval"])
        for _key, body in walk(node, _NAMING)
        for each in body[-1:]
        if "String" in each and each["String"].get("sval") in names
    }
    with scope.world.held():
        for name in sorted(mentioned):
            for issue in _judge_defined(name, scope):
                if issue.verdict is Classification.DESTRUCTIVE:
                    yield issue


def judge_call_of(name: Name, scope: Scope) -> Concerns:
    """Of all routines that the name may mean."""
    ours = {signature(routine.types) for routine in scope.world.find_routines(name)}
    another = _may_be_another(scope.world, name)
    yield from _judge_defined(name, scope)
    if another and not _is_harmless(name, scope.world):
        others = list(scope.world.old_routines(name))
        for routine in others:
            if signature(routine.types) not in ours:
                yield from _judge_body(routine, scope)
        if not others:
            yield concern(
                "function", f"it calls {name}(), of which neither files nor database tell"
            )


def judge_definition(sql: str, scope: Scope) -> Concerns:
    """The body of a routine that the database has; `sql` is the whole CREATE."""
    try:
        yield from _judge_body(read_definition(sql), scope)
    except (UnparsableError, ValueError, KeyError):
        yield concern("syntax", "what it does cannot be read")


def _judge_call(call: Node, scope: Scope, *, alone: bool) -> Concerns:
    name = to_name(strings(call["funcname"]))
    system = name.schema in (None, "pg_catalog") and not any(scope.world.find_routines(name))
    if system and name.name == "set_config":
        arguments = [constant_text(each) for each in call.get("args", ())]
        yield from judge_set_config(arguments, scope, alone=alone)
        return
    if system and name.name == "setval":
        yield from _judge_setval(call, scope)
        return
    yield from judge_call_of(name, scope)


def _judge_setval(call: Node, scope: Scope) -> Concerns:
    """Of a sequence by its name, or of a column's, which is as new as its table."""
    argument = (call.get("args") or [{}])[0]
    inner = argument.get("FuncCall", {})
    if strings(inner.get("funcname", ()))[-1:] == ["pg_get_serial_sequence"]:
        argument = (inner.get("args") or [{}])[0]
    text = constant_text(argument)
    name = to_name(text.replace('"', "").split(".")) if text else None
    if name is None or not scope.world.find(name).new:
        yield concern("sequence-changed", f"it sets the existing sequence {name or 'it is told'}")


def _may_be_another(world: World, name: Name) -> bool:
    """Whether the name may mean a routine that this run does not define."""
    ours = {signature(routine.types) for routine in world.find_routines(name)}
    return not ours or any(
        signature(overload.types) not in ours
        for (schema, function), overloads in world.catalog.functions.items()
        if function == name.name and name.schema in (None, schema)
        for overload in overloads
    )


def _is_harmless(name: Name, world: World) -> bool:
    functions = world.catalog.functions
    if name.schema is None:
        shadowed = any(function == name.name for _schema, function in functions)
        return routines.is_harmless(None, name.name) and not shadowed
    if routines.is_harmless(name.schema, name.name):
        return True
    # An extension may be in any schema, and the catalog has no functions of extensions.
    ours = not world.known or (name.schema, name.name) in functions
    return not ours and routines.is_harmless(None, name.name)


def _judge_defined(name: Name, scope: Scope) -> Concerns:
    for routine in scope.world.find_routines(name):
        yield from _judge_body(routine, scope)


def _judge_body(routine: Routine, scope: Scope) -> Concerns:
    if routine.name in scope.calling:
        return
    if scope.depth > DEEPEST:
        yield concern("nesting", f"it calls {routine.name}() too deeply to follow")
        return
    inner = scope.inside(routine.name, routine.sql)
    own_path: AbstractContextManager[None] = nullcontext()
    if routine.set_path:
        own_path = scope.world.searching((read_path(routine.set_path, scope.world),))
    with own_path:
        for issue in _read_body(routine, inner):
            yield _in_body(issue, routine)
    for _statement, lost in inner.unit.unsettled():
        yield _in_body(lost, routine)


def _read_body(routine: Routine, inner: Scope) -> Concerns:
    try:
        if routine.language == "sql":
            for node, sql in routine.statements:
                yield from inner.judge(node, inner.reading(sql))
        elif routine.language == "plpgsql":
            yield from judge_plpgsql(routine.plpgsql, inner)
        else:
            yield concern("language", f"it is in {routine.language}, which is not parsed")
    except UnparsableError as exc:
        yield concern("syntax", f"it cannot be read: {exc}")


def _in_body(issue: Concern, routine: Routine) -> Concern:
    prefix = f"it calls {routine.name}(), and there "
    what = issue.what if issue.what.startswith("it calls ") else prefix + issue.what
    return concern(issue.rule, what)
