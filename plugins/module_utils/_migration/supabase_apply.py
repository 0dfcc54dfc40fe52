# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Run one Supabase migration as the CLI would, with a bound on how long it waits for locks and how long it runs."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress

from .._errors import UnreachableError
from .._postgres import SqlError
from . import supabase_history
from .errors import MigrationError
from .execution import Mode, controls_transaction, resets_role
from .lock_retries import LockRetries
from .locks import HeldLock, strongest
from .runs import Run
from .session import begin_anew
from .splitter import without_leading_comments
from .statement_runner import Walk
from .supabase_failure import StatementError, describe_failure, describe_loss

if t.TYPE_CHECKING:
    from .._postgres import Session
    from .execution import Step
    from .file_history import History
    from .session import Limits
    from .supabase_folder import Migration


class Runner:
    """Applies migrations, one at a time, over one session."""

    def __init__(
        self,
        session: Session,
        limits: Limits,
        role: str | None,
        retries: LockRetries | None = None,
        *,
        history: History = supabase_history,
    ) -> None:
        self._session = session
        self._limits = limits
        self._role = role
        self._retries = retries or LockRetries()
        self._history = history
        self._started = 0.0
        self._held: set[HeldLock] = set()
        self._held_known = True
        self._walk: Walk | None = None

    def apply(self, migration: Migration) -> Run:
        """Run it and write its row. MigrationError says what is left of it."""
        self._started = time.monotonic()
        self._reset()
        try:
            self._run(migration)
        except StatementError as exc:
            invalid = self._walk.new_invalid_indexes() if self._walk else ()
            if migration.execution.mode is not Mode.STATEMENT_BY_STATEMENT:
                # A transaction that the file itself has ended leaves nothing to roll back: only a warning.
                self._session.execute("ROLLBACK")
            advice = self._retries.advice(exc.sqlstate)
            failure = describe_failure(migration, exc, invalid=invalid, lock_advice=advice)
            raise failure from exc.__cause__
        except UnreachableError as exc:
            raise describe_loss(migration, exc) from exc
        finally:
            # The next file, and whoever uses the session after us, begins clean; a lost connection is clean too.
            with suppress(SqlError, UnreachableError):
                begin_anew(self._session)
        return Run(time.monotonic() - self._started, strongest(self._held), self._held_known)

    def _reset(self) -> None:
        self._held, self._held_known, self._walk = set(), True, None
        begin_anew(self._session)
        self._limits.set_on(self._session)
        self._take_role()

    def _run(self, migration: Migration) -> None:
        for step in migration.execution.steps[:-1]:
            self._run_step(migration, step)
        last = migration.execution.steps[-1]
        if last.transaction:
            self._run_step(migration, last, then=lambda: self._write_row(migration))
            return
        self._run_step(migration, last)
        if self._session.in_transaction:
            raise _left_open(self._session, migration)
        self._insist(migration, lambda: self._write_row(migration), lambda: True)

    def _run_step(
        self, migration: Migration, step: Step, then: t.Callable[[], None] = lambda: None
    ) -> None:
        if step.transaction:
            self._insist(migration, lambda: self._together(migration, step, then), self._roll_back)
        else:
            self._walk = Walk(self._session, migration.statements, step.statements)
            self._insist(migration, lambda: self._one_by_one(migration), self._walk.rewind)

    def _together(self, migration: Migration, step: Step, then: t.Callable[[], None]) -> None:
        self._session.execute("BEGIN")
        for index in step.statements:
            self._run_statement(migration, index)
        self._look_at_locks()
        then()
        self._guarded(None, lambda: self._session.execute("COMMIT"))

    def _one_by_one(self, migration: Migration) -> None:
        for index in t.cast("Walk", self._walk).statements():
            statement = migration.statements[index]
            within = self._session.in_transaction
            if within and controls_transaction(statement):
                self._look_at_locks()
            self._run_statement(migration, index)
            if not within and not controls_transaction(statement):
                self._held_known = False

    def _roll_back(self) -> bool:
        self._session.execute("ROLLBACK")
        return True

    def _run_statement(self, migration: Migration, index: int) -> None:
        statement = migration.statements[index]
        # A piece of nothing but comments belongs into the history and is nothing to a server.
        if without_leading_comments(statement):
            self._guarded(index, lambda: self._session.execute(statement))
        if resets_role(statement):
            self._take_role()

    def _write_row(self, migration: Migration) -> None:
        self._take_role()
        seconds = time.monotonic() - self._started
        self._guarded(None, lambda: self._history.insert_row(self._session, migration, seconds))

    def _look_at_locks(self) -> None:
        held = self._retries.watch.held()
        if held is None:
            self._held_known = False
        else:
            self._held |= held

    def _take_role(self) -> None:
        if self._role:
            self._session.execute(f"SET SESSION ROLE {self._role}")

    def _insist(
        self, migration: Migration, attempt: t.Callable[[], None], undo: t.Callable[[], bool]
    ) -> None:
        self._retries.insist(migration.file.file, attempt, undo)

    def _guarded(self, index: int | None, act: t.Callable[[], None]) -> None:
        try:
            act()
        except SqlError as exc:
            raise StatementError(index, exc) from exc


def _left_open(session: Session, migration: Migration) -> MigrationError:
    session.execute("ROLLBACK")
    return MigrationError(
        f"{migration.file.file} begins a transaction and never commits it, so nothing after that "
        "was kept: add the COMMIT, or remove the BEGIN: a file without either is one transaction.",
        file=migration.file.file,
        atomic=False,
    )
