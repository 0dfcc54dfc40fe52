# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Which tables a dump holds the rows of, and how many those are: one answer for a backup and for what is restored."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import RefusedError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .._postgres import PostgresTarget, Session

# What pg_dump writes as TABLE DATA: ordinary tables, leaves of partitioned ones among them, in schemas that are not
# the system's; of an extension only the tables it calls its configuration, and of those only the rows it says. A
# standby has no unlogged tables. A name that holds a dot or a quote is quoted, so that schema.table is one table only.
TABLES = """
SELECT c.oid,
       concat(CASE WHEN n.nspname ~ '[."]' THEN quote_ident(n.nspname) ELSE n.nspname END, '.',
              CASE WHEN c.relname ~ '[."]' THEN quote_ident(c.relname) ELSE c.relname END),
       format('%I.%I', n.nspname, c.relname),
       coalesce(e.condition, ''),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
       row_security_active(c.oid),
       n.nspname
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend AS d
         ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
        AND d.deptype = 'e'
  LEFT JOIN (
       SELECT x.oid AS extension, u.relation, u.condition
         FROM pg_catalog.pg_extension AS x, unnest(x.extconfig, x.extcondition) AS u (relation, condition)
       ) AS e ON e.extension = d.refobjid AND e.relation = c.oid
 WHERE c.relkind = 'r'
   AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
   AND (d.objid IS NULL OR e.relation IS NOT NULL)
   AND (c.relpersistence <> 'u' OR NOT pg_is_in_recovery())
 ORDER BY 2
"""

_SETTINGS = (
    "search_path = pg_catalog",
    # As pg_dump has it: an error where a policy would hide rows.
    "row_security = off",
)
_NAMED = 5
_AT_ONCE = 50


@dataclass(frozen=True)
class Table:
    """A table whose rows a dump holds; `name` is schema.table, `identifier` the same as SQL wants it."""

    oid: int
    name: str
    identifier: str
    condition: str
    """The WHERE clause of an extension's configuration, empty for all rows."""
    readable: bool
    filtered: bool
    """Whether row security hides rows from this user."""
    schema: str


def list_tables(session: Session) -> tuple[Table, ...]:
    """The tables whose rows pg_dump would write, by name."""
    return tuple(Table(*row) for row in session.rows(TABLES))


def refuse_unreadable(tables: Sequence[Table], target: PostgresTarget) -> None:
    """pg_dump would fail at the first of these, possibly after an hour."""
    if denied := [table.name for table in tables if not table.readable]:
        raise RefusedError(
            f"User {target.user!r} may not read {_some(denied)} of {target.where}, and a dump "
            "without it is no backup: grant SELECT on it, or back up as another user."
        )
    if filtered := [table.name for table in tables if table.filtered]:
        raise RefusedError(
            f"Row security hides rows of {_some(filtered)} of {target.where} from user "
            f"{target.user!r}, and a dump without them is no backup: grant BYPASSRLS, or back up as "
            "another user."
        )


def begin_reading(session: Session) -> None:
    """All that follows sees one snapshot, whatever the role's own settings are. After a failure, close the session."""
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    for setting in _SETTINGS:
        session.execute(f"SET LOCAL {setting}")


def count_rows(session: Session, tables: Sequence[Table]) -> dict[str, int]:
    """Rows by schema.table, after `begin_reading`; partitioned tables count in their leaves."""
    counted: dict[str, int] = {}
    for first in range(0, len(tables), _AT_ONCE):
        some = tables[first : first + _AT_ONCE]
        # Counting locks the indexes of a table as well; those locks go at once, but the server has room for so many.
        session.execute("SAVEPOINT counting")
        rows = session.rows(" UNION ALL ".join(map(_counting, range(len(some)), some)))
        session.execute("ROLLBACK TO SAVEPOINT counting")
        counted |= {some[number].name: int(count) for number, count in rows}
    return counted


def count_database(session: Session) -> dict[str, int]:
    """The rows of every table whose rows pg_dump would write, but for those that we may not read."""
    begin_reading(session)
    counted = count_rows(session, [one for one in list_tables(session) if one.readable])
    session.execute("COMMIT")
    return counted


def _counting(number: int, table: Table) -> str:
    return f"SELECT {number}, count(*) FROM ONLY {table.identifier} {table.condition}"  # noqa: S608 - quoted by the server


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more tables" if more > 0 else "")
