# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a migration: under one advisory lock a database, again when a lock was in the way, and with a failure that says
which statement failed, why, what is left of it and what to do, without its data.
"""

from __future__ import annotations

import random
import re
import time
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from .._errors import UnreachableError
from .._postgres import Session, SqlError
from .execution import ends_transaction, excerpt, mask_message
from .models import Migration, MigrationError, MigrationsLockedError
from .session import (
    LOCK_NOT_AVAILABLE,
    AppliedFile,
    BlockerMonitor,
    HeldLock,
    SessionTimeouts,
    begin_anew,
    strongest,
)
from .splitter import failing_line, without_leading_comments

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
    """Hold lock `key` of this session while the block runs; LockedError names the holder after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not session.rows("SELECT pg_catalog.pg_try_advisory_lock(%s)", (key,))[0][0]:
        if time.monotonic() >= deadline:
            raise MigrationsLockedError(
                f"Another migration has locked this database for more than {timeout:g} s: "
                f"{_describe_holder(session, key)}. Wait for it, or end it if it should not run."
            )
        time.sleep(min(_POLL, max(0.0, deadline - time.monotonic())))
    try:
        yield
    finally:
        # With the connection gone, so is the lock; what went wrong before is the error to report.
        with suppress(UnreachableError, SqlError):
            session.rows("SELECT pg_catalog.pg_advisory_unlock(%s)", (key,))


def _describe_holder(session: Session, key: int) -> str:
    rows = session.rows(_HOLDERS, (key,))
    if not rows:
        return "the holder has just gone"
    pid, user, program, address, since = rows[0]
    return f"process {pid} ({program or 'no name'}) of {user} from {address or 'a local socket'} since {since}"


DEADLOCK_DETECTED = "40P01"
_OF_LOCKS = {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}
_LONGEST = 15.0
_JITTER = 0.25


@dataclass(frozen=True)
class LockRetries:
    """`count` is how often, after the first time. `report` hears of each as event, text and data."""

    count: int
    watch: BlockerMonitor
    report: t.Callable[[str, str, dict[str, t.Any]], None]

    def insist(self, what: str, attempt: t.Callable[[], None], undo: t.Callable[[], bool]) -> None:
        """Make `attempt` until it doesn't fail for a lock, or `count` more times.

        `undo` clears away what a failed one left and returns whether that was all, so that it may be made again.
        """
        for number in range(1, self.count + 1):
            try:
                with self.watch.waiting():
                    attempt()
            except SqlError as exc:
                if exc.sqlstate not in _OF_LOCKS or not undo():
                    raise
                self._pause(what, exc.sqlstate, number)
            else:
                return
        with self.watch.waiting():
            attempt()

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


def advice_on(sqlstate: str) -> str:
    """A sentence, with the space before it; empty for most of them."""
    if sqlstate == "57014":
        return " It ran for longer than option 'statement_timeout', or was cancelled."
    if sqlstate == "25006":
        return (
            " This server or session is read-only: connect to the primary, and check "
            "default_transaction_read_only."
        )
    return ""


_BUILDS_INDEX = re.compile(r"(?is)(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b")
_SKIPS_INDEX = re.compile(
    r'(?i)CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(?P<name>"(?:[^"]|"")+"|[^\s"]+)'
)
# These may commit inside, so that a failure need not have taken back all they did.
_COMMITS_INSIDE = re.compile(r"(?i)(?:CALL|DO)\b")
_INVALID = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
"""


class Walk:
    """Once through `order`, indexes into `texts`; `rewind` takes it back to where nothing is left of what failed."""

    def __init__(self, session: Session, texts: t.Sequence[str], order: t.Sequence[int]) -> None:
        self._session = session
        self._texts = texts
        self._order = order
        self._next = 0
        self._restart: int | None = 0
        """Where to begin again; None where something since then is committed."""
        self._invalid: frozenset[str] | None = None
        """The indexes that were invalid before a statement that may leave another; None before any other."""

    def statements(self) -> t.Iterator[int]:
        """From where the walk stands; a statement counts as done when the next is asked for."""
        while self._next < len(self._order):
            index = self._order[self._next]
            text = without_leading_comments(self._texts[index])
            if not self._session.in_transaction:
                self._prepare(index, text)
            yield index
            self._next += 1
            if self._session.in_transaction and ends_transaction(text):
                self._restart = None

    def rewind(self) -> bool:
        """Whether what failed has left nothing, so that `statements` may go on from where that began."""
        if self._session.in_transaction:
            self._session.execute("ROLLBACK")
        if self._restart is None or self.new_invalid_indexes():
            return False
        self._next = self._restart
        return True

    def new_invalid_indexes(self) -> tuple[str, ...]:
        """What a concurrent build left behind when it failed."""
        if self._invalid is None or self._session.in_transaction:
            return ()
        return tuple(sorted(_invalid_indexes(self._session) - self._invalid))

    def _prepare(self, index: int, text: str) -> None:
        self._restart = None if _COMMITS_INSIDE.match(text) else self._next
        self._invalid = _invalid_indexes(self._session) if _BUILDS_INDEX.match(text) else None
        skipped = would_skip(self._session, text)
        if skipped is not None:
            raise StatementError(index, skipped)


def would_skip(session: Session, statement: str) -> SqlError | None:
    """Why IF NOT EXISTS would leave an index invalid that an earlier run has not built to its end."""
    skips = _SKIPS_INDEX.match(without_leading_comments(statement))
    for name in sorted(_invalid_indexes(session)) if skips else ():
        if skips and _bare(name) == _bare(skips["name"]):
            message = (
                f"index {name} is there and invalid, so IF NOT EXISTS would build none, and the file would count as "
                "applied: unless somebody is building it now, drop it first"
            )
            return SqlError(sqlstate="55000", message=message, position=None)
    return None


def _invalid_indexes(session: Session) -> frozenset[str]:
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
        """Run it and write its row. MigrationError says what is left of it."""
        try:
            self.run()
        except SqlError as exc:
            raise self.failure_of(exc) from exc
        except UnreachableError as exc:
            raise self.loss_of(exc) from exc
        finally:
            # The next file, and the next user of the session, begins clean; a lost connection is clean too.
            with suppress(SqlError, UnreachableError):
                begin_anew(self.session)
        locks = strongest(lock for lock in self.held if lock.relation != self.history_table)
        return AppliedFile(time.monotonic() - self.started, locks, self.held_known)

    def run(self) -> None:
        raise NotImplementedError

    def what_is_left(self, error: SqlError, advice: str) -> str:
        """Clear away what the statement has left, and tell of the rest, with `advice` on what was in the way."""
        raise NotImplementedError

    def insist(self, attempt: t.Callable[[], None], undo: t.Callable[[], bool]) -> None:
        self.retries.insist(self.migration.file, attempt, undo)

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

    def failure_of(self, error: SqlError) -> MigrationError:
        """File, statement, line, SQLSTATE and message; nothing of the data in it."""
        advice = self.retries.advice(error.sqlstate) or advice_on(error.sqlstate)
        left = self.what_is_left(error, advice)
        file, atomic = self.migration.file, self.migration.atomic
        details: dict[str, t.Any] = {"sqlstate": error.sqlstate, "atomic": atomic}
        where = f"{file}{self.UNPLACED}"
        if place := self.place_of(error):
            number, line = place
            details |= {"statement": number, "line": line}
            sql = self.migration.script.statements[number - 1].text
            where = f"{file}, statement {number}, line {line} ({excerpt(sql)})"
        message = mask_message(error.message, error.sqlstate)
        codes = ", ".join(filter(None, (f"SQLSTATE {error.sqlstate}", self.CODE)))
        details |= self._coded()
        return MigrationError(f"{where}: {message} ({codes}).{left}", file=file, **details)

    def left_open(self) -> MigrationError:
        """Of a file that began a transaction and did not end it."""
        code = f" ({self.CODE})" if self.CODE else ""
        return MigrationError(
            f"{self.migration.file} begins a transaction and never commits it{code}, so nothing after "
            "that was kept: add the COMMIT, or remove the BEGIN: a file without either is one transaction.",
            file=self.migration.file,
            atomic=False,
            **self._coded(),
        )

    def loss_of(self, error: UnreachableError) -> UnreachableError:
        """What a run can know of a file when the connection is gone, and what the next one does."""
        file, atomic = self.migration.file, self.migration.atomic
        rerun = (
            "The file and its row in the history are one transaction, so run it again."
            if atomic
            else f"The file is not atomic: {self.OTHERWISE}"
        )
        return UnreachableError(f"{file} was running. {error} {rerun}", file=file, atomic=atomic)

    def _coded(self) -> dict[str, str]:
        return {"code": self.CODE} if self.CODE else {}
