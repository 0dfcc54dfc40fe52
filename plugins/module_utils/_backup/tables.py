# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a database is dumped and how many rows it has, and whether the server lets a dump in.

Only a database's owner may leave out unreadable tables: for other users they are a mistake. A superuser owns all.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from .. import _postgres
from .._errors import NotReadyError, RefusedError
from .._formats import listed
from .._postgres import PostgresTarget, Session
from .._threads import LateError, begin
from .rights import RIGHTS, DatabaseRights, parse_rights

CURE = "raise max_locks_per_transaction of the server and restart it"
_FULL = "out of shared memory"


def cure(message: str) -> str:
    """The remedy for a server's message that its lock table is full; empty for another message."""
    return f" No room for one more lock: {CURE}." if _FULL in message else ""


_SCHEMAS = """
SELECT n.nspname FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND pg_catalog.pg_has_role(d.datdba, 'USAGE') AND NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE')
ORDER BY 1
"""

# pg_dump locks every table that it describes and reads every sequence; of an extension only its configuration.
_CLOSED = """
SELECT pg_catalog.format('%%s %%I.%%I', CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, c.relname),
       pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'S')
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
        AND NOT (c.oid = ANY (COALESCE(x.extconfig, '{}'))))
  AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
           AND NOT pg_catalog.row_security_active(c.oid))
ORDER BY 1
"""


@dataclass(frozen=True)
class ForeignSchemas:
    schemas: tuple[str, ...]
    """Those of other roles, by name."""
    closed: tuple[str, ...]
    """Tables and sequences in them that we may not read whole, as SQL wants them."""
    left_out: tuple[str, ...]
    """The same for people, for example `table auth.schema_migrations`."""


def find_others(session: Session) -> ForeignSchemas:
    schemas = [name for (name,) in session.rows(_SCHEMAS)]
    unreadable = session.rows(_CLOSED, (schemas,)) if schemas else []
    return ForeignSchemas(
        schemas=tuple(schemas),
        closed=tuple(identifier for _description, identifier in unreadable),
        left_out=tuple(description for description, _identifier in unreadable),
    )


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

_NAMED = 5
_AT_ONCE = 50


@dataclass(frozen=True)
class DumpedTable:
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


def list_tables(session: Session) -> tuple[DumpedTable, ...]:
    """The tables whose rows pg_dump would write, by name."""
    return tuple(DumpedTable(*row) for row in session.rows(TABLES))


def refuse_unreadable(tables: t.Sequence[DumpedTable], target: PostgresTarget) -> None:
    """pg_dump would fail at the first of these, possibly after an hour."""
    if denied := [table.name for table in tables if not table.readable]:
        raise RefusedError(
            f"User {target.user!r} may not read {listed(denied, _NAMED)} of {target.where}, and a dump "
            "without it is no backup: grant SELECT on it, or back up as another user."
        )
    if filtered := [table.name for table in tables if table.filtered]:
        raise RefusedError(
            f"Row security hides rows of {listed(filtered, _NAMED)} of {target.where} from user "
            f"{target.user!r}, and a dump without them is no backup: grant BYPASSRLS, or back up as "
            "another user."
        )


def begin_reading(session: Session) -> None:
    """Begin one snapshot for all later statements, whatever the role's settings. After a failure, close the session."""
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    session.execute("SET LOCAL search_path = pg_catalog")
    # As pg_dump has it: an error where a policy would hide rows.
    session.execute("SET LOCAL row_security = off")


def count_rows(session: Session, tables: t.Sequence[DumpedTable]) -> dict[str, int]:
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
    """Rows of every table that pg_dump would write, without those that we may not read."""
    begin_reading(session)
    counted = count_rows(session, [table for table in list_tables(session) if table.readable])
    session.execute("COMMIT")
    return counted


def _counting(number: int, table: DumpedTable) -> str:
    return f"SELECT {number}, count(*) FROM ONLY {table.identifier} {table.condition}"  # noqa: S608 - quoted by the server


@dataclass(frozen=True)
class ExportedSnapshot:
    """The snapshot that pg_dump and we share during the block of `exported_snapshot`."""

    identifier: str
    tables: tuple[DumpedTable, ...]
    others: ForeignSchemas
    rights: DatabaseRights
    """Of all objects that are dumped."""
    _session: _postgres.Session
    _target: PostgresTarget

    @contextmanager
    def counting(self) -> t.Iterator[t.Callable[[float], dict[str, int]]]:
        """Count beside the block, at whose end counting stops. Yields the rows by table, within so many seconds."""
        counts = begin(lambda: count_rows(self._session, self.tables))

        def result(within: float) -> dict[str, int]:
            try:
                return counts.result(within)
            except LateError as exc:
                raise NotReadyError(
                    f"The rows of {self._target.where} were not counted within {within:.0f} s after its dump; nothing "
                    "was kept. Raise option 'timeout'."
                ) from exc
            except _postgres.SqlError as exc:
                raise RefusedError(
                    f"The rows of {self._target.where} cannot be counted, nothing was kept: {exc}."
                ) from exc

        try:
            yield result
        finally:
            if not counts.done():
                self._session.cancel()
                # The session must not be used or closed while a thread waits for its answer.
                with suppress(Exception):
                    counts.result()


@contextmanager
def exported_snapshot(target: PostgresTarget, *, lock_timeout: int) -> t.Iterator[ExportedSnapshot]:
    """A snapshot for pg_dump to read, and a session in it. `lock_timeout` in seconds."""
    with _postgres.connected(target, application_name="easymo.deploy pg_backup rows") as session:
        _postgres.lift_timeouts(session)
        begin_reading(session)
        session.execute("SELECT set_config('lock_timeout', %s, true)", [str(lock_timeout * 1000)])
        identifier = str(session.rows("SELECT pg_export_snapshot()")[0][0])
        tables, others = list_dumped(session)
        _lock(session, tables, target)
        rights = {
            subject: held
            for subject, held in read_rights(session).items()
            if subject.name not in others.closed
        }
        yield ExportedSnapshot(identifier, tables, others, rights, session, target)


def read_rights(session: Session) -> DatabaseRights:
    """Those in force now; needs a search_path of pg_catalog."""
    return parse_rights(line for (line,) in session.rows(RIGHTS))


def list_dumped(session: Session) -> tuple[tuple[DumpedTable, ...], ForeignSchemas]:
    """The tables whose rows are dumped, and the schemas of other roles."""
    others = find_others(session)
    closed = frozenset(others.closed)
    return tuple(table for table in list_tables(session) if table.identifier not in closed), others


def _lock(session: Session, tables: t.Sequence[DumpedTable], target: PostgresTarget) -> None:
    """Held from before pg_dump begins: a TRUNCATE is seen even by older snapshots."""
    if not tables:
        return
    relations = ", ".join(f"ONLY {table.identifier}" for table in tables)
    try:
        session.execute(f"LOCK TABLE {relations} IN ACCESS SHARE MODE")
    except _postgres.SqlError as exc:
        why = (
            "another session locks one of its tables for longer than option 'lock_timeout'"
            if exc.sqlstate == _postgres.LOCK_NOT_AVAILABLE
            else str(exc)
        )
        raise RefusedError(f"The dump of {target.where} did not start: {why}.{cure(why)}") from exc
