# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge policies: those that hide rows, those that let nobody through, and tables that have none."""

from __future__ import annotations

import typing as t

from .conditions import is_never
from .names import HOLE, relation_name
from .rules import concern
from .world import State

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .names import Name
    from .parser import Node
    from .scope import Scope
    from .world import World


def create_policy(body: Node, scope: Scope) -> Iterator[Concern]:
    table = relation_name(body["table"])
    found = scope.world.find(table)
    scope.lock(table)
    name = body["policy_name"]
    settled = False
    for key in found.keys:
        settled = bool(scope.settle("policy", (*key, name))) or settled
        scope.world.create("policy", *key, name, certain=scope.certain, fresh=not settled)
        scope.world.facts.tables_with_policies.add(key)
    if HOLE in table.name:
        scope.world.facts.policies_unclear = True
    if found.new:
        return
    if not body.get("permissive") and not settled:
        yield concern(
            "restrictive-policy", f"it hides rows of {table} from clients that see them now"
        )
    else:
        yield from _judge_condition(table, name, body)


def alter_policy(body: Node, scope: Scope) -> Iterator[Concern]:
    table = relation_name(body["table"])
    scope.lock(table)
    if not scope.world.find(table).new:
        yield from _judge_condition(table, body["policy_name"], body)


def _judge_condition(table: Name, policy: str, body: Node) -> Iterator[Concern]:
    for part, what in (("qual", "see or change a row"), ("with_check", "write a row")):
        if part in body and is_never(body[part]):
            yield concern(
                "policy-locks-out", f"by its policy {policy!r} nobody may {what} of {table}"
            )
            return


def note_enabled(table: Name, key: tuple[str, str], scope: Scope) -> None:
    """Of a table of this run, whose policies may come in any later statement."""
    scope.unit.enabled.append((scope.statement, table, key))


def without_policy(
    enabled: t.Iterable[tuple[int, Name, tuple[str, str]]], world: World
) -> Iterator[tuple[int, Concern]]:
    """At the end of the run, for the statements that enabled it, by their indexes."""
    for statement, table, key in enabled:
        gone = world.state("relation", *key) is State.ABSENT
        if not (gone or key in world.facts.tables_with_policies or world.facts.policies_unclear):
            yield (
                statement,
                concern(
                    "no-policy",
                    f"it enables row level security on {table}, and no policy lets anybody through",
                ),
            )
