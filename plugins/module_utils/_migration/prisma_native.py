# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply one Prisma migration ourselves, and leave the rows that `prisma migrate deploy` would leave.

A script that can be a transaction commits together with its row, so that a run that was cut off anywhere left either
both or nothing. All others go as Prisma goes: the row, the script, the row again.
"""

from __future__ import annotations

import time
import typing as t

from .._errors import UnreachableError
from .._postgres import SqlError
from .execution import excerpt, mask_message
from .models import MigrationError
from .prisma_folder import resolve_by
from .prisma_history import Attempt, HistoryTable
from .runner import LockRetries, would_skip
from .session import AppliedFile, begin_anew
from .splitter import failing_line, without_leading_comments

if t.TYPE_CHECKING:
    from .._postgres import Session
    from .prisma_folder import PrismaMigration
    from .session import HeldLock, SessionTimeouts

# "Cannot run inside a transaction block", and a COMMIT inside of a procedure: the server alone knows which ones.
_WANTS_NO_TRANSACTION = ("25001", "2D000")
QUERY_CANCELED = "57014"
SYNTAX_ERROR = "42601"


class ScriptStatementError(SqlError):
    """`statement` of the script, counted from 1, was refused, in this line."""

    def __init__(self, statement: int, line: int, error: SqlError) -> None:
        super().__init__(sqlstate=error.sqlstate, message=error.message, position=None)
        self.statement = statement
        self.line = line


class _OpenTransactionError(Exception):
    """The script began a transaction and did not end it."""


class ScriptRunner:
    """Applies migrations, one at a time, over one session."""

    def __init__(
        self,
        session: Session,
        table: HistoryTable,
        limits: SessionTimeouts,
        retries: LockRetries | None = None,
    ) -> None:
        self._session = session
        self._table = table
        self._limits = limits
        self._retries = retries or LockRetries()
        self._held: frozenset[HeldLock] | None = None

    def apply(self, migration: PrismaMigration) -> AppliedFile:
        """Run it and write its row. MigrationError says what is left of it."""
        started = time.monotonic()
        self._held = None
        attempts = [Attempt(migration.name, migration.checksum)]
        try:
            self._run(migration, attempts)
        except SqlError as exc:
            self._leave_failed(attempts[-1], mask_message(str(exc), exc.sqlstate))
            raise describe_failure(migration, exc, self._retries.advice(exc.sqlstate)) from exc
        except _OpenTransactionError as exc:
            self._leave_failed(attempts[-1], "The script left its transaction open.")
            raise MigrationError(
                f"{migration.file} begins a transaction and never commits it (P3018), so nothing "
                "after that was kept: remove the BEGIN, or add the COMMIT.",
                file=migration.file,
                code="P3018",
            ) from exc
        except UnreachableError as exc:
            raise UnreachableError(f"{exc} {_what_a_rerun_does(migration)}", **exc.details) from exc
        seconds = time.monotonic() - started
        return AppliedFile(seconds, self._held or frozenset(), self._held is not None)

    def _run(self, migration: PrismaMigration, attempts: list[Attempt]) -> None:
        if not migration.atomic:
            self._in_steps(migration, attempts[-1])
            return
        try:
            self._try_whole(migration, attempts, self._one_by_one)
        except SqlError as exc:
            miscut = exc.sqlstate == SYNTAX_ERROR
            if not miscut and (
                exc.sqlstate not in _WANTS_NO_TRANSACTION or len(migration.statements) > 1
            ):
                raise
            self._roll_back(attempts)
            if miscut:
                # Should it be cut wrongly, the server cuts it itself.
                self._try_whole(migration, attempts, self._script)
            else:
                self._in_steps(migration, attempts[-1])

    def _try_whole(
        self,
        migration: PrismaMigration,
        attempts: list[Attempt],
        script: t.Callable[[PrismaMigration], None],
    ) -> None:
        self._retries.insist(
            migration.file,
            lambda: self._whole(migration, attempts[-1], script),
            lambda: self._roll_back(attempts),
        )

    def _whole(
        self,
        migration: PrismaMigration,
        attempt: Attempt,
        script: t.Callable[[PrismaMigration], None],
    ) -> None:
        self._session.execute("BEGIN")
        self._table.start(attempt)
        self._limits.set_on(self._session)
        script(migration)
        held = self._retries.watch.held()
        if held is not None:
            self._held = frozenset(lock for lock in held if lock.relation != self._table.quoted)
        forget_settings(self._session)
        self._table.finish(attempt)
        self._session.execute("COMMIT")

    def _in_steps(self, migration: PrismaMigration, attempt: Attempt) -> None:
        self._table.start(attempt)
        for number, statement in enumerate(migration.script.statements, start=1):
            skipped = would_skip(self._session, statement.text)
            if skipped is not None:
                raise ScriptStatementError(number, failing_line(statement, None), skipped)
        self._limits.set_on(self._session)
        with self._retries.watch.waiting():
            self._script(migration)
        if self._session.in_transaction:
            raise _OpenTransactionError
        forget_settings(self._session)
        self._table.finish(attempt)

    def _one_by_one(self, migration: PrismaMigration) -> None:
        """In a transaction it comes to what sending the script as one does, and the server tells which one failed."""
        for index, statement in enumerate(migration.script.statements):
            if without_leading_comments(statement.text):
                try:
                    self._session.execute(statement.text)
                except SqlError as exc:
                    line = failing_line(statement, exc.position)
                    raise ScriptStatementError(index + 1, line, exc) from exc

    def _script(self, migration: PrismaMigration) -> None:
        if migration.statements:
            self._session.execute(migration.text)

    def _roll_back(self, attempts: list[Attempt]) -> bool:
        self._session.execute("ROLLBACK")
        attempts.append(Attempt(attempts[-1].name, attempts[-1].checksum))
        return True

    def _leave_failed(self, attempt: Attempt, logs: str) -> None:
        """Leave the row as Prisma leaves one that failed: with its logs and without an end."""
        if self._session.in_transaction:
            self._session.execute("ROLLBACK")
        forget_settings(self._session)
        self._table.fail(attempt, logs)


def forget_settings(session: Session) -> None:
    """What a script set for its session would be there for the next one, and for the row of this one."""
    session.execute("RESET SESSION AUTHORIZATION")
    session.execute("RESET ROLE")
    begin_anew(session)


def describe_failure(migration: PrismaMigration, error: SqlError, advice: str) -> MigrationError:
    """`advice` is a sentence on what was in the way, with the space before it."""
    details: dict[str, t.Any] = {
        "file": migration.file,
        "sqlstate": error.sqlstate,
        "atomic": migration.atomic,
        "code": "P3018",
    }
    where = migration.file
    place = _place_of(migration, error)
    if place:
        details |= {"statement": place[0], "line": place[1]}
        sql = migration.script.statements[place[0] - 1].text
        where += f", statement {place[0]}, line {place[1]} ({excerpt(sql)})"
    refusal = f"{mask_message(error.message, error.sqlstate)} (SQLSTATE {error.sqlstate}, P3018)"
    if error.sqlstate == QUERY_CANCELED:
        advice = " It ran for longer than option 'statement_timeout'."
    left = "was rolled back" if migration.atomic else "is not atomic: what it committed stays"
    return MigrationError(
        f"{where}: {refusal}.{advice} The script {left}. Fix it, say that nothing of it remains by "
        f"{resolve_by('rolled_back', migration.name)}, and run again.",
        **details,
    )


def _place_of(migration: PrismaMigration, error: SqlError) -> tuple[int, int] | None:
    """Statement and line; None where the script went as one and the server pointed nowhere."""
    if isinstance(error, ScriptStatementError):
        return error.statement, error.line
    numbered = [
        (number, each)
        for number, each in enumerate(migration.script.statements, start=1)
        if without_leading_comments(each.text)
    ]
    if error.position is not None:
        line = migration.text.count("\n", 0, error.position - 1) + 1
        before = [number for number, each in numbered if each.line <= line]
        return (before[-1], line) if before else None
    if len(numbered) == 1:
        [(number, statement)] = numbered
        return number, failing_line(statement, None)
    return None


def _what_a_rerun_does(migration: PrismaMigration) -> str:
    if migration.atomic:
        return f"{migration.file} and its row commit together, so run it again."
    return (
        f"{migration.file} is not atomic: check what remains of it; the next run stops with "
        "P3009 unless it was finished."
    )
