# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a dump's objects with a database's, and generate the SQL that drops the database's."""

from __future__ import annotations

import typing as t
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

from .._backup.plan import LISTED_ENTRY
from .._backup.programs import list_dump
from .._child_process import Child
from .._postgres import Session
from .databases import composed
from .models import RestoreRequest

_IN_SCHEMAS = (
    "SCHEMA -",
    "TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "FOREIGN TABLE",
    "SEQUENCE",
    "FUNCTION",
    "PROCEDURE",
    "AGGREGATE",
    "TYPE",
    "SHELL TYPE",
    "DOMAIN",
    "COLLATION",
    "CONVERSION",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "STATISTICS",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
)

# (kind as pg_restore --list names it, schema, name as it prints it, how to drop it). One row for each object that is
# there by itself and of a role that we may act as: none of an extension, no sequence of a column, no type of a table.
# Needs an empty search_path.
_OBJECTS = """
WITH ours AS (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
), bound AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype IN ('e', 'i') AND objsubid = 0
), relations AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
        WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind
    FROM pg_catalog.pg_class c JOIN ours n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
      AND ('pg_class'::regclass, c.oid) NOT IN (SELECT * FROM bound)
      AND NOT (c.relkind = 'S' AND EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a'))
)
SELECT 1, kind, nspname, relname,
       pg_catalog.format('DROP %s IF EXISTS %I.%I CASCADE', kind, nspname, relname)
FROM relations WHERE kind <> 'TYPE'
UNION ALL
SELECT 2, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, n.nspname,
       p.proname || '(' || COALESCE((
           SELECT pg_catalog.string_agg(pg_catalog.format_type(a.argument, NULL), ', ' ORDER BY a.position)
           FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY AS a (argument, position)), '') || ')',
       pg_catalog.format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
FROM pg_catalog.pg_proc p JOIN ours n ON n.oid = p.pronamespace
WHERE ('pg_proc'::regclass, p.oid) NOT IN (SELECT * FROM bound) AND pg_catalog.pg_has_role(p.proowner, 'USAGE')
UNION ALL
SELECT 3, CASE y.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname, y.typname,
       pg_catalog.format('DROP %s IF EXISTS %I.%I CASCADE', CASE y.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
                         n.nspname, y.typname)
FROM pg_catalog.pg_type y JOIN ours n ON n.oid = y.typnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = y.typrelid
WHERE (y.typtype IN ('d', 'e', 'r') OR (y.typtype = 'c' AND c.relkind = 'c'))
  AND ('pg_type'::regclass, y.oid) NOT IN (SELECT * FROM bound) AND pg_catalog.pg_has_role(y.typowner, 'USAGE')
ORDER BY 1, 2, 3, 4
"""

_SCHEMAS = """
SELECT n.nspname FROM pg_catalog.pg_namespace n
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1
"""


@dataclass(frozen=True)
class DumpEntries:
    """All that `pg_restore --list` printed of a dump, as it was."""

    lines: tuple[str, ...]

    @cached_property
    def entries(self) -> list[str]:
        """The objects without their numbers, in order."""
        listed = filter(None, map(LISTED_ENTRY.match, self.lines))
        return sorted(entry["what"] for entry in listed if entry["catalog"] != "0")

    def knows(self, kind: str, schema: str, name: str) -> bool:
        return any_begins(self.entries, f"{kind} {schema} {name} ")

    def has_schema(self, name: str) -> bool:
        """Whether it makes the schema or something in it; an empty database has `public`."""
        return name == "public" or any(
            any_begins(self.entries, f"{kind} {name} ") for kind in _IN_SCHEMAS
        )


def any_begins(entries: t.Sequence[str], beginning: str) -> bool:
    """Whether one of the sorted entries begins so. A name is printed as it is, on one line, and the owner follows."""
    printed = beginning.replace("\n", " ").replace("\r", " ")
    position = bisect_left(entries, printed)
    return position < len(entries) and entries[position].startswith(printed)


def read_contents(order: RestoreRequest) -> DumpEntries:
    """The dump's table of contents, for which only its beginning is read."""

    def write(running: Child) -> None:
        for chunk in order.bucket.read(order.backup.manifest.key):
            if not running.give(chunk):
                return

    uri, timeout = order.backup.uri, order.timeout
    consequence = "nothing was touched"
    return DumpEntries(
        list_dump(order.pg_restore, uri, write, timeout=timeout, consequence=consequence)
    )


def find_drops(
    session: Session, contents: DumpEntries, others: t.Collection[str]
) -> tuple[list[str], tuple[str, ...]]:
    """DROP statements in the backup's schemas, but for those of other roles, and the objects that the backup lacks.

    All relations go, as --clean cannot order changed ones.
    """
    drops: list[str] = []
    lacking: list[str] = []
    for rank, kind, schema, name, drop in session.rows(_OBJECTS):
        if schema in others or not contents.has_schema(schema):
            continue
        known = contents.knows(kind, schema, name)
        if rank == 1 or not known:
            drops.append(drop)
        if not known:
            lacking.append(f"{kind} {schema}.{name}")
    return drops, tuple(lacking)


def foreign_schemas(
    session: Session, contents: DumpEntries, others: t.Collection[str]
) -> frozenset[str]:
    """The schemas that the backup does not have, or that are not ours to restore."""
    names = (name for (name,) in session.rows(_SCHEMAS))
    return frozenset(name for name in names if name in others or not contents.has_schema(name))


def among(session: Session, schemas: t.Collection[str]) -> str:
    """A condition on n.nspname."""
    if not schemas:
        return "false"
    listed = ", ".join(["%L"] * len(schemas))
    return composed(session, f"n.nspname IN ({listed})", *sorted(schemas))
