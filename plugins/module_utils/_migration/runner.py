# SPDX-License-Identifier: GPL-3.0-or-later
"""The session of a migration with its limits and locks, and a run of it, again when a lock was in the way.

A failure says which statement it was, why, what is left of it and what to do, without its data. Another session looks
at the locks before the commit, for only that still sees what the migration found, and none of what it makes itself.
"""

from __future__ import annotations

import random
import re
import time
import typing as t
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field

from .._errors import ConflictError, DeployError, RefusedError, UnreachableError
from .._postgres import (
    LIFT_TIMEOUTS,
    LOCK_NOT_AVAILABLE,
    PostgresTarget,
    Session,
    SqlError,
    connected,
    lift_timeouts,
    refuse_pooler,
)
from .._threads import Event, begin
from .execution import excerpt, mask_message
from .models import Migration
from .splitter import failing_line, without_leading_comments

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
_FILLING = MODES.index("ROW EXCLUSIVE")

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


class BlockerMonitor:
    """Looks at `session` from another, which it opens when it is first needed.

    Where that is refused, as when the server has no more connections, it sees nothing: a migration doesn't fail for it.
    """

    def __init__(self, target: PostgresTarget, session: Session) -> None:
        self.blocker = ""
        """Who held what we waited for, the last time that was seen, as a clause."""
        self._target = target
        self._pid = session.process
        self._watching = ExitStack()
        self._session: Session | None = None

    def held(self) -> frozenset[HeldLock] | None:
        """The locks on relations that were there before the transaction, the strongest of each; None: not seen."""
        rows = self._rows(_HELD, (self._pid,))
        if rows is None:
            return None
        locks = [(HeldLock(relation, _words(mode)), index) for relation, index, mode in rows]
        return strongest(
            lock for lock, index in locks if not index or MODES.index(lock.mode) > _FILLING
        )

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
        self._watching.close()

    def _look_until(self, ended: Event) -> None:
        wait = _FIRST_LOOK
        while not ended.wait(wait):
            for row in self._rows(_BLOCKER, (self._pid, self._pid)) or ():
                self.blocker = _describe(*row)
            wait = _LOOKS

    def _rows(self, sql: str, values: tuple[int, ...]) -> list[tuple[t.Any, ...]] | None:
        try:
            if self._session is None:
                watching = connected(
                    self._target, application_name="easymo.deploy migrations watch"
                )
                self._session = self._watching.enter_context(watching)
            return self._session.rows(sql, values)
        except (DeployError, SqlError):
            return None


def strongest(locks: t.Iterable[HeldLock]) -> frozenset[HeldLock]:
    """One lock a relation."""
    ordered = sorted(locks, key=lambda lock: MODES.index(lock.mode))
    return frozenset({lock.relation: lock for lock in ordered}.values())


def _words(mode: str) -> str:
    """`AccessExclusiveLock`, as the server calls it, as the manual does."""
    return re.sub(r"\B(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()


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


@dataclass(frozen=True)
class SessionTimeouts:
    """In seconds; 0 is no limit."""

    lock_timeout: float
    statement_timeout: float

    def set_on(self, session: Session) -> None:
        session.execute(self.to_sql())

    def to_sql(self) -> str:
        """Should we be killed or cut off, the server ends what it runs for us, and lets go of the advisory lock."""
        values = {name: int(seconds * 1000) for name, seconds in asdict(self).items()}
        return "; ".join(
            [*(f"SET {name} = {value}" for name, value in values.items()), _LOOK_FOR_US]
        )


BEGIN_ANEW = f"RESET ALL; SET statement_timeout = 0; {LIFT_TIMEOUTS}"
"""Forget what was set, and what was set for the role so that clients of the application don't take long."""


def begin_anew(session: Session) -> None:
    session.execute(BEGIN_ANEW)


@contextmanager
def migrating(target: PostgresTarget) -> t.Iterator[Session]:
    """A session; what the server refuses outside of a migration's own statements is a RefusedError."""
    try:
        with connected(target, application_name="easymo.deploy migrations") as session:
            lift_timeouts(session)
            refuse_pooler(session, target)
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
        "locks": {file: [asdict(lock) for lock in sorted(run.locks)] for file, run in runs.items()},
        "locks_unknown": [file for file, run in runs.items() if not run.locks_known],
    }


_POLL = 0.25

_HOLDERS = """
SELECT a.pid, a.usename, a.application_name, host(a.client_addr), a.backend_start::timestamptz(0)::text
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()
) AND (l.classid::bigint << 32 | l.objid::bigint) = %s AND l.objsubid = 1
"""


@contextmanager
def advisory_lock(session: Session, key: int, *, timeout: float) -> t.Iterator[None]:
    """Hold lock `key` of this session while the block runs; ConflictError names the holder after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not session.rows("SELECT pg_catalog.pg_try_advisory_lock(%s)", (key,))[0][0]:
        if time.monotonic() >= deadline:
            holder = "the holder has just gone"
            for pid, user, program, address, since in session.rows(_HOLDERS, (key,))[:1]:
                where = address or "a local socket"
                holder = (
                    f"process {pid} ({program or 'no name'}) of {user} from {where} since {since}"
                )
            raise ConflictError(
                f"Another migration has locked this database for more than {timeout:g} s: "
                f"{holder}. Wait for it, or end it if it should not run.",
                reason="Locked",
            )
        time.sleep(min(_POLL, max(0.0, deadline - time.monotonic())))
    try:
        yield
    finally:
        # With the connection gone, so is the lock; what went wrong before is the error to report.
        with suppress(UnreachableError, SqlError):
            session.rows("SELECT pg_catalog.pg_advisory_unlock(%s)", (key,))


DEADLOCK_DETECTED = "40P01"
_QUERY_CANCELED = "57014"
_OF_LOCKS = {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}
_LONGEST = 15.0
_JITTER = 0.25


@dataclass(frozen=True)
class LockRetries:
    """`count` is how often, after the first time. `report` hears of each as event, text and data."""

    count: int
    watch: BlockerMonitor
    report: t.Callable[[str, str, dict[str, t.Any]], None]

    def insist(
        self, what: str, attempt: t.Callable[[], None], undo: t.Callable[[], bool] = lambda: True
    ) -> None:
        """Make `attempt` until it doesn't fail for a lock, or `count` more times.

        `undo` clears away what a failed one left and returns whether that was all, so that it may be made again.
        """
        for number in range(1, self.count + 2):
            try:
                with self.watch.waiting():
                    attempt()
            except SqlError as exc:
                if number > self.count or exc.sqlstate not in _OF_LOCKS or not undo():
                    raise
                self._pause(what, exc.sqlstate, number)
            else:
                return

    def advice(self, sqlstate: str) -> str:
        """A sentence, with the space before it, on what was in the way; empty when no lock was."""
        if sqlstate not in _OF_LOCKS:
            return ""
        holder = self.watch.blocker or "another transaction held a lock for longer"
        holder = holder[0].upper() + holder[1:]
        if sqlstate == DEADLOCK_DETECTED:
            return f" {holder}; both waited for each other." if self.watch.blocker else ""
        return (
            f" {holder}, and options 'lock_timeout' and 'lock_retries' allow no longer wait: "
            "end that transaction or let it end, and run again."
        )

    def _pause(self, what: str, sqlstate: str, number: int) -> None:
        wait = min(2.0 ** (number - 1), _LONGEST) * (1 - _JITTER * random.random())  # noqa: S311 - no secret
        why = self.watch.blocker or "another transaction held a lock"
        self.report(
            "LockRetry",
            f"{what}: {why}; again in {wait:.1f} s ({number} of {self.count})",
            {"what": what, "sqlstate": sqlstate, "blocker": self.watch.blocker, "retry": number},
        )
        time.sleep(wait)


class StatementError(SqlError):
    """Statement `index` of the file was refused; None: its row in the history, or its COMMIT."""

    def __init__(self, index: int | None, error: SqlError) -> None:
        super().__init__(sqlstate=error.sqlstate, message=error.message, position=error.position)
        self.index = index


@contextmanager
def telling(index: int | None) -> t.Iterator[None]:
    """That it was this statement of the file that was refused."""
    try:
        yield
    except SqlError as exc:
        raise StatementError(index, exc) from exc


_SKIPS_INDEX = re.compile(
    r'(?i)CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(?P<name>"(?:[^"]|"")+"|[^\s"]+)'
)
_INVALID = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
"""


def would_skip(session: Session, statement: str) -> SqlError | None:
    """Why IF NOT EXISTS would leave an index invalid that an earlier run has not built to its end."""
    skips = _SKIPS_INDEX.match(without_leading_comments(statement))
    for name in sorted(invalid_indexes(session)) if skips else ():
        if skips and _bare(name) == _bare(skips["name"]):
            message = (
                f"index {name} is there and invalid, so IF NOT EXISTS would build none, and the file would count as "
                "applied: unless somebody is building it now, drop it first"
            )
            return SqlError(sqlstate="55000", message=message, position=None)
    return None


def invalid_indexes(session: Session) -> frozenset[str]:
    return frozenset(str(row[0]) for row in session.rows(_INVALID))


def _bare(name: str) -> str:
    """Without its schema and its quotes, as the server stores it."""
    last: str = re.findall(r'"(?:[^"]|"")+"|[^.]+', name)[-1]
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()


@dataclass
class MigrationRun:
    """Applies one migration over one session, and writes its row in the history."""

    session: Session
    migration: Migration
    limits: SessionTimeouts
    retries: LockRetries
    history_table: str = field(default="", init=False)
    """Where its locks are to be told of as well, which are none of the migration's."""
    started: float = field(default_factory=time.monotonic, init=False)
    held: set[HeldLock] = field(default_factory=set, init=False)
    held_known: bool = field(default=True, init=False)

    CODE: t.ClassVar[str] = ""
    """The tool's own for a failure."""
    UNPLACED: t.ClassVar[str] = ""
    """Where a failure was that was in no statement."""
    OTHERWISE: t.ClassVar[str]
    """What to do after a lost connection about a file that is not atomic."""

    def apply(self) -> AppliedFile:
        """Run it and write its row. RefusedError says what is left of it."""
        try:
            self.run()
        except SqlError as exc:
            raise self.failure_of(exc) from exc
        except UnreachableError as exc:
            raise self.loss_of(exc) from exc
        locks = strongest(lock for lock in self.held if lock.relation != self.history_table)
        return AppliedFile(time.monotonic() - self.started, locks, self.held_known)

    def run(self) -> None:
        raise NotImplementedError

    def what_is_left(self, error: SqlError, advice: str) -> str:
        """Clear away what the statement has left, and tell of the rest, with `advice` on what was in the way."""
        raise NotImplementedError

    def insist(self, attempt: t.Callable[[], None]) -> None:
        self.retries.insist(self.migration.file, attempt, self.roll_back)

    def roll_back(self) -> bool:
        """Whether what failed has left nothing."""
        self.session.execute("ROLLBACK")
        return True

    def run_statement(self, index: int) -> None:
        sql = self.migration.script.statements[index].text
        # A piece of nothing but comments belongs into the history and is nothing to a server.
        if without_leading_comments(sql):
            with telling(index):
                self.session.execute(sql)

    def look_at_locks(self) -> None:
        held = self.retries.watch.held()
        if held is None:
            self.held_known = False
        else:
            self.held |= held

    def place_of(self, error: SqlError) -> tuple[int, int] | None:
        """Statement and line, both from 1, where they are known."""
        if not isinstance(error, StatementError) or error.index is None:
            return None
        statement = self.migration.script.statements[error.index]
        return error.index + 1, failing_line(statement, error.position)

    def failure_of(self, error: SqlError) -> RefusedError:
        """File, statement, line, SQLSTATE and message; nothing of the data in it."""
        advice = self.retries.advice(error.sqlstate)
        if error.sqlstate == _QUERY_CANCELED:
            advice = " It ran for longer than option 'statement_timeout', or was cancelled."
        left = self.what_is_left(error, advice)
        details: dict[str, t.Any] = {"sqlstate": error.sqlstate}
        where = self.migration.file + (self.UNPLACED if isinstance(error, StatementError) else "")
        if place := self.place_of(error):
            number, line = place
            details |= {"statement": number, "line": line}
            sql = self.migration.script.statements[number - 1].text
            where = f"{self.migration.file}, statement {number}, line {line} ({excerpt(sql)})"
        message = mask_message(error.message, error.sqlstate)
        codes = ", ".join(filter(None, (f"SQLSTATE {error.sqlstate}", self.CODE)))
        return self._failed(f"{where}: {message} ({codes}).{left}", **details)

    def open_transaction(self) -> RefusedError:
        """Of a file that began a transaction and did not end it."""
        code = f" ({self.CODE})" if self.CODE else ""
        return self._failed(
            f"{self.migration.file} begins a transaction and never commits it{code}, so nothing after "
            "that was kept: add the COMMIT, or remove the BEGIN: a file without either is one transaction."
        )

    def _failed(self, message: str, **details: t.Any) -> RefusedError:
        details |= {"code": self.CODE} if self.CODE else {}
        file, atomic = self.migration.file, self.migration.atomic
        return RefusedError(message, reason="MigrationFailed", file=file, atomic=atomic, **details)

    def loss_of(self, error: UnreachableError) -> UnreachableError:
        """What a run can know of a file when the connection is gone, and what the next one does."""
        file, atomic = self.migration.file, self.migration.atomic
        rerun = (
            "The file and its row in the history are one transaction, so run it again."
            if atomic
            else f"The file is not atomic: {self.OTHERWISE}"
        )
        return UnreachableError(f"{file} was running. {error} {rerun}", file=file, atomic=atomic)
