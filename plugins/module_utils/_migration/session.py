# SPDX-License-Identifier: GPL-3.0-or-later
"""The session a migration runs over, its limits, and the locks it holds just before it commits.

Another session looks at the locks, for only that still sees what the migration found: tables it drops, under the names
they had, and none of those it makes itself.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from .._errors import DeployError, RefusedError
from .._postgres import (
    PostgresTarget,
    Session,
    SqlError,
    connected,
    lift_timeouts,
    shares_sessions,
)
from .._threads import Event, begin

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager


MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""As the manual writes them, the weakest first."""

# Reading or filling a table locks its indexes as well; of those only what goes beyond that is told. To take a number
# from a sequence blocks no session; event triggers do it, as pg_graphql's at every statement that changes the schema.
_HELD = """
SELECT format('%%I.%%I', n.nspname, c.relname), c.relkind IN ('i', 'I'), l.mode
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_class c ON c.oid = l.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = %s AND l.locktype = 'relation' AND l.granted
AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
AND NOT (c.relkind = 'S' AND l.mode = 'RowExclusiveLock')
"""
_BLOCKER = """
SELECT b.pid, b.application_name, b.usename, b.state, b.xact_start::timestamptz(0)::text, (
    SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_locks w
    JOIN pg_catalog.pg_class c ON c.oid = w.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE w.pid = %s AND NOT w.granted LIMIT 1)
FROM pg_catalog.pg_stat_activity b WHERE b.pid = ANY (pg_catalog.pg_blocking_pids(%s)) ORDER BY b.xact_start LIMIT 1
"""
_FIRST_LOOK = 0.2
_LOOKS = 1.0


@dataclass(frozen=True, order=True)
class HeldLock:
    relation: str
    """`schema.name`, as SQL."""
    mode: str
    """One of MODES."""

    def to_result(self) -> dict[str, str]:
        return asdict(self)


class BlockerMonitor:
    """Looks at one session from another, which it opens when it is first needed.

    Where that is refused, as when the server has no more connections, it sees nothing: a migration doesn't fail for it.
    """

    def __init__(self, pid: int, opened: Callable[[], AbstractContextManager[Session]]) -> None:
        self.blocker = ""
        """Who held what we waited for, the last time that was seen, as a clause."""
        self._pid = pid
        self._opened = opened
        self._context: AbstractContextManager[Session] | None = None
        self._session: Session | None = None

    def held(self) -> frozenset[HeldLock] | None:
        """The locks on relations that were there before the transaction, the strongest of each; None: not seen."""
        rows = self._rows(_HELD, (self._pid,))
        return None if rows is None else strongest(_held_locks(rows))

    @contextmanager
    def waiting(self) -> t.Iterator[None]:
        """Remember in `blocker` who holds what the session waits for while the block runs."""
        self.blocker = ""
        ended = Event()
        looking = begin(lambda: self._look_until(ended))
        try:
            yield
        finally:
            ended.set()
            looking.result()

    def close(self) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
        self._context = self._session = None

    def _look_until(self, ended: Event) -> None:
        wait = _FIRST_LOOK
        while not ended.wait(wait):
            for row in self._rows(_BLOCKER, (self._pid, self._pid)) or ():
                self.blocker = _describe(*row)
            wait = _LOOKS

    def _rows(self, sql: str, values: tuple[int, ...]) -> list[tuple[t.Any, ...]] | None:
        try:
            if self._session is None:
                context = self._opened()
                self._session = context.__enter__()
                self._context = context
            return self._session.rows(sql, values)
        except (DeployError, SqlError):
            return None


class NoWatch(BlockerMonitor):
    """Sees nothing, and needs no server."""

    def __init__(self) -> None:
        self.blocker = ""

    def held(self) -> None:
        return None

    @contextmanager
    def waiting(self) -> t.Iterator[None]:
        yield

    def close(self) -> None:
        pass


def strongest(locks: Iterable[HeldLock]) -> frozenset[HeldLock]:
    """One lock a relation."""
    by_relation: dict[str, HeldLock] = {}
    for lock in sorted(locks, key=lambda lock: MODES.index(lock.mode)):
        by_relation[lock.relation] = lock
    return frozenset(by_relation.values())


def _held_locks(rows: Iterable[tuple[t.Any, ...]]) -> t.Iterator[HeldLock]:
    for relation, index, mode in rows:
        words = _words(mode)
        if not index or MODES.index(words) > MODES.index("ROW EXCLUSIVE"):
            yield HeldLock(relation, words)


def _words(mode: str) -> str:
    """`AccessExclusiveLock`, as the server calls it, as the manual does."""
    spaced = "".join(f" {char}" if char.isupper() else char for char in mode.removesuffix("Lock"))
    return spaced.strip().upper()


def _describe(
    pid: int, program: str, user: str, state: str, since: str | None, relation: str | None
) -> str:
    named = " ".join(filter(None, (program, f"of {user}" if user else "")))
    transaction = f", in a transaction since {since}" if since else ""
    return (
        f"process {pid} ({named or 'no name'}, {state or 'state unknown'}{transaction}) holds a lock on "
        f"{relation or 'what it needs'}"
    )


# Servers before PostgreSQL 14 do not know it, and some systems cannot do it.
_LOOK_FOR_US = """
SELECT pg_catalog.set_config(name, '1s', false) FROM pg_catalog.pg_settings
WHERE name = 'client_connection_check_interval' AND max_val <> '0'
"""
_ONLY_READS = """
SELECT pg_catalog.current_setting('transaction_read_only')::bool, pg_catalog.pg_is_in_recovery()
"""

LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True)
class SessionTimeouts:
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


def refuse_transaction_pooler(session: Session, target: PostgresTarget) -> None:
    """Raise where each transaction may be given another session of the server."""
    if shares_sessions(session, target):
        raise RefusedError(
            f"The {target.where} is behind a pooler in transaction mode, which loses the lock "
            "and settings of a migration: connect to the database itself, or to the pooler in "
            "session mode (Supabase's is at "
            "port 5432), with 'login_host' and 'login_port'."
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


@dataclass(frozen=True)
class AppliedFile:
    """One file that was applied: the seconds it took, and the locks it held on what was there before."""

    seconds: float
    locks: frozenset[HeldLock]
    locks_known: bool
    """False when statements committed by themselves, whose locks are gone before anybody can look."""


Runs = dict[str, AppliedFile]
"""By the name of the file."""


def describe_runs(runs: Runs) -> dict[str, t.Any]:
    return {
        "durations": {file: round(run.seconds, 3) for file, run in runs.items()},
        "locks": {
            file: [lock.to_result() for lock in sorted(run.locks)] for file, run in runs.items()
        },
        "locks_unknown": [file for file, run in runs.items() if not run.locks_known],
    }
