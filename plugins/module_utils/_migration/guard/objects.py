# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what makes objects and triggers, and remember what was made.

What callers of a routine and readers of a view rely on, and what of it another one in its place has no more.
"""

from __future__ import annotations

import re
import typing as t

from .calls import judge_mentioned
from .columns import is_numbered, note_domain
from .grants import await_grants
from .models import Concerns, Drop, Scope, concern
from .parser import (
    INPUT_MODES,
    Name,
    Node,
    dropped_types,
    input_types,
    items,
    options_of,
    relation_name,
    same_types,
    signature,
    strings,
    to_name,
    to_options,
    type_name,
    walk,
)
from .routines import Columns, Routine, Signature, read_routine
from .tables import judge_partition
from .world import ObjectState, Trigger, World, is_history

_BEFORE = 2
_RETURNS_NULL = re.compile(r"(?i)\breturn\s+null\s*;")


def create_trigger(body: Node, scope: Scope) -> Concerns:
    yield from judge_mentioned(body.get("whenClause", {}), scope)
    table = relation_name(body["relation"])
    target = scope.world.find(table)
    scope.lock(table)
    name, function = body["trigname"], to_name(strings(body["funcname"]))
    if is_history(target):
        yield concern("history", f"it makes the trigger {name} on the history of migrations")
    for key in target.keys:
        settled = scope.settle("trigger", (*key, name))
        fresh = not body.get("replace") and not settled
        scope.world.create("trigger", *key, name, certain=scope.certain, fresh=fresh)
        scope.world.add_trigger(key, Trigger(name, body.get("events", 0), function))
    before = body.get("timing") == _BEFORE and body.get("row")
    if before and not target.new and _swallows(function, scope.world):
        what = f"its function {function}() may return NULL, which drops rows of {table}"
        yield concern("rows-swallowed", what)


def judge_replaced_function(routine: Routine, schema: str, scope: Scope) -> Concerns:
    """Of triggers that the database has."""
    catalog = scope.world.catalog
    place = (schema, routine.name.name)
    if place in catalog.swallowing or not returns_null(routine):
        return
    for (_schema, table, trigger), of in catalog.triggers.items():
        if of.before_row and of.function == place:
            what = f"the trigger {trigger} of {table} may return NULL by it, which drops rows"
            yield concern("rows-swallowed", what)


def _swallows(function: Name, world: World) -> bool:
    made = list(world.find_routines(function))
    if made:
        return any(returns_null(routine) for routine in made)
    return any(
        name == function.name and function.schema in (None, schema)
        for schema, name in world.catalog.swallowing
    )


def returns_null(routine: Routine) -> bool:
    """Whether a RETURN NULL stands in its body, wherever. Thousands of trees of bodies would take gigabytes."""
    return routine.language == "plpgsql" and bool(_RETURNS_NULL.search(routine.text))


_CONSTRAINTS = frozenset({"Constraint"})


def create_table(body: Node, scope: Scope) -> Concerns:
    world, name = scope.world, relation_name(body["relation"])
    certain = scope.certain and body.get("oncommit") != "ONCOMMIT_DROP"
    scope.replace_view(name)
    before = world.find(name).state
    world.create_relation(name, "table", certain=certain)
    if before is not ObjectState.EXISTING:
        world.create_type(name, certain=certain)
        for each in body.get("tableElts", ()):
            column = each.get("ColumnDef", {})
            if is_numbered(column):
                sequence = Name(name.schema, f"{name.name}_{column['colname']}_seq")
                world.create_relation(sequence, "sequence", certain=scope.certain)
    world.note_calls(name, body.get("tableElts", []))
    for _key, each in walk(body.get("tableElts", []), _CONSTRAINTS):
        if "pktable" in each:
            scope.lock(relation_name(each["pktable"]))
    for each in body.get("inhRelations", ()):
        parent = relation_name(each["RangeVar"])
        reached = world.find(parent)
        if "partbound" in body:
            scope.lock(parent)
            if not (body.get("if_not_exists") and before is ObjectState.EXISTING):
                yield from judge_partition(parent, body["partbound"], scope)
        if before is ObjectState.EXISTING:
            world.entangle(reached)


def create_relation(body: Node, scope: Scope) -> None:
    """A sequence or a foreign table."""
    named = body.get("sequence") or body["base"]["relation"]
    kind = "sequence" if "sequence" in body else "foreign table"
    scope.world.create_relation(relation_name(named), kind, certain=scope.certain)


def create_view(body: Node, scope: Scope) -> Concerns:
    name = relation_name(body["view"])
    place = scope.world.creation_place(name)
    settled = scope.settle("view", (place, name.name)) if place is not None else []
    for drop in settled:
        yield from _compare_view(t.cast("Columns | None", drop.before), name, body, scope)
        key = ("relation", place or "", name.name)
        await_grants(key, key, name, scope)
    if settled or body.get("replace"):
        yield from _compare_options((place or "", name.name), name, body, scope.world)
    fresh = not body.get("replace") and not settled
    scope.world.create_relation(name, "view", certain=scope.certain, fresh=fresh)
    scope.world.note_calls(name, body["query"])


def _compare_view(before: Columns | None, name: Name, body: Node, scope: Scope) -> Concerns:
    if before is None:
        return
    again = f"it makes the view {name} again"
    after, whole = view_columns(body, scope.world)
    missing = ", ".join(sorted(before.keys() - after.keys()))
    if missing and not whole:
        what = f"{again}, and whether that has {missing} cannot be told"
        yield concern("replacement-unclear", what)
    elif missing:
        yield concern("replacement-differs", f"{again} without {missing}")
    for column, type_ in before.items():
        other = after.get(column)
        if other is not None and other != type_:
            what = f"{again} with {column} as {other} instead of {type_}"
            yield concern("replacement-differs", what)


def _compare_options(place: tuple[str, str], name: Name, body: Node, world: World) -> Concerns:
    """A view that is made again has those of the new statement alone, even with OR REPLACE."""
    known = world.catalog.view_options
    if world.state("relation", *place) is ObjectState.EXISTING and place in known:
        before, after = known[place], read_options(body)
        for option in sorted(before ^ after):
            word = "without" if option in before else "with"
            yield concern("replacement-differs", f"it makes the view {name} again {word} {option}")


def create_schema(body: Node, scope: Scope) -> Concerns:
    name = body.get("schemaname") or body.get("authrole", {}).get("rolename", "")
    scope.world.create("schema", name, certain=scope.certain)
    paths = tuple((name, *(path or ())) for path in scope.world.paths)
    with scope.world.searching(paths):
        for each in body.get("schemaElts", ()):
            yield from scope.judge(each, scope)


def create_extension(body: Node, scope: Scope) -> None:
    scope.world.create("extension", body["extname"], certain=scope.certain)
    scope.world.unclear = True


def create_type(body: Node, scope: Scope) -> None:
    """An enum, a range, a composite type or a domain."""
    if "typevar" in body:
        name = relation_name(body["typevar"])
    else:
        name = to_name(strings(body.get("domainname") or body["typeName"]))
    scope.world.create_type(name, certain=scope.certain)
    if "domainname" in body:
        note_domain(name, body, scope)


def create_routine(body: Node, scope: Scope) -> Concerns:
    """Its body is judged when something calls it."""
    yield from judge_mentioned(body.get("parameters", []), scope)
    routine = read_routine(body, scope.sql)
    place = scope.world.creation_place(routine.name)
    if place is not None:
        signature_now = read_signature(body)
        settled = _settle_routine((place, routine.name.name), signature_now, scope)
        for drop in settled:
            before = t.cast("Signature | None", drop.before)
            old, now = (
                ("function", place, routine.name.name, signature(types or ()))
                for types in (drop.types, routine.types)
            )
            await_grants(old, now, routine.name, scope)
            for loss in lost_for_callers(before, signature_now) if before else ():
                what = f"it makes {routine.name}() again, which {loss}"
                yield concern("replacement-differs", what)
        scope.world.create(
            "function",
            place,
            routine.name.name,
            signature(routine.types),
            certain=scope.certain,
            fresh=not body.get("replace") and not settled,
        )
        yield from judge_replaced_function(routine, place, scope)
    scope.world.add_routine(routine, certain=scope.certain)


def _settle_routine(name: tuple[str, str], now: Signature, scope: Scope) -> list[Drop]:
    """With the same inputs, or with more of them that have defaults, where no other routine keeps the name."""
    settled = scope.settle("function", name, now.types)
    if settled:
        return settled
    functions = scope.world.catalog.functions.items()
    others = [of for (_schema, other), of in functions if other == name[1]]
    gone = [drop for drop in scope.unit.drops if drop.kind == "function" and name in drop.names]
    if sum(map(len, others)) != len(gone) or name[1] in scope.world.routine_names:
        return []
    for count in range(len(now.types) - now.optional, len(now.types)):
        settled += scope.settle("function", name, now.types[:count])
    return settled


def create_rule(body: Node, scope: Scope) -> Concerns:
    table = relation_name(body["relation"])
    scope.world.ruled |= scope.world.find(table).keys
    if scope.world.find(table).new:
        yield concern("statement", f"it makes a rule that replaces actions on {table}")
    else:
        yield concern("rule-created", f"it replaces actions on the existing {table}")


_DEFINED: t.Final = {
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_OPERATOR": "operator",
    "OBJECT_COLLATION": "collation",
}


def define(body: Node, scope: Scope) -> None:
    """Aggregates, operators, collations, base types and the parts of text search."""
    kind = _DEFINED.get(body["kind"])
    name = to_name(strings(body["defnames"]))
    place = scope.world.creation_place(name)
    if kind and place is not None:
        types = None
        if kind == "aggregate" and body.get("args"):
            types = dropped_types({"objfuncargs": items(body["args"][0])})
        if kind == "operator":
            given = options_of(body, "definition")
            sides = [given[side]["TypeName"] for side in ("leftarg", "rightarg") if side in given]
            types = tuple(map(type_name, sides))
        scope.settle(kind, (place, name.name), types)
    if body["kind"] == "OBJECT_TYPE":
        scope.world.create_type(name, certain=scope.certain)


def create_cast(body: Node, scope: Scope) -> None:
    types = (type_name(body["sourcetype"]), type_name(body["targettype"]))
    scope.settle("cast", ("cast",), types)


def create_statistics(body: Node, scope: Scope) -> None:
    name = to_name(strings(body.get("defnames", ())))
    place = scope.world.creation_place(name)
    if place is not None:
        scope.settle("statistics", (place, name.name))


def read_options(body: Node) -> frozenset[str]:
    """Of a ViewStmt, those that are on, and which check it has of what is written through it."""
    texts = [
        (each["DefElem"]["defname"], _option_text(each["DefElem"].get("arg")))
        for each in body.get("options", ())
    ]
    check = body.get("withCheckOption", "").removesuffix("_CHECK_OPTION").lower()
    return to_options([*texts, ("check_option", check.replace("no", ""))])


def _option_text(arg: Node | None) -> str:
    if arg is None:
        return "true"
    [body] = arg.values()
    return str(next(iter(body.values()), "0"))


Tables: t.TypeAlias = "t.Mapping[str, Columns | None]"

_NAMED_LIKE_THIS = {
    "A_ArrayExpr": "array",
    "CaseExpr": "case",
    "CoalesceExpr": "coalesce",
    "RowExpr": "row",
}


def view_columns(body: Node, world: World) -> tuple[Columns, bool]:
    """Of a ViewStmt; false when it may have more."""
    columns, whole = _columns_of_query(body["query"].get("SelectStmt", {}), {}, world)
    aliases = strings(body.get("aliases", ()))
    if aliases and not whole:
        return dict.fromkeys(aliases), False
    return _renamed(columns, aliases), whole


def _renamed(columns: Columns, aliases: t.Sequence[str]) -> Columns:
    """The first ones have other names."""
    listed = list(columns.items())
    first = [(name, of) for name, (_old, of) in zip(aliases, listed, strict=False)]
    return dict([*first, *listed[len(aliases) :]])


def _columns_of_query(query: Node, ctes: Tables, world: World) -> tuple[Columns, bool]:
    """`ctes` of the queries around it; of a set operation the first part's names, and the types that all parts have."""
    ctes = _with_own(query, ctes, world)
    if "larg" in query:
        (columns, whole), (others, all_there) = (
            _columns_of_query(query[side].get("SelectStmt", query[side]), ctes, world)
            for side in ("larg", "rarg")
        )
        types = list(others.values()) if all_there and len(others) == len(columns) else []
        types = types or [None] * len(columns)
        pairs = zip(columns.items(), types, strict=True)
        return {name: of if of == other else None for (name, of), other in pairs}, whole
    tables = _tables(query, ctes, world)
    parts = [_columns_of(each["ResTarget"], tables) for each in query.get("targetList", ())]
    whole = bool(parts) and all(each is not None for each in parts)
    return {name: of for each in parts for name, of in (each or {}).items()}, whole


def _with_own(query: Node, ctes: Tables, world: World) -> Tables:
    """Each may read those before it, and itself."""
    for node in query.get("withClause", {}).get("ctes", ()):
        cte = node["CommonTableExpr"]
        name, aliases = cte["ctename"], strings(cte.get("aliascolnames", ()))
        inner = {**ctes, name: None}
        ctes = {**inner, name: _whole(cte["ctequery"].get("SelectStmt", {}), aliases, inner, world)}
    return ctes


def _whole(query: Node, aliases: t.Sequence[str], ctes: Tables, world: World) -> Columns | None:
    columns, whole = _columns_of_query(query, ctes, world)
    return _renamed(columns, aliases) if whole else None


def _tables(query: Node, ctes: Tables, world: World) -> Tables:
    """By alias, the columns of each part of FROM; None for what the database cannot tell."""
    tables: dict[str, Columns | None] = {}
    pending = list(query.get("fromClause", ()))
    while pending:
        node = pending.pop(0)
        if "JoinExpr" in node:
            pending[:0] = [node["JoinExpr"]["larg"], node["JoinExpr"]["rarg"]]
            continue
        body: Node = node.get("RangeVar") or node.get("RangeSubselect") or {}
        alias = body.get("alias", {})
        name = alias.get("aliasname") or body.get("relname") or f"?{len(tables)}"
        columns = _columns_of_source(body, ctes, world)
        renamed = strings(alias.get("colnames", ()))
        tables[name] = _renamed(columns, renamed) if columns is not None else None
    return tables


def _columns_of_source(body: Node, ctes: Tables, world: World) -> Columns | None:
    if "subquery" in body:
        return _whole(body["subquery"].get("SelectStmt", {}), (), ctes, world)
    if "relname" not in body:
        return None
    if "schemaname" not in body and body["relname"] in ctes:
        return ctes[body["relname"]]
    target = world.find(relation_name(body))
    if target.state is not ObjectState.EXISTING or not target.sole:
        return None
    columns = {key: of.type for key, of in world.catalog.columns.items() if key[:2] in target.keys}
    # One that this run dropped or renamed is none that `*` means.
    there = (key for key in columns if world.state("column", *key) is not ObjectState.ABSENT)
    return {key[2]: columns[key] for key in there} or None


def _columns_of(target: Node, tables: Tables) -> Columns | None:
    """None when it is a star that cannot be told, or an expression whose name cannot."""
    value = target.get("val", {})
    fields = value.get("ColumnRef", {}).get("fields", ())
    if fields and "A_Star" in fields[-1]:
        named = strings(fields)
        stars = [tables.get(named[-1])] if named else list(tables.values())
        if any(columns is None for columns in stars):
            return None
        return {name: of for columns in stars for name, of in (columns or {}).items()}
    name = target.get("name") or _name_of(value)
    return None if name is None else {name: _type_of(value, tables)}


def _name_of(value: Node) -> str | None:
    """What PostgreSQL calls a column without an alias; None for the rarer expressions."""
    for kind, body in value.items():
        if kind == "ColumnRef":
            named = strings(body["fields"])
            return named[-1] if named else None
        if kind == "FuncCall":
            return strings(body["funcname"])[-1]
        if kind in ("TypeCast", "CollateClause"):
            inner = _name_of(body.get("arg", {}))
            return inner or (type_name(body["typeName"]).name if kind == "TypeCast" else None)
        if kind == "CaseExpr":
            default = body.get("defresult", {})
            return _name_of(default) if "ColumnRef" in default else "case"
        return _NAMED_LIKE_THIS.get(kind)
    return None


def _type_of(value: Node, tables: Tables) -> str | None:
    if "TypeCast" in value:
        return type_name(value["TypeCast"]["typeName"]).name
    named = strings(value.get("ColumnRef", {}).get("fields", ()))
    if len(named) == 1 and len(tables) == 1:
        (columns,) = tables.values()
    elif len(named) == 2:
        columns = tables.get(named[0])
    else:
        return None
    return (columns or {}).get(named[-1]) if columns else None


_OUTPUTS = ("FUNC_PARAM_OUT", "FUNC_PARAM_INOUT", "FUNC_PARAM_TABLE")


def read_signature(body: Node) -> Signature:
    """Of a CreateFunctionStmt."""
    parameters = [each.get("FunctionParameter", {}) for each in body.get("parameters", ())]
    inputs = [each for each in parameters if each.get("mode") in INPUT_MODES]
    modes = {each.get("mode") for each in parameters}
    result = body.get("returnType", {})
    return Signature(
        types=input_types(body.get("parameters", ())),
        names=tuple(each.get("name", "") for each in inputs),
        optional=sum("defexpr" in each for each in inputs),
        variadic="FUNC_PARAM_VARIADIC" in modes,
        procedure=bool(body.get("is_procedure")),
        returns_set=bool(result.get("setof")) or "FUNC_PARAM_TABLE" in modes,
        columns=tuple(
            (each.get("name", ""), type_name(each["argType"]))
            for each in parameters
            if each.get("mode") in _OUTPUTS
        )
        or ((("", type_name(result)),) if result else ()),
    )


def lost_for_callers(old: Signature, new: Signature) -> t.Iterator[str]:
    """A clause for each thing that callers of `old` cannot rely on with `new`, which may have more inputs."""
    if old.procedure != new.procedure:
        yield f"is a {'procedure' if new.procedure else 'function'} now"
    elif not _same_result(old, new):
        yield f"returns {_result(new)} instead of {_result(old)}"
    for number, name in enumerate(old.names):
        if name and name != new.names[number]:
            yield f"calls its parameter {name} {new.names[number] or 'nothing'} now"
    required = len(new.types) - new.optional
    if required > len(old.types) - old.optional:
        yield "has fewer defaults"
    if old.variadic and not new.variadic:
        yield "is no longer VARIADIC"


def _same_result(old: Signature, new: Signature) -> bool:
    if old.returns_set != new.returns_set or len(old.columns) != len(new.columns):
        return False
    return all(
        was == name and same_types((before,), (after,))
        for (was, before), (name, after) in zip(old.columns, new.columns, strict=True)
    )


def _result(of: Signature) -> str:
    listed = ", ".join(f"{name} {type_}".strip() for name, type_ in of.columns)
    listed = f"({listed})" if len(of.columns) > 1 else listed or "nothing"
    return f"a set of {listed}" if of.returns_set else listed
