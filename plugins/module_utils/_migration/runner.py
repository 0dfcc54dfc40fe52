# SPDX-License-Identifier: GPL-3.0-or-later
"""Run statements: under one advisory lock a database, again when a lock was in the way, and with a failure that says
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
from .._postgres import SqlError
from .execution import ends_transaction, excerpt, mask_message
from .models import MigrationError, MigrationsLockedError
from .session import LOCK_NOT_AVAILABLE, BlockerMonitor, NoWatch
from .splitter import failing_line, without_leading_comments

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._postgres import Session
    from .models import Migration


_POLL = 0.25

_HOLDERS = """
SELECT a.pid, a.usename, a.application_name, host(a.client_addr), a.backend_start::timestamptz(0)::text
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()
) AND (l.classid::bigint << 32 | l.objid::bigint) = %s AND l.objsubid = 1
"""


@contextmanager
def advisory_lock(
    session: Session,
    key: int,
    *,
    timeout: float,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> t.Iterator[None]:
    """Hold lock `key` of this session while the block runs; LockedError names the holder after `timeout` seconds."""
    deadline = clock() + timeout
    while not session.rows("SELECT pg_catalog.pg_try_advisory_lock(%s)", (key,))[0][0]:
        if clock() >= deadline:
            raise MigrationsLockedError(
                f"Another migration has locked this database for more than {timeout:g} s: "
                f"{_describe_holder(session, key)}. Wait for it, or end it if it should not run."
            )
        sleep(min(_POLL, max(0.0, deadline - clock())))
    try:
        yield
    finally:
        _release(session, key)


def _release(session: Session, key: int) -> None:
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


def _to_nobody(_event: str, _text: str, _data: dict[str, t.Any]) -> None:
    pass


@dataclass(frozen=True)
class LockRetries:
    """`count` is how often, after the first time. `report` hears of each as event, text and data."""

    count: int = 0
    watch: BlockerMonitor = field(default_factory=NoWatch)
    report: Callable[[str, str, dict[str, t.Any]], None] = _to_nobody
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def insist(self, what: str, attempt: Callable[[], None], undo: Callable[[], bool]) -> None:
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
        wait = min(2.0 ** (number - 1), _LONGEST) * (1 - _JITTER * self.random())
        why = self.watch.blocker or "another transaction held a lock"
        self.report(
            "LockRetry",
            f"{what}: {why}; again in {wait:.1f} s ({number} of {self.count})",
            {"what": what, "sqlstate": sqlstate, "blocker": self.watch.blocker, "retry": number},
        )
        self.sleep(wait)


class StatementError(SqlError):
    """Statement `index` of the file was refused; None: its row in the history, or its COMMIT."""

    def __init__(self, index: int | None, error: SqlError) -> None:
        super().__init__(sqlstate=error.sqlstate, message=error.message, position=error.position)
        self.index = index


def describe_failure(
    migration: Migration,
    error: StatementError,
    *,
    invalid: Sequence[str] = (),
    lock_advice: str = "",
) -> MigrationError:
    """File, statement, line, SQLSTATE and message; nothing of the data in it. `invalid` are indexes it left so."""
    message = mask_message(error.message, error.sqlstate)
    details: dict[str, t.Any] = {
        "file": migration.file,
        "sqlstate": error.sqlstate,
        "atomic": migration.atomic,
    }
    if error.index is None:
        where = f"{migration.file}, at its end"
    else:
        line = failing_line(migration.script.statements[error.index], error.position)
        details |= {"statement": error.index + 1, "line": line}
        where = (
            f"{migration.file}, statement {error.index + 1}, line {line} "
            f"({excerpt(migration.statements[error.index])})"
        )
    return MigrationError(
        f"{where}: {message} (SQLSTATE {error.sqlstate}). {_what_is_left(migration)}"
        f"{_invalid(invalid)}{lock_advice or _advice(error.sqlstate)}",
        **details,
    )


def describe_loss(migration: Migration, error: UnreachableError) -> UnreachableError:
    """What a run can know of a file when the connection is gone, and what the next one does."""
    rerun = (
        "The file and its row in the history are one transaction, so run it again."
        if migration.atomic
        else "The file is not atomic: unless its version is in the history, undo what it left or "
        "make the file repeatable, and run again."
    )
    return UnreachableError(
        f"{migration.file} was running. {error} {rerun}",
        file=migration.file,
        atomic=migration.atomic,
    )


def _what_is_left(migration: Migration) -> str:
    if migration.atomic:
        return "The whole file was rolled back: fix it and run again."
    return (
        "The file is not atomic, so what it committed before this stays; "
        "undo that or make the file repeatable, then run again."
    )


def _invalid(indexes: Sequence[str]) -> str:
    if not indexes:
        return ""
    listed = ", ".join(indexes)
    return f" It left {listed} invalid: drop that index before you run the file again."


def _advice(sqlstate: str) -> str:
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

    def __init__(self, session: Session, texts: Sequence[str], order: Sequence[int]) -> None:
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
            chained = self._session.in_transaction and ends_transaction(text)
            if chained:
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
    there = sorted(_invalid_indexes(session)) if skips else []
    named = [index for index in there if skips and _bare(index) == _bare(skips["name"])]
    return _is_invalid(named[0]) if named else None


def _invalid_indexes(session: Session) -> frozenset[str]:
    return frozenset(str(row[0]) for row in session.rows(_INVALID))


def _bare(name: str) -> str:
    """Without its schema and its quotes, as the server stores it."""
    last: str = re.findall(r'"(?:[^"]|"")+"|[^.]+', name)[-1]
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()


def _is_invalid(name: str) -> SqlError:
    words = (
        f"index {name} is there and invalid, so IF NOT EXISTS would build none, and the file would count as "
        "applied: unless somebody is building it now, drop it first"
    )
    return SqlError(sqlstate="55000", message=words, position=None)
