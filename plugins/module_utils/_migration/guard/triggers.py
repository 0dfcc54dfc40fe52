# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge triggers, and functions of triggers, that make rows of existing tables go nowhere."""

from __future__ import annotations

import typing as t

from .calls import find_routines
from .names import Name, relation_name, strings, to_name, walk
from .parser import Node, UnparsableError
from .rules import concern
from .world import Trigger, is_history

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .routine import Routine
    from .scope import Scope
    from .world import World

_BEFORE = 2
_RETURN = frozenset({"PLpgSQL_stmt_return"})


def create_trigger(body: Node, scope: Scope) -> Iterator[Concern]:
    table = relation_name(body["relation"])
    found = scope.world.find(table)
    scope.lock(table)
    name, function = body["trigname"], to_name(strings(body["funcname"]))
    if is_history(found):
        yield concern("history", f"it makes the trigger {name} on the history of migrations")
    for key in found.keys:
        settled = scope.settle("trigger", (*key, name))
        fresh = not body.get("replace") and not settled
        scope.world.create("trigger", *key, name, certain=scope.certain, fresh=fresh)
        scope.world.add_trigger(key, Trigger(name, body.get("events", 0), function))
    before = body.get("timing") == _BEFORE and body.get("row")
    if before and not found.new and _swallows(function, scope.world):
        yield concern(
            "rows-swallowed",
            f"its function {function}() may return NULL, which drops rows of {table}",
        )


def judge_replaced_function(routine: Routine, schema: str, scope: Scope) -> Iterator[Concern]:
    """Of triggers that the database has."""
    catalog = scope.world.catalog
    place = (schema, routine.name.name)
    if catalog is None or place in catalog.swallowing or not returns_null(routine):
        return
    for (_schema, table, trigger), of in catalog.triggers.items():
        if of.before_row and of.function == place:
            yield concern(
                "rows-swallowed",
                f"the trigger {trigger} of {table} may return NULL by it, which drops rows",
            )


def _swallows(function: Name, world: World) -> bool:
    made = list(find_routines(world, function))
    if made:
        return any(returns_null(routine) for routine in made)
    known = world.catalog.swallowing if world.catalog else ()
    return any(
        name == function.name and function.schema in (None, schema) for schema, name in known
    )


def returns_null(routine: Routine) -> bool:
    """Whether a RETURN NULL stands in its body, wherever."""
    if routine.language != "plpgsql":
        return False
    try:
        body = routine.plpgsql
    except UnparsableError:
        return False
    returned = [
        each.get("expr", {}).get("PLpgSQL_expr", {}).get("query", "")
        for _key, each in walk(body, _RETURN)
    ]
    return any(query.strip().lower() == "null" for query in returned)
