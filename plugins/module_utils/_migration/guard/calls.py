# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the functions a statement calls: known ones by name, those of this run by their bodies. Judge SET too."""

from __future__ import annotations

import re
import typing as t
from contextlib import AbstractContextManager, nullcontext

from . import routines
from .models import DEEPEST, Classification, Concern, Concerns, Scope, concern
from .parser import (
    Name,
    Node,
    UnparsableError,
    constant_text,
    parse,
    signature,
    strings,
    to_name,
    walk,
)
from .plpgsql import judge_plpgsql
from .routines import Routine, read_routine
from .world import ObjectState, Path, World

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
        scope.world.facts.dropped = True
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
_WORD = re.compile(r"\w+")


def judge_running(node: Node, scope: Scope) -> Concerns:
    """The calls in a statement that evaluates them now."""
    for key, body in walk(node, RUNNING):
        yield from judge_called(key, body, node, scope)


def judge_called(key: str, body: Node, node: Node, scope: Scope) -> Concerns:
    """What `walk` found below `node` for RUNNING."""
    if key == "FuncCall":
        alone = len(node.get("targetList", ())) == 1 and "fromClause" not in node
        yield from _judge_call(body, scope, alone=alone)
    elif scope.world.routine_names:
        # value.function is another way to write function(value).
        yield from _judge_attribute(body, scope)


def judge_mentioned(node: Node | list[Node], scope: Scope) -> Concerns:
    """The calls in a definition: they run later, or for existing rows, so those known to destroy are told."""
    if not _may_mention(scope):
        return
    names = scope.world.routine_names
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


def _may_mention(scope: Scope) -> bool:
    """A quick look at the words of the text, before the tree is searched."""
    names = scope.world.routine_names
    if not names:
        return False
    text = scope.sql.lower()
    return (
        "u&" in text or scope.world.odd_routine_names or not names.isdisjoint(_WORD.findall(text))
    )


def judge_call_of(name: Name, scope: Scope) -> Concerns:
    """A routine that is called by its name alone, as a trigger's is."""
    another = _may_be_another(scope.world, name)
    yield from _judge_defined(name, scope)
    if another:
        yield concern("function", f"it calls {name}(), which is not defined in these files")


def judge_definition(sql: str, scope: Scope) -> Concerns:
    """The body of a routine that the database has; `sql` is the whole CREATE."""
    try:
        [parsed] = parse(sql)
    except (UnparsableError, ValueError):
        yield concern("syntax", "what it does cannot be read")
        return
    if "CreateFunctionStmt" in parsed.node:
        yield from _judge_body(read_routine(parsed.node["CreateFunctionStmt"], sql), scope)


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
    another = _may_be_another(scope.world, name)
    yield from _judge_defined(name, scope)
    if another and not _is_harmless(name, scope.world):
        yield concern("function", f"it calls {name}(), which is not defined in these files")


def _judge_attribute(body: Node, scope: Scope) -> Concerns:
    named = strings(body.get("fields", ()) or body.get("indirection", ()))
    if named and named[-1] in scope.world.routine_names:
        yield from _judge_defined(Name(None, named[-1]), scope)


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
    for drop in inner.unit.unsettled():
        yield _in_body(drop.concern, routine)


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
