# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The session a migration runs over, and the limits that hold for its statements."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from .._errors import RefusedError
from .._pooler import shares_sessions
from .._postgres import PostgresSession, PostgresTarget, Session, SqlError, connected, lift_timeouts
from .locks import BlockerMonitor

# Servers before PostgreSQL 14 do not know it, and some systems cannot do it.
_LOOK_FOR_US = """
SELECT pg_catalog.set_config(name, '1s', false) FROM pg_catalog.pg_settings
WHERE name = 'client_connection_check_interval' AND max_val <> '0'
"""
_ROLE_TIMEOUT = """
SELECT reset_val::int / 1000.0 FROM pg_catalog.pg_settings WHERE name = 'statement_timeout' AND reset_val <> '0'
"""
_ONLY_READS = """
SELECT pg_catalog.current_setting('transaction_read_only')::bool, pg_catalog.pg_is_in_recovery()
"""


LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True)
class Limits:
    """In seconds; 0 is no limit."""

    lock_timeout: float
    statement_timeout: float

    def set_on(self, session: Session) -> None:
        for name, seconds in asdict(self).items():
            session.rows("SELECT set_config(%s, %s, false)", (name, str(int(seconds * 1000))))
        # Should we be killed or cut off, the server ends what it runs for us, and lets go of the advisory lock.
        session.rows(_LOOK_FOR_US)


def begin_anew(session: Session) -> None:
    """Forget what was set, and what was set for the role so that clients of the application don't take long."""
    session.execute("RESET ALL")
    lift_timeouts(session)


@contextmanager
def migrating(target: PostgresTarget) -> t.Iterator[Session]:
    """A session; what the server refuses outside of a migration's own statements is a RefusedError."""
    try:
        with connected(target, application_name="easymo.deploy migrations") as session:
            lift_timeouts(session)
            refuse_transaction_pooler(session, target)
            yield session
    except SqlError as exc:
        if exc.sqlstate == LOCK_NOT_AVAILABLE:
            raise RefusedError(
                f"A session of {target.where} holds a lock on what must be looked at for longer than option "
                "'lock_timeout': wait for it, or end it; pg_stat_activity shows it."
            ) from exc
        raise RefusedError(f"The server refused the query: {exc}.") from exc


def refuse_read_only(session: Session, where: str) -> None:
    """Raise where nothing can be written, before anything is tried."""
    only_reads, standby = session.rows(_ONLY_READS)[0]
    if only_reads:
        why = "it is a standby" if standby else "its default_transaction_read_only is on"
        raise RefusedError(
            f"The {where} is read-only, because {why}: migrate the primary, or set that to off."
        )


def refuse_transaction_pooler(session: PostgresSession, target: PostgresTarget) -> None:
    """Raise where each transaction may be given another session of the server."""
    if shares_sessions(session, target):
        raise RefusedError(
            f"The {target.where} is behind a pooler in transaction mode, which loses the lock "
            "and settings of a migration: connect to the database itself, or to the pooler in "
            "session mode (Supabase's is at "
            "port 5432), with 'login_host' and 'login_port'."
        )


def role_timeout(session: Session, role: str) -> str | None:
    """A sentence on the statement_timeout that other programs have with this role."""
    rows = session.rows(_ROLE_TIMEOUT)
    if not rows:
        return None
    return (
        f"The role {role!r} has a statement_timeout of {float(rows[0][0]):g} s, which ends "
        "longer statements of the command: set another for the role, or use engine 'native'."
    )


@contextmanager
def watching(target: PostgresTarget, session: Session) -> t.Iterator[BlockerMonitor]:
    """Look at `session` from another one."""
    watch = BlockerMonitor(
        int(session.rows("SELECT pg_catalog.pg_backend_pid()")[0][0]),
        lambda: connected(target, application_name="easymo.deploy migrations watch"),
    )
    try:
        yield watch
    finally:
        watch.close()
