# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a database has before the migrations run, but for what is the system's or an extension's own."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.names import (
    Name,
    signature,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.names import Types
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session

Key: t.TypeAlias = "tuple[str, ...]"
"""A kind of object, then its schema, its table where it belongs to one, and its name."""


@dataclass(frozen=True)
class Column:
    """`modifier` as in pg_attribute.atttypmod, -1 without one."""

    type: str
    modifier: int
    not_null: bool


@dataclass(frozen=True)
class Catalog:
    """Keys are schema and name, or schema, table and name; of a function schema, name and signature."""

    search_path: tuple[str, ...] = ("public",)
    user: str = ""
    schemas: frozenset[str] = frozenset({"public"})
    relations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """To pg_class.relkind."""
    columns: Mapping[tuple[str, str, str], Column] = field(default_factory=dict)
    constraints: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """To pg_constraint.contype."""
    types: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """To pg_type.typtype, 'e' for an enum and 'd' for a domain."""
    functions: Mapping[tuple[str, str], tuple[Types, ...]] = field(default_factory=dict)
    policies: frozenset[tuple[str, str, str]] = frozenset()
    triggers: frozenset[tuple[str, str, str]] = frozenset()
    rules: frozenset[tuple[str, str, str]] = frozenset()
    extensions: frozenset[str] = frozenset()

    def has(self, kind: str, *key: str) -> bool | None:
        """None when objects of this kind are not known."""
        known: Mapping[str, t.Any] = {
            "relation": self.relations,
            "column": self.columns,
            "constraint": self.constraints,
            "type": self.types,
            "policy": self.policies,
            "trigger": self.triggers,
            "rule": self.rules,
        }
        if kind == "schema":
            return key[0] in self.schemas
        if kind == "extension":
            return key[0] in self.extensions
        if kind == "function":
            there = self.functions.get((key[0], key[1]), ())
            return key[2] in {signature(types) for types in there}
        return key in known[kind] if kind in known else None

    @property
    def function_names(self) -> frozenset[str]:
        return frozenset(name for _schema, name in self.functions)


_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_RELATIONS = f"""
SELECT n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
"""  # noqa: S608 - constants
_COLUMNS = f"""
SELECT n.nspname, c.relname, a.attname, t.typname, a.atttypmod, a.attnotnull
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {_OURS}
"""  # noqa: S608 - constants
_CONSTRAINTS = f"""
SELECT n.nspname, c.relname, k.conname, k.contype
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
"""  # noqa: S608 - constants
_TYPES = f"""
SELECT n.nspname, t.typname, t.typtype
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'c', 'r') AND {_OURS}
"""  # noqa: S608 - constants
_FUNCTIONS = f"""
SELECT n.nspname, p.proname, ARRAY(
  SELECT CASE WHEN e.oid IS NULL THEN CASE tn.nspname WHEN 'pg_catalog' THEN '' ELSE tn.nspname END || '.' || t.typname
    ELSE CASE en.nspname WHEN 'pg_catalog' THEN '' ELSE en.nspname END || '.' || e.typname || '[]' END
  FROM unnest(p.proargtypes) WITH ORDINALITY AS u (oid, place)
  JOIN pg_catalog.pg_type t ON t.oid = u.oid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
  LEFT JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace
  ORDER BY u.place)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE {_OURS} AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""  # noqa: S608 - constants
_POLICIES = f"""
SELECT n.nspname, c.relname, p.polname FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
"""  # noqa: S608 - constants
_TRIGGERS = f"""
SELECT n.nspname, c.relname, t.tgname FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND {_OURS}
"""  # noqa: S608 - constants
_RULES = f"""
SELECT n.nspname, c.relname, r.rulename FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND {_OURS}
"""  # noqa: S608 - constants


def read_catalog(session: Session) -> Catalog:
    """Of the session's database, with the session's user and search path."""
    path = session.rows("SELECT pg_catalog.current_schemas(false)::text[], session_user::text")
    functions: dict[tuple[str, str], list[Types]] = {}
    for schema, name, types in session.rows(_FUNCTIONS):
        functions.setdefault((schema, name), []).append(tuple(map(_to_type, types)))
    schemas = session.rows("SELECT nspname FROM pg_catalog.pg_namespace")
    extensions = session.rows("SELECT extname FROM pg_catalog.pg_extension")
    return Catalog(
        search_path=tuple(path[0][0]) if path else ("public",),
        user=str(path[0][1]) if path else "",
        schemas=frozenset(str(row[0]) for row in schemas),
        relations={(row[0], row[1]): row[2] for row in session.rows(_RELATIONS)},
        columns={
            (row[0], row[1], row[2]): Column(row[3], row[4], row[5])
            for row in session.rows(_COLUMNS)
        },
        constraints={(row[0], row[1], row[2]): row[3] for row in session.rows(_CONSTRAINTS)},
        types={(row[0], row[1]): row[2] for row in session.rows(_TYPES)},
        functions={name: tuple(each) for name, each in functions.items()},
        policies=frozenset((row[0], row[1], row[2]) for row in session.rows(_POLICIES)),
        triggers=frozenset((row[0], row[1], row[2]) for row in session.rows(_TRIGGERS)),
        rules=frozenset((row[0], row[1], row[2]) for row in session.rows(_RULES)),
        extensions=frozenset(str(row[0]) for row in extensions),
    )


def _to_type(text: str) -> Name:
    schema, _dot, name = text.partition(".")
    return Name(schema or None, name)
