# SPDX-License-Identifier: GPL-3.0-or-later
"""What exists while the migrations run: the catalog before them, and on top of it what they made and took away."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

from .catalog import Catalog, Domain, Key
from .parser import HOLE, Name, Node, parse_constraint, strings, to_name, walk
from .routines import Routine, read_definition

Place: t.TypeAlias = "tuple[str, str]"
"""Schema and name."""


Path: t.TypeAlias = "tuple[str, ...] | None"
"""Schemas in the order they are searched, None when that cannot be told."""

TEMPORARY = "pg_temp"
UNPLACED = "?"
"""Stands for the schema of a routine that cannot be told."""
_CALLS = frozenset({"FuncCall"})
_SYSTEM = ("pg_catalog", "information_schema", "pg_toast")


class ObjectState(Enum):
    NEW = "new"
    """Made in this run, so nothing uses it yet."""
    EXISTING = "existing"
    """There before the run, or perhaps there."""
    ABSENT = "absent"


def worst_state(states: t.Iterable[ObjectState]) -> ObjectState:
    there = {*states}
    worst_first = (ObjectState.EXISTING, ObjectState.NEW, ObjectState.ABSENT)
    return next(state for state in worst_first if state in there)


@dataclass(frozen=True)
class NamedObjects:
    """The objects a name may mean, at least one, and the worst state of them."""

    keys: frozenset[tuple[str, str]]
    state: ObjectState

    @property
    def new(self) -> bool:
        return self.state is ObjectState.NEW

    @property
    def sole(self) -> frozenset[tuple[str, str]]:
        """The only one; none where it may mean several."""
        return self.keys if len(self.keys) == 1 else frozenset()

    def may_be_absent(self, statement: Node) -> bool:
        """And then the statement does nothing."""
        return bool(statement.get("missing_ok")) and self.state is ObjectState.ABSENT


@dataclass(frozen=True)
class Trigger:
    """`events` as in the parser: 4 insert, 8 delete, 16 update, 32 truncate."""

    name: str
    events: int
    function: Name


def is_history(target: NamedObjects) -> bool:
    """Whether the name may mean the table in which the Supabase CLI, Prisma or Flyway keeps what it applied."""
    return any(
        name in ("_prisma_migrations", "flyway_schema_history")
        or (name == "schema_migrations" and schema in ("supabase_migrations", ""))
        for schema, name in target.keys
    )


class World:
    """One object for one review. Names of objects that only the run will know are taken to exist."""

    def __init__(self, catalog: Catalog | None) -> None:
        self.known = catalog is not None
        """Whether the database told what it has."""
        self.catalog = catalog or Catalog()
        self.default_path: Path = self.catalog.search_path
        self.paths: tuple[Path, ...] = (self.default_path,)
        """More than one when it depends on what only the run will know."""
        self.routines: dict[tuple[str, str], list[Routine]] = {}
        self.routine_names: set[str] = set()
        self.triggers: dict[tuple[str, str], list[Trigger]] = {}
        self.prepared: dict[str, Node] = {}
        self.calls: dict[Place, set[Name]] = {}
        """Functions of new defaults, CHECKs and views, which statements run that do not name them."""
        self._old_routines: dict[Place, list[Routine]] = {}
        self._objects: dict[Key, ObjectState] = {}
        self._uncertain: set[Key] = set()
        self._temporary: set[Key] = set()
        self._kinds: dict[tuple[str, str], str] = {}
        self._entangled: set[tuple[str, str]] = set()
        self.domains: dict[Place, Domain] = {}
        """Made or altered."""
        self.types_in_use: set[Place] = set()
        """Of columns that existing tables got."""
        self.ruled: set[Place] = set()
        """Tables and views that got a rule."""
        self.index_columns: dict[Place, tuple[str, ...]] = {}
        self.not_null: dict[tuple[str, ...], bool] = {}
        """Columns that this run made so, or no more."""
        self.constraints: dict[tuple[str, ...], Node | None] = {}
        """As they surely are by now, None where one is dropped."""
        self.volatile_names: set[str] = set()
        """Of functions that ALTER FUNCTION made so."""
        self.row_security: dict[tuple[Place, str], frozenset[bool | None]] = {}
        """By table and `enabled` or `forced`: all that it may be by now."""
        self.tables_with_policies: set[Place] = set()
        self.policies_unclear = False
        """Whether a policy was made on a table whose name only the run will know."""
        self.scanned_tables: set[Place] = set()
        """Tables that got an index on an expression or a partial one."""
        self.rows_written = False
        """Whether existing tables may have more rows than the catalog's sizes tell."""
        self.filled: set[Place] = set()
        """New tables with rows of existing ones, so that reading them takes as long."""
        self.moved: set[Place] = set()
        """Tables that have the name of another one, of which the catalog tells."""
        self.unclear = False
        """Whether something may be there, or gone, without a note."""
        self.dropped = False
        """Whether something of before the run may be gone, or out of sight."""
        self.is_held = False

    @contextmanager
    def held(self) -> t.Iterator[None]:
        """While it lasts nothing that is judged changes what exists."""
        before, self.is_held = self.is_held, True
        try:
            yield
        finally:
            self.is_held = before

    @contextmanager
    def searching(self, paths: tuple[Path, ...]) -> t.Iterator[None]:
        before, self.paths = self.paths, paths
        try:
            yield
        finally:
            self.paths = before

    def begin_file(self, *, reset: bool) -> None:
        """Temporary tables are forgotten, whether they last or not; a reset brings the first search path."""
        self.unclear = self.unclear or bool(self._temporary)
        for key in self._temporary:
            self._objects.pop(key, None)
        self._temporary.clear()
        self.paths = (self.default_path,) if reset else self.paths

    def set_path(self, path: Path, *, certain: bool) -> None:
        if not self.is_held:
            self.paths = (path,) if certain else (*self.paths, path)

    def state(self, kind: str, *key: str) -> ObjectState:
        if any(HOLE in part for part in key) or (key[0] in _SYSTEM and kind != "schema"):
            return ObjectState.EXISTING
        known = self._objects.get((kind, *key))
        if known is not None:
            return known
        absent = self.known and self.catalog.has(kind, *key) is False
        return ObjectState.ABSENT if absent else ObjectState.EXISTING

    def create(self, kind: str, *key: str, certain: bool, fresh: bool = True) -> None:
        """`fresh` is false when it may replace one of the same name."""
        holes = any(HOLE in part for part in key)
        if self.is_held or holes:
            self.unclear = self.unclear or holes
            return
        full = (kind, *key)
        known = self._objects.get(full)
        there = self.catalog.has(kind, *key) if self.known else None
        if known is None and (there or (there is None and not fresh)):
            return
        if known is not ObjectState.EXISTING:
            self._objects[full] = ObjectState.NEW
            if key[0] == TEMPORARY:
                self._temporary.add(full)
            (self._uncertain.discard if certain else self._uncertain.add)(full)

    def create_relation(self, name: Name, kind: str, *, certain: bool, fresh: bool = True) -> None:
        """`kind` is table, view, sequence or another word of SQL; of several search paths none is believed."""
        schema = self.creation_place(name)
        if schema is None or self.is_held:
            self.unclear = self.unclear or schema is None
            return
        self.create("relation", schema, name.name, certain=certain, fresh=fresh)
        if self.state("relation", schema, name.name) is ObjectState.NEW:
            self._kinds[schema, name.name] = kind

    def drop(self, kind: str, *key: str, certain: bool) -> None:
        """What is perhaps dropped is perhaps still there."""
        if self.is_held:
            return
        self.dropped = True
        if certain:
            self._objects[(kind, *key)] = ObjectState.ABSENT
        else:
            self._uncertain.add((kind, *key))

    def doubt(self) -> None:
        """A rollback: what was made in this run may be gone."""
        self._uncertain |= {key for key, state in self._objects.items() if state is ObjectState.NEW}

    def move(self, kind: str, key: tuple[str, ...], to: tuple[str, ...], *, certain: bool) -> None:
        """A rename. What may have kept its name is still taken to be there."""
        if self.is_held:
            return
        state = self.state(kind, *key)
        taken = not certain and self.state(kind, *to) is ObjectState.EXISTING
        self._objects[(kind, *to)] = (
            ObjectState.EXISTING if taken or state is ObjectState.ABSENT else state
        )
        if to[0] == TEMPORARY:
            self._temporary.add((kind, *to))
        if certain:
            self._objects[(kind, *key)] = ObjectState.ABSENT
        else:
            self._uncertain |= {(kind, *key), (kind, *to)}
        if kind == "relation" and len(key) == 2:
            self._kinds[to[0], to[1]] = self._kinds.get((key[0], key[1]), "table")
            self.rows_written = True
            self.moved.add((to[0], to[1]))
            for switch in ("enabled", "forced"):
                self.row_security[(to[0], to[1]), switch] = frozenset({None})
            if (key[0], key[1]) in self._entangled:
                self._entangled.add((to[0], to[1]))

    def presence(self, kind: str, pattern: tuple[str | None, ...]) -> bool | None:
        """Whether something of this kind has a key like this, in which None is anything; None when it is open."""
        if not self.known or self.unclear:
            return None
        fits = [
            key
            for key in self._keys(kind)
            if all(p in (None, k) for p, k in zip(pattern, key, strict=True))
        ]
        if any((kind, *key) in self._uncertain for key in fits):
            return None
        if any(self.state(kind, *key) is not ObjectState.ABSENT for key in fits):
            return None if self.dropped else True
        if kind != "column":
            return False
        # Columns of what this run made or moved, of views, and those that come from a parent are not followed.
        added = any(key[0] == "column" and key[3] == pattern[2] for key in self._objects)
        places = self.relations_named(pattern[0], pattern[1])
        plain = all(
            self.catalog.relations.get(place) in ("r", "p", "f")
            and self.state("relation", *place) is ObjectState.EXISTING
            and place not in self.moved
            for place in places
        )
        return False if plain and not added and pattern[1] else None

    def _keys(self, kind: str) -> set[tuple[str, ...]]:
        """Of the database and of this run, those that are gone by now too."""
        made = {key[1:] for key in self._objects if key[0] == kind}
        return made.union(self.catalog.keys(kind))

    def relations_named(self, schema: str | None, name: str | None) -> set[tuple[str, str]]:
        """Those that there are, of any schema if that is None."""
        return {
            (place, of)
            for place, of in self._keys("relation")
            if of == name
            and schema in (None, place)
            and self.state("relation", place, of) is not ObjectState.ABSENT
        }

    def is_system(self, schema: str | None, name: str) -> bool:
        """Whether a name may be one of the server's own relations."""
        if schema is not None:
            return schema in _SYSTEM or schema.startswith("pg_")
        return not self.known or name in self.catalog.system_relations

    def has_default(self, table: tuple[str, str], column: str) -> bool:
        """Whether a column may have one from before this run."""
        known = self.catalog.columns.get((*table, column))
        renamed = ("column", *table, column) in self._objects or table in self.moved
        return renamed or known is None or known.has_default

    def find(self, name: Name, kind: str = "relation") -> NamedObjects:
        """What a relation or type of this name is, over all search paths there may be."""
        candidates = [self._find_on(path, name, kind) for path in self.paths]
        worst = worst_state(state for _key, state in candidates)
        there = [key for key, state in candidates if state is not ObjectState.ABSENT]
        return NamedObjects(frozenset(there or (key for key, _state in candidates)), worst)

    def _find_on(self, path: Path, name: Name, kind: str) -> tuple[tuple[str, str], ObjectState]:
        if name.schema is not None:
            return (name.schema, name.name), self.state(kind, name.schema, name.name)
        if name.name.startswith("pg_") or HOLE in name.name:
            return ("", name.name), ObjectState.EXISTING
        made: tuple[str, str] | None = None
        for schema in self._searched(path, name.name, kind):
            state = self.state(kind, schema, name.name)
            if state is ObjectState.EXISTING:
                return (schema, name.name), state
            if state is ObjectState.NEW:
                made = made or (schema, name.name)
                if (kind, schema, name.name) not in self._uncertain:
                    return made, state
        if made:
            return made, ObjectState.NEW
        return (path[0] if path else "", name.name), ObjectState.ABSENT

    def _searched(self, path: Path, name: str, kind: str) -> list[str]:
        temporary = [TEMPORARY] if (kind, TEMPORARY, name) in self._objects else []
        if path is not None:
            return [*temporary, *path]
        made = [key[1] for key in self._objects if key[0] == kind and key[2:] == (name,)]
        known = self.catalog.schemas.difference(_SYSTEM) if self.known else {""}
        # Where the order cannot be told, what exists comes before what is new.
        return sorted(
            {*made, *known},
            key=lambda schema: self.state(kind, schema, name) is not ObjectState.EXISTING,
        )

    def creation_place(self, name: Name) -> str | None:
        """The schema in which something of this name is made, None when that cannot be told."""
        schemas = {name.schema} if name.schema else {(path or ("",))[0] for path in self.paths}
        (schema, *others) = schemas
        return schema if schema and not others else None

    def create_type(self, name: Name, *, certain: bool) -> None:
        schema = self.creation_place(name)
        if schema is not None:
            self.create("type", schema, name.name, certain=certain)

    def add_routine(self, routine: Routine, *, certain: bool) -> None:
        """It stands beside those of its name with other arguments, and beside the same one if it may not be made."""
        schema = self.creation_place(routine.name)
        if self.is_held:
            return
        known = self.routines.setdefault((schema or UNPLACED, routine.name.name), [])
        if certain:
            known[:] = [each for each in known if each.types != routine.types]
        known.append(routine)
        self.routine_names.add(routine.name.name)

    def find_routines(self, name: Name) -> t.Iterator[Routine]:
        """Those defined in this run that a name may mean; without a schema, those of any."""
        if name.name in self.routine_names:
            for (schema, known), routines in self.routines.items():
                if known == name.name and (name.schema in (None, schema) or schema == UNPLACED):
                    yield from routines

    @cached_property
    def foreign_functions(self) -> frozenset[str]:
        """Names that only functions of the server and of extensions have."""
        ours = {name for _schema, name in self.catalog.functions}
        return frozenset(name for _schema, name in self.catalog.volatile if name not in ours)

    def old_routines(self, name: Name) -> t.Iterator[Routine]:
        """Those of the database that a name may mean and whose text it told; without a schema, those of any."""
        for place, texts in self.catalog.definitions.items():
            if place[1] == name.name and name.schema in (None, place[0]):
                if place not in self._old_routines:
                    self._old_routines[place] = [*map(read_definition, texts)]
                yield from self._old_routines[place]

    def note_calls(self, name: Name, node: t.Any) -> None:
        """Of a definition at a relation that stands in this run."""
        called = {to_name(strings(body["funcname"])) for _key, body in walk(node, _CALLS)}
        for key in self.find(name).keys if called and not self.is_held else ():
            self.calls.setdefault(key, set()).update(called)

    def domain(self, key: Place) -> Domain | None:
        return self.domains.get(key) or self.catalog.domains.get(key)

    def constraint(self, key: tuple[str, ...]) -> Node | None:
        if key not in self.constraints:
            text = self.catalog.constraints.get(t.cast("tuple[str, str, str]", key))
            self.constraints[key] = None if text is None else parse_constraint(text)
        return self.constraints[key]

    def constraints_of(self, table: Place) -> list[Node]:
        keys = {key for key in (*self.catalog.constraints, *self.constraints) if key[:2] == table}
        known = map(self.constraint, keys) if table not in self.moved else ()
        return [each for each in known if each]

    def set_path_of(self, name: Name, setting: Node) -> None:
        """Routines of this name have a search path of their own from now on."""
        for (_schema, known), routines in self.routines.items():
            if known == name.name and not self.is_held:
                routines[:] = [replace(each, set_path=setting) for each in routines]

    def add_trigger(self, table: tuple[str, str], trigger: Trigger) -> None:
        if not self.is_held:
            self.triggers.setdefault(table, []).append(trigger)

    def forget_trigger(self, table: tuple[str, str], name: str) -> None:
        if not self.is_held and table in self.triggers:
            self.triggers[table] = [each for each in self.triggers[table] if each.name != name]

    def kind_of(self, key: tuple[str, str]) -> str:
        """table, view, sequence, ... of a relation."""
        if key in self._kinds:
            return self._kinds[key]
        return _KINDS.get(self.catalog.relations.get(key, "r"), "table")

    def entangle(self, target: NamedObjects) -> None:
        """Rows of new tables that rows of existing ones may hang on."""
        self._entangled |= target.keys

    def rows_are_new(self, name: Name) -> bool:
        """Whether all rows that a statement on it reaches were made in this run."""
        target = self.find(name)
        return target.new and all(
            self.kind_of(key) == "table" and key not in self._entangled for key in target.keys
        )


_KINDS = {
    "v": "view",
    "m": "materialized view",
    "S": "sequence",
    "i": "index",
    "I": "index",
    "f": "foreign table",
    "c": "type",
}
