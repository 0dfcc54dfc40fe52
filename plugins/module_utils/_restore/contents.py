# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a dump's objects with a database's, and generate the SQL that drops the database's."""

from __future__ import annotations

import re
import typing as t
from bisect import bisect_left
from dataclasses import dataclass

from .._backup.programs import list_dump
from .databases import composed

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from .._child_process import Child
    from .._postgres import Session
    from .._s3 import S3Bucket
    from .models import RestoreRequest

# An entry that is no object of its own, such as a table's rows or a grant, has 0 for its catalog.
_ENTRY = re.compile(r"^\d+; [1-9]\d* \d+ (?P<what>.+)$")
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
    """The objects of a dump as `pg_restore --list` prints them, without their numbers and in order."""

    entries: tuple[str, ...]
    lines: tuple[str, ...] = ()
    """All that was printed, as it was."""

    def knows(self, kind: str, schema: str, name: str) -> bool:
        return self._has(f"{kind} {schema} {name} ")

    def has_schema(self, name: str) -> bool:
        """Whether it makes the schema or something in it; an empty database has `public`."""
        return name == "public" or any(self._has(f"{kind} {name} ") for kind in _IN_SCHEMAS)

    def _has(self, beginning: str) -> bool:
        """A name is printed as it is, blanks and all but on one line, and the owner follows."""
        printed = beginning.replace("\n", " ").replace("\r", " ")
        position = bisect_left(self.entries, printed)
        return position < len(self.entries) and self.entries[position].startswith(printed)


@dataclass(frozen=True)
class DatabaseObject:
    """An object of the database. `extra`: the backup does not know it."""

    rank: int
    description: str
    drop: str
    extra: bool


def read_contents(order: RestoreRequest, bucket: S3Bucket) -> DumpEntries:
    """The dump's table of contents, for which only its beginning is read."""

    def write(running: Child) -> None:
        for chunk in bucket.read(order.backup.manifest.key):
            if not running.give(chunk):
                return

    return parse_entries(
        list_dump(
            order.pg_restore,
            order.backup.uri,
            write,
            timeout=order.timeout,
            consequence="nothing was touched",
        )
    )


def parse_entries(lines: Iterable[str]) -> DumpEntries:
    printed = tuple(lines)
    entries = sorted(entry["what"] for entry in map(_ENTRY.match, printed) if entry)
    return DumpEntries(tuple(entries), printed)


def find_objects(
    session: Session, contents: DumpEntries, others: Collection[str]
) -> tuple[DatabaseObject, ...]:
    """The database's objects in the backup's schemas, without schemas of other roles."""
    return tuple(
        DatabaseObject(
            rank=rank,
            description=f"{kind} {schema}.{name}",
            drop=drop,
            extra=not contents.knows(kind, schema, name),
        )
        for rank, kind, schema, name, drop in session.rows(_OBJECTS)
        if contents.has_schema(schema) and schema not in others
    )


def dropping(objects: Sequence[DatabaseObject]) -> Iterator[str]:
    """DROP statements: for all relations, as --clean cannot order changed ones, and for objects the backup lacks."""
    yield from (f"{item.drop};" for item in objects if item.rank == 1 or item.extra)


def foreign_schemas(session: Session, contents: DumpEntries, others: Collection[str]) -> str:
    """A condition on n.nspname: the schemas that the backup does not have, or that are not ours to restore."""
    names = (name for (name,) in session.rows(_SCHEMAS))
    foreign = [name for name in names if name in others or not contents.has_schema(name)]
    if not foreign:
        return "false"
    return composed(session, f"n.nspname IN ({', '.join(['%L'] * len(foreign))})", *foreign)
