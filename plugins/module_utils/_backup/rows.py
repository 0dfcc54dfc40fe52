# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Count the rows of each table in the very snapshot that pg_dump reads."""

from __future__ import annotations

import concurrent.futures
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils import _postgres
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    NotReadyError,
    RefusedError,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import (
        PostgresTarget,
        Session,
    )

# What pg_dump writes as TABLE DATA: ordinary tables, leaves of partitioned ones among them, in schemas that are not
# the system's; of an extension only the tables it calls its configuration, and of those only the rows it says. A
# standby has no unlogged tables. A name that holds a dot or a quote is quoted, so that schema.table is one table only.
_TABLES = """
SELECT c.oid,
       concat(CASE WHEN n.nspname ~ '[."]' THEN quote_ident(n.nspname) ELSE n.nspname END, '.',
              CASE WHEN c.relname ~ '[."]' THEN quote_ident(c.relname) ELSE c.relname END),
       format('%I.%I', n.nspname, c.relname),
       coalesce(e.condition, ''),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
       row_security_active(c.oid)
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
    "SET LOCAL search_path = pg_catalog",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # As pg_dump has it: an error where a policy would hide rows.
    "SET LOCAL row_security = off",
)
_LOCK_NOT_AVAILABLE = "55P03"
_NAMED = 5


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


def list_tables(session: Session) -> tuple[Table, ...]:
    """The tables whose rows pg_dump would write, by name."""
    return tuple(Table(*row) for row in session.rows(_TABLES))


def refuse_unreadable(tables: Sequence[Table], target: PostgresTarget) -> None:
    """pg_dump would fail at the first of these, possibly after an hour."""
    if denied := [table.name for table in tables if not table.readable]:
        raise RefusedError(
            f"User {target.user!r} may not read {_some(denied)} of {target.where}, and a dump without "
            "it is no backup: grant SELECT on it, or back up as another user."
        )
    if filtered := [table.name for table in tables if table.filtered]:
        raise RefusedError(
            f"Row security hides rows of {_some(filtered)} of {target.where} from user "
            f"{target.user!r}, and a dump without them is no backup: grant BYPASSRLS, or back up as "
            "another user."
        )


def count_rows(session: Session, tables: Sequence[Table]) -> dict[str, int]:
    """Rows by schema.table, as this session sees them; partitioned tables count in their leaves."""
    return {table.name: _count(session, table) for table in tables}


@dataclass(frozen=True)
class Snapshot:
    """What pg_dump and we read alike, for as long as the block of `exported_snapshot` lasts."""

    identifier: str
    tables: tuple[Table, ...]
    _session: _postgres.PostgresSession
    _target: PostgresTarget

    @contextmanager
    def counting(self) -> Iterator[Counting]:
        """Count beside the block; whatever is not counted at its end is not counted."""
        with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="row-counts") as pool:
            counts = pool.submit(count_rows, self._session, self.tables)
            try:
                yield Counting(counts, self._target)
            finally:
                if not counts.done():
                    self._session.cancel()


@dataclass(frozen=True)
class Counting:
    _counts: concurrent.futures.Future[dict[str, int]]
    _target: PostgresTarget

    def result(self, *, within: float) -> dict[str, int]:
        """Rows by schema.table, waited for at most so many seconds."""
        try:
            return self._counts.result(within)
        except TimeoutError as exc:
            raise NotReadyError(
                f"The rows of {self._target.where} were not counted in time, {within:.0f} s after its dump; "
                "nothing was kept. Raise option 'timeout'."
            ) from exc
        except _postgres.SqlError as exc:
            raise RefusedError(
                f"The rows of {self._target.where} cannot be counted, nothing was kept: {exc}."
            ) from exc


@contextmanager
def exported_snapshot(target: PostgresTarget, *, lock_timeout: int) -> Iterator[Snapshot]:
    """A snapshot for pg_dump to read, and a session in it. `lock_timeout` in seconds."""
    with _postgres.connected(target, application_name="easymo.deploy pg_backup rows") as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for setting in _SETTINGS:
            session.execute(setting)
        session.execute("SELECT set_config('lock_timeout', %s, true)", [str(lock_timeout * 1000)])
        identifier = str(session.rows("SELECT pg_export_snapshot()")[0][0])
        tables = list_tables(session)
        _lock(session, tables, target)
        yield Snapshot(identifier, tables, session, target)


def _lock(session: Session, tables: Sequence[Table], target: PostgresTarget) -> None:
    """Held from before pg_dump begins: a TRUNCATE is seen even by older snapshots."""
    if not tables:
        return
    relations = ", ".join(f"ONLY {table.identifier}" for table in tables)
    try:
        session.execute(f"LOCK TABLE {relations} IN ACCESS SHARE MODE")
    except _postgres.SqlError as exc:
        why = (
            "another session holds a lock on one of its tables for longer than option 'lock_timeout'"
            if exc.sqlstate == _LOCK_NOT_AVAILABLE
            else str(exc)
        )
        raise RefusedError(f"No dump of {target.where} was begun: {why}.") from exc


def _count(session: Session, table: Table) -> int:
    sql = f"SELECT count(*) FROM ONLY {table.identifier} {table.condition}"  # noqa: S608 - quoted by the server
    return int(session.rows(sql)[0][0])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more tables" if more > 0 else "")
