# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard says about a statement, and the rules by name: the verdict of each, and how to write safely.

A statement is judged where it stands: in which file, below which conditions, in which body.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from itertools import count

from ..splitter import Statement
from .catalog import Grant, Key
from .parser import Name, Node, Types, same_types
from .routines import Columns, Signature
from .world import NamedObjects, ObjectState, World


class Classification(Enum):
    """The mildest first."""

    ADDITIVE = "additive"
    WARNING = "warning"
    """Adds, and may all the same break code that runs. It is told, and stops nothing."""
    UNKNOWN = "unknown"
    """What it does cannot be told from its text."""
    DESTRUCTIVE = "destructive"
    """Takes something away, breaks the code that still runs, or blocks it behind a heavy lock."""


STOPPING: t.Final = (Classification.DESTRUCTIVE, Classification.UNKNOWN)


def worst(verdicts: t.Iterable[Classification]) -> Classification:
    return max(verdicts, key=list(Classification).index, default=Classification.ADDITIVE)


@dataclass(frozen=True)
class Concern:
    """Why something is not additive. `rule` is one stable kebab-case word, the rest are clauses for people."""

    verdict: Classification
    rule: str
    what: str
    safe_way: str


Concerns: t.TypeAlias = "t.Iterator[Concern]"


@dataclass(frozen=True)
class Source:
    """A file that will run, as the splitter cuts it."""

    file: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class MigrationFinding:
    """`statement` counts from 1; `excerpt` has no literals of the file in it."""

    file: str
    line: int
    statement: int
    verdict: Classification
    rule: str
    what: str
    safe_way: str
    excerpt: str

    def to_result(self) -> dict[str, t.Any]:
        return {**asdict(self), "verdict": self.verdict.value}

    def to_line(self) -> str:
        return (
            f"{self.file}, line {self.line}, statement {self.statement} ({self.excerpt}): {self.what} "
            f"[{self.verdict.value}: {self.rule}]"
        )

    def to_sentence(self) -> str:
        return f"{self.to_line()}; {self.safe_way}."


@dataclass(frozen=True)
class Review:
    """In the order the statements run what is not additive and what is warned of; each file's statements by verdict."""

    findings: tuple[MigrationFinding, ...]
    warnings: tuple[MigrationFinding, ...]
    verdicts: dict[str, dict[str, int]]


_LATER = "keep it until nothing uses it, and drop it in a later release with a waiver"
_BACKFILL = "change rows outside of the migration, in batches that can be stopped, or waive it"
_ASK = "rewrite it so that it can be read, or waive it with a reason"

DESTRUCTIVE: t.Final[t.Mapping[str, str]] = {
    "drop-table": _LATER,
    "drop-column": _LATER,
    "drop-type": _LATER,
    "drop-index": _LATER,
    "drop-sequence": _LATER,
    "drop-schema": _LATER,
    "drop-materialized-view": _LATER,
    "drop-extension": _LATER,
    "drop-object": _LATER,
    "drop-not-recreated": "create it again later in the same file, unconditionally, or drop it in a later release",
    "replacement-differs": "give it another name, and drop the old one in a later release",
    "replacement-grants": "GRANT and REVOKE in the same file what the old one had",
    "drop-cascade": "drop what depends on it by name, each with its replacement, without CASCADE",
    "drop-constraint": "create it again in the same file with NOT VALID, or drop it in a later release",
    "drop-default": "keep the default until all code sets the value",
    "rename": "add the new one beside it, and drop the old one in a later release",
    "set-schema": "create it in the other schema, and drop the old one in a later release",
    "owner": "give the other role the privileges it needs with GRANT",
    "column-not-null": "add it with a constant default, or nullable, and SET NOT NULL in a later release",
    "column-rewrite": "add it nullable, SET DEFAULT in a separate statement, and fill old rows in batches",
    "column-constraint": "add the bare column, then the constraint with NOT VALID or over an index built CONCURRENTLY",
    "set-not-null": "ADD CONSTRAINT ... CHECK (... IS NOT NULL) NOT VALID, VALIDATE it, SET NOT NULL later",
    "column-type": "add a column of the new type, fill it in batches, and change over in a later release",
    "column-scanned": "drop the index or CHECK before, and make it again after it, CONCURRENTLY or NOT VALID",
    "constraint-validates": "add it with NOT VALID, and VALIDATE CONSTRAINT in a separate migration",
    "constraint-builds-index": "CREATE UNIQUE INDEX CONCURRENTLY over NOT NULL columns, then ADD ... USING INDEX",
    "index-blocks": "CREATE INDEX CONCURRENTLY, in a separate migration",
    "reindex-blocks": "REINDEX ... CONCURRENTLY",
    "refresh-blocks": "REFRESH MATERIALIZED VIEW CONCURRENTLY",
    "lock-table": "remove the lock: a migration takes what it needs",
    "table-rewrite": "do it in a maintenance window, with a waiver",
    "row-security": "enable it with its policies when the table is created, or waive it once all clients were checked",
    "restrictive-policy": "add it to the permissive policies, or waive it once all clients were checked",
    "trigger-switch": "drop the trigger in a later release, or test a setting in its function",
    "partition": "attach only partitions of this release, and detach in a later one",
    "default-partition": "move rows out of the DEFAULT partition until it is small, or waive it",
    "inherit": "make the child table in this release, and leave existing ones as they are",
    "replica-identity": "use DEFAULT, FULL or an index",
    "rows-updated": _BACKFILL,
    "rows-deleted": _BACKFILL,
    "rows-truncated": _BACKFILL,
    "rows-merged": _BACKFILL,
    "rows-overwritten": "use ON CONFLICT DO NOTHING, which leaves what is there",
    "sequence-changed": "leave existing sequences as they are, or waive it",
    "type-changed": "add a new type beside it, and drop the old one in a later release",
    "revoke": "revoke in a later release, when nothing uses the privilege",
    "role-changed": "change roles outside of migrations, or waive it",
    "publication-changed": "add to it, and remove in a later release",
    "rule-created": "use a trigger on a new table, or waive it",
}

WARNINGS: t.Final[t.Mapping[str, str]] = {
    "reference-changed": "check that running code expects what deletes and updates do now",
    "rows-refused": "check that no running code writes such rows",
    "policy-locks-out": "check that no client needs these rows",
    "no-policy": "add a policy, unless only its owner and roles that bypass row level security use it",
    "rows-swallowed": "check that rows that code needs are returned as NEW",
    "column-filled": "check that the table is small, or fill it outside of the migration in batches",
    "trigger-fires": "check that what it runs is meant for these rows too",
    "lock-kept": "do the long part in a migration before it, or the ALTER in one after it",
    "unique-index": "check first that no rows repeat; drop a failed one, which stays INVALID",
}

UNKNOWN: t.Final[t.Mapping[str, str]] = {
    "syntax": "correct it: the server would refuse it too",
    "statement": _ASK,
    "function": "call it outside of the migration, or define it in the migrations of this run",
    "dynamic-sql": "write the statement out, or build it with format() from %I and %L alone",
    "language": "write it in SQL or PL/pgSQL",
    "nesting": "call less deeply",
    "rollback": "remove it: later statements would run on an unknown state",
    "setting": "remove it, or waive it: it changes the meaning of later statements",
    "server": "change the server outside of migrations, or waive it",
    "copy": "use INSERT",
    "history": "leave it to 'supabase migration repair', 'prisma migrate resolve' or 'flyway repair'",
    "prepared": "write the statement out",
    "table-change": _ASK,
    "replacement-unclear": "name its columns one by one, those it had first",
}


def concern(rule: str, what: str) -> Concern:
    """`what` the statement does, a clause that begins with "it"."""
    if rule in DESTRUCTIVE:
        return Concern(Classification.DESTRUCTIVE, rule, what, DESTRUCTIVE[rule])
    if rule in WARNINGS:
        return Concern(Classification.WARNING, rule, what, WARNINGS[rule])
    return Concern(Classification.UNKNOWN, rule, what, UNKNOWN[rule])


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
    before: Signature | Columns | Node | None = None
    """What callers and readers know it by, or a constraint itself, where the database told."""
    recreated: bool = False


def _privileges(some: t.Collection[Grant], others: t.Collection[Grant]) -> str:
    """Those of `some` that nobody has by `others`, listed."""
    lost = {each for each in some if not {each, Grant("", each.privilege)} & {*others}}
    return ", ".join(sorted(f"{each.privilege} of {each.role or 'PUBLIC'}" for each in lost))


@dataclass
class Regrant:
    """An object that was made again: the privileges that it had, and those that it has by now."""

    statement: int
    key: Key
    name: Name
    place: Place
    before: frozenset[Grant]
    after: frozenset[Grant]

    def revoke(self, meant: t.Callable[[Grant], bool]) -> None:
        self.after = frozenset(each for each in self.after if not meant(each))

    @property
    def concerns(self) -> Concerns:
        for word, some, others in (
            ("without", self.before, self.after),
            ("with", self.after, self.before),
        ):
            if listed := _privileges(some, others):
                yield concern("replacement-grants", f"it makes {self.name} again {word} {listed}")


@dataclass
class Revoked(Regrant):
    """Privileges on an object of before: a later GRANT of the file may give them back."""

    def revoke(self, meant: t.Callable[[Grant], bool]) -> None:
        """What is taken later is of a statement of its own."""

    @property
    def concerns(self) -> Concerns:
        if listed := _privileges(self.before, self.after):
            yield concern("revoke", f"it revokes {listed} on {self.name}")


@dataclass
class Unit:
    """What a replacement must be complete in: a file, or the body of a routine that is called."""

    drops: list[Drop] = field(default_factory=list)
    enabled: list[tuple[int, Name, tuple[str, str]]] = field(default_factory=list)
    """Statements that enable row level security on a table of this run, with its name and key."""
    locked: dict[Name, None] = field(default_factory=dict)
    """Tables of before this run that a statement has locked."""
    branches: t.Iterator[int] = field(default_factory=lambda: count(1))
    regrants: list[Regrant] = field(default_factory=list)

    def regrant(
        self,
        keys: t.Collection[Key | None],
        is_meant: t.Callable[[Grant], bool],
        place: Place,
        *,
        given: bool,
    ) -> None:
        """What is granted or revoked where it surely runs. More than it had is granted on purpose."""
        for each in self.regrants:
            if each.key in keys and each.place[: len(place)] == place:
                if given:
                    each.after |= {*filter(is_meant, each.before)}
                else:
                    each.revoke(is_meant)

    def granted(self, key: Key, place: Place, first: frozenset[Grant]) -> frozenset[Grant]:
        """What the object has by now of the privileges that it had at first, so far as that is sure."""
        return next(
            (
                each.after
                for each in reversed(self.regrants)
                if isinstance(each, Revoked) and (each.key, each.place) == (key, place)
            ),
            first,
        )

    def unsettled_drops(self) -> t.Iterator[Drop]:
        return (drop for drop in self.drops if not drop.recreated)

    def unsettled(self) -> t.Iterator[tuple[int, Concern]]:
        """Of statements by their numbers."""
        yield from ((drop.statement, drop.concern) for drop in self.unsettled_drops())
        yield from ((each.statement, lost) for each in self.regrants for lost in each.concerns)


@dataclass(frozen=True)
class Alter:
    """One command of ALTER TABLE, and what the name of the table may mean."""

    command: Node
    name: Name
    target: NamedObjects
    scope: Scope

    @property
    def subtype(self) -> str:
        return str(self.command["subtype"])

    @property
    def part(self) -> str:
        """The name of the column, the constraint or the trigger."""
        return str(self.command.get("name", ""))

    def drops_nothing_old(self, kind: str) -> bool:
        states = self.states(kind)
        absent = self.command.get("missing_ok") and states == {ObjectState.ABSENT}
        return bool(absent) or states == {ObjectState.NEW}

    def states(self, kind: str, part: str | None = None) -> set[ObjectState]:
        """All that `part`, or the one that the command names, may have."""
        named = self.part if part is None else part
        return {self.scope.world.state(kind, *key, named) for key in self.target.keys}


def lock_kept(read: Name, scope: Scope) -> Concern:
    """Where the file has locked tables already."""
    locked = ", ".join(map(str, scope.unit.locked))
    what = f"it reads {read} while the file keeps its lock on {locked}"
    return concern("lock-kept", what)


def judge_filled(name: Name, scope: Scope) -> Concerns:
    """Of a statement that reads all rows of a table, which may be a new one."""
    if scope.unit.locked and scope.world.find(name).keys & scope.world.filled:
        yield lock_kept(name, scope)


@dataclass(frozen=True)
class Scope:
    """`judge` classes one statement of a tree; `sql` is the text the tree was read from."""

    world: World
    unit: Unit
    judge: t.Callable[[Node, Scope], Concerns]
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
    variables: t.Sequence[str] = ()
    """Of PL/pgSQL, by their numbers."""
    values: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    """Texts of variables, where they can be told; of an array all of them."""

    @property
    def certain(self) -> bool:
        return self.outside and not self.place

    def branch(self) -> Scope:
        return replace(self, place=(*self.place, next(self.unit.branches)))

    def lock(self, name: Name) -> None:
        """A statement keeps writers or everybody out of a table of before this run, until the transaction ends."""
        if self.world.find(name).state is ObjectState.EXISTING:
            self.unit.locked[name] = None

    def reading(self, sql: str) -> Scope:
        """For a part of the text, which runs where it stands."""
        return self if sql is self.sql else replace(self, sql=sql)

    def inside(self, name: Name, sql: str) -> Scope:
        """For the body of a routine that is called."""
        return replace(
            self,
            unit=Unit(locked=self.unit.locked),
            sql=sql,
            place=(),
            outside=False,
            calling=(*self.calling, name),
            depth=self.depth + 1,
        )

    def settle(self, kind: str, name: tuple[str, ...], types: Types | None = None) -> list[Drop]:
        """What was dropped, and what is made here takes the place of wherever that drop ran."""
        settled = [
            drop
            for drop in self.unit.drops
            if (drop.kind, drop.names) == (kind, frozenset({name}))
            and drop.place[: len(self.place)] == self.place
            and same_types(drop.types, types)
        ]
        for drop in settled:
            drop.recreated = True
        return settled

    def replace_view(self, name: Name) -> None:
        """A table or materialized view that gets the name of a view that this file surely dropped is a new one."""
        place = self.world.creation_place(name)
        for drop in self.unit.unsettled_drops():
            if drop.names == {(place, name.name)} and self.place[: len(drop.place)] == drop.place:
                self.world.drop("relation", *min(drop.names), certain=True)

    def await_replacement(
        self,
        kind: str,
        names: frozenset[tuple[str, ...]],
        lost: Concern,
        types: Types | None = None,
        before: Signature | Columns | Node | None = None,
    ) -> None:
        """Of an object that this statement drops."""
        drop = Drop(self.statement, kind, names, types, self.place, lost, before)
        self.unit.drops.append(drop)
        self.world.dropped = True
