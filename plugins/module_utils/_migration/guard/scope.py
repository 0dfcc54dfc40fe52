# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a statement stands while it is judged: in which file, below which conditions, in which body."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from itertools import count

from .models import concern
from .parser import same_types
from .world import ObjectState

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .parser import Name, Node, Types
    from .routines import Signature
    from .signatures import Columns
    from .world import World

Place: t.TypeAlias = "tuple[int, ...]"
"""The branches one is in, outermost first: what stands there runs only if all of them are taken."""

DEEPEST = 12


@dataclass
class Drop:
    """An object without data that is gone unless the same file, or the same body, makes it again."""

    statement: int
    kind: str
    names: frozenset[tuple[str, ...]]
    """All that may be meant."""
    types: Types | None
    place: Place
    concern: Concern
    before: Signature | Columns | None = None
    """What callers and readers know it by, where the database told."""
    recreated: bool = False


@dataclass
class Unit:
    """What a replacement must be complete in: a file, or the body of a routine that is called."""

    drops: list[Drop] = field(default_factory=list)
    enabled: list[tuple[int, Name, tuple[str, str]]] = field(default_factory=list)
    """Statements that enable row level security on a table of this run, with its name and key."""
    locked: dict[Name, None] = field(default_factory=dict)
    """Tables of before this run that a statement has locked."""
    branches: Iterator[int] = field(default_factory=lambda: count(1))

    def unsettled(self) -> Iterator[Drop]:
        return (drop for drop in self.drops if not drop.recreated)


def lock_kept(read: Name, scope: Scope) -> Concern:
    """Where the file has locked tables already."""
    locked = ", ".join(map(str, scope.unit.locked))
    what = f"it reads {read} while the file keeps its lock on {locked}"
    return concern("lock-kept", what)


def judge_filled(name: Name, scope: Scope) -> Iterator[Concern]:
    """Of a statement that reads all rows of a table, which may be a new one."""
    if scope.unit.locked and scope.world.find(name).keys & scope.world.facts.filled:
        yield lock_kept(name, scope)


@dataclass(frozen=True)
class Scope:
    """`judge` classes one statement of a tree; `sql` is the text the tree was read from."""

    world: World
    unit: Unit
    judge: t.Callable[[Node, Scope], Iterator[Concern]]
    sql: str
    statement: int = 0
    place: Place = ()
    outside: bool = True
    """Not in a body, so it surely runs."""
    calling: tuple[Name, ...] = ()
    """The routines one is in, outermost first."""
    repeated: bool = False
    """In a loop, so it may run after what stands below it."""
    depth: int = 0

    @property
    def certain(self) -> bool:
        return self.outside and not self.place

    def branch(self) -> Scope:
        return replace(self, place=(*self.place, next(self.unit.branches)))

    def lock(self, name: Name) -> None:
        """A statement keeps writers or everybody out of a table of before this run, until the transaction ends."""
        if self.world.find(name).state is ObjectState.EXISTING:
            self.unit.locked[name] = None

    def loop(self) -> Scope:
        return replace(self, repeated=True)

    def reading(self, sql: str) -> Scope:
        """For a part of the text, which runs where it stands."""
        return self if sql is self.sql else replace(self, sql=sql)

    def executing(self) -> Scope:
        """For a text that is executed."""
        return replace(self, depth=self.depth + 1)

    def inside(self, name: Name, sql: str) -> Scope:
        """For the body of a routine that is called."""
        return replace(
            self,
            unit=Unit(),
            sql=sql,
            place=(),
            outside=False,
            calling=(*self.calling, name),
            depth=self.depth + 1,
        )

    def settle(
        self, kind: str, name: tuple[str, ...], types: Types | None = None
    ) -> tuple[Drop, ...]:
        """What was dropped, and what is made here takes the place of wherever that drop ran."""
        settled: list[Drop] = []
        for drop in self.unit.drops:
            matches = drop.kind == kind and drop.names == {name}
            if types is None or drop.types is None:
                matches = matches and types is drop.types
            else:
                matches = matches and same_types(drop.types, types)
            if matches and drop.place[: len(self.place)] == self.place:
                drop.recreated = True
                settled.append(drop)
        return tuple(settled)
