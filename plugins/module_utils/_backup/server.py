# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup's checks of a server: schemas of other roles, room in the lock table, and its pooler.

Only a database's owner may leave out unreadable tables: for other users they are a mistake. A superuser owns all.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from .._errors import RefusedError
from .._postgres import shares_sessions

if t.TYPE_CHECKING:
    from .._postgres import PostgresSession, PostgresTarget, Session


def refuse_pooler(session: PostgresSession, target: PostgresTarget) -> None:
    if shares_sessions(session, target):
        raise RefusedError(
            f"A pooler at {target.host}:{target.port} gives each transaction another session, so "
            "settings and locks of a dump or a restore would be lost: connect to the server "
            "itself, or to the pooler's "
            "port for whole sessions (of Supabase 5432, not 6543). Nothing was touched."
        )


CURE = "raise max_locks_per_transaction of the server and restart it"
_FULL = "out of shared memory"
# PostgreSQL guarantees so many; the rest of its shared memory holds up to as many again.
_SURE_TO_FAIL = 2
_STEP = 64

# MaxBackends of src/backend/utils/init/postinit.c and the prepared transactions, each with its share of the lock table
# (NLOCKENTS of lock.c). autovacuum_worker_slots came with 18.
_SETTINGS = """
SELECT pg_catalog.current_setting('max_locks_per_transaction')::int,
       pg_catalog.current_setting('max_connections')::int
       + COALESCE(pg_catalog.current_setting('autovacuum_worker_slots', true),
                  pg_catalog.current_setting('autovacuum_max_workers'))::int
       + pg_catalog.current_setting('max_worker_processes')::int
       + pg_catalog.current_setting('max_wal_senders')::int
       + pg_catalog.current_setting('max_prepared_transactions')::int + 2,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks l WHERE NOT l.fastpath)
"""


@dataclass(frozen=True)
class LockTableRoom:
    per_transaction: int
    shares: int
    taken: int

    @property
    def free(self) -> int:
        return max(0, self.per_transaction * self.shares - self.taken)

    def enough(self, needed: int) -> int:
        """The max_locks_per_transaction that so many locks need."""
        return math.ceil((needed + self.taken) / self.shares / _STEP) * _STEP


def find_room(session: Session) -> LockTableRoom:
    return LockTableRoom(*session.rows(_SETTINGS)[0])


def refuse_shortage(room: LockTableRoom, needed: int, what: str, otherwise: str = "") -> None:
    """Refuse only a certain shortage: between the guarantee and the limit it may work."""
    if needed > _SURE_TO_FAIL * room.free:
        raise RefusedError(
            f"{what} locks at least {needed} objects at once, but the server has room for "
            f"{room.free}: set its "
            f"max_locks_per_transaction (now {room.per_transaction}) to {room.enough(needed)} or more and restart it"
            f"{otherwise}. Nothing was touched."
        )


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
