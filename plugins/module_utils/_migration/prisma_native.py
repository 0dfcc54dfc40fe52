# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Apply one Prisma migration ourselves, and leave the rows that `prisma migrate deploy` would leave.

A script that can be a transaction commits together with its row, so that a run that was cut off anywhere left either
both or nothing. All others go as Prisma goes: the row, the script, the row again.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import MigrationError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.lock_retries import (
    LockRetries,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_history import (
    Attempt,
    HistoryTable,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.runs import Run
from ansible_collections.easymo.deploy.plugins.module_utils._migration.text import (
    excerpt,
    mask_message,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import SqlError

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._migration.locks import HeldLock
    from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_folder import (
        PrismaMigration,
    )
    from ansible_collections.easymo.deploy.plugins.module_utils._migration.session import Limits
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session

# "Cannot run inside a transaction block", and a COMMIT inside of a procedure: the server alone knows which ones.
_WANTS_NO_TRANSACTION = ("25001", "2D000")
QUERY_CANCELED = "57014"


class _OpenTransactionError(Exception):
    """The script began a transaction and did not end it."""


class Runner:
    """Applies migrations, one at a time, over one session."""

    def __init__(
        self,
        session: Session,
        table: HistoryTable,
        limits: Limits,
        retries: LockRetries | None = None,
    ) -> None:
        self._session = session
        self._table = table
        self._limits = limits
        self._retries = retries or LockRetries()
        self._held: frozenset[HeldLock] | None = None

    def apply(self, migration: PrismaMigration) -> Run:
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
                f"{migration.file} begins a transaction and never commits it (P3018), so nothing since then was "
                "kept: take the BEGIN away, or add the COMMIT.",
                file=migration.file,
                code="P3018",
            ) from exc
        except UnreachableError as exc:
            raise UnreachableError(f"{exc} {_what_a_rerun_does(migration)}", **exc.details) from exc
        seconds = time.monotonic() - started
        return Run(seconds, self._held or frozenset(), self._held is not None)

    def _run(self, migration: PrismaMigration, attempts: list[Attempt]) -> None:
        if not migration.atomic:
            self._in_steps(migration, attempts[-1])
            return
        try:
            self._retries.insist(
                migration.file,
                lambda: self._whole(migration, attempts[-1]),
                lambda: self._roll_back(attempts),
            )
        except SqlError as exc:
            if exc.sqlstate not in _WANTS_NO_TRANSACTION or len(migration.statements) > 1:
                raise
            self._roll_back(attempts)
            self._in_steps(migration, attempts[-1])

    def _whole(self, migration: PrismaMigration, attempt: Attempt) -> None:
        self._session.execute("BEGIN")
        self._table.start(attempt)
        self._limits.set_on(self._session)
        self._script(migration)
        held = self._retries.watch.held()
        if held is not None:
            self._held = frozenset(lock for lock in held if lock.relation != self._table.quoted)
        forget_settings(self._session)
        self._table.finish(attempt)
        self._session.execute("COMMIT")

    def _in_steps(self, migration: PrismaMigration, attempt: Attempt) -> None:
        self._table.start(attempt)
        self._limits.set_on(self._session)
        with self._retries.watch.waiting():
            self._script(migration)
        if self._session.in_transaction:
            raise _OpenTransactionError
        forget_settings(self._session)
        self._table.finish(attempt)

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
    session.execute("RESET ALL")


def describe_failure(migration: PrismaMigration, error: SqlError, advice: str) -> MigrationError:
    """`advice` is a sentence on what was in the way, with the space before it."""
    details: dict[str, t.Any] = {
        "file": migration.file,
        "sqlstate": error.sqlstate,
        "atomic": migration.atomic,
        "code": "P3018",
    }
    where = migration.file
    if error.position is not None:
        line = migration.text.count("\n", 0, error.position - 1) + 1
        details["line"] = line
        where += f", line {line} ({excerpt(migration.text.splitlines()[line - 1])})"
    said = f"{mask_message(error.message, error.sqlstate)} (SQLSTATE {error.sqlstate}, P3018)"
    if error.sqlstate == QUERY_CANCELED:
        advice = " It ran for longer than option 'statement_timeout'."
    left = "was rolled back" if migration.atomic else "is not atomic, what it committed stays"
    return MigrationError(
        f"{where}: {said}.{advice} The script {left}. Put it right, run easymo.deploy.prisma_migrations with "
        f"state=resolved, migrations=[{migration.name}] and resolution=rolled_back, and run again.",
        **details,
    )


def _what_a_rerun_does(migration: PrismaMigration) -> str:
    if migration.atomic:
        return f"{migration.file} and its row commit together, so run again: it goes on from what is there."
    return (
        f"{migration.file} is not atomic: look at what stayed of it; the next run stops with P3009 unless it "
        "was finished."
    )
