# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Run one Supabase migration as the CLI would, with a bound on how long it waits for locks and how long it runs."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import MigrationError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.execution import (
    Mode,
    Step,
    resets_role,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import (
    without_leading_comments,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase_history import (
    insert_row,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.text import (
    excerpt,
    mask_message,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import SqlError

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._migration.session import Limits
    from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase_folder import (
        Migration,
    )
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session


class _StatementError(Exception):
    """Statement `index` of the file (None: the history's row) was refused."""

    def __init__(self, index: int | None, error: SqlError) -> None:
        super().__init__(str(error))
        self.index = index
        self.error = error


class Runner:
    """Applies migrations, one at a time, over one session."""

    def __init__(self, session: Session, limits: Limits, role: str | None) -> None:
        self._session = session
        self._limits = limits
        self._role = role

    def apply(self, migration: Migration) -> float:
        """Run it and write its row. Returns the seconds it took; MigrationError says what is left of it."""
        started = time.monotonic()
        self._reset()
        try:
            self._run(migration)
        except _StatementError as exc:
            if migration.execution.mode is not Mode.STATEMENT_BY_STATEMENT:
                # A transaction that the file itself has ended leaves nothing to roll back: only a warning.
                self._session.execute("ROLLBACK")
            raise describe_failure(migration, exc.index, exc.error) from exc
        finally:
            # The next file, and whoever uses the session after us, begins clean; a lost connection is clean too.
            with suppress(SqlError, UnreachableError):
                self._session.execute("RESET ALL")
        return time.monotonic() - started

    def _reset(self) -> None:
        self._session.execute("RESET ALL")
        self._limits.set_on(self._session)
        self._take_role()

    def _run(self, migration: Migration) -> None:
        steps = migration.execution.steps
        for step in steps:
            self._run_step(migration, step, last=step is steps[-1])
        if self._session.in_transaction:
            self._session.execute("ROLLBACK")
            raise MigrationError(
                f"{migration.file.file} begins a transaction and never commits it, so nothing since then was kept: "
                "add the COMMIT, or leave the BEGIN away: a file without either is one transaction.",
                file=migration.file.file,
                atomic=False,
            )

    def _run_step(self, migration: Migration, step: Step, *, last: bool) -> None:
        if step.transaction:
            self._session.execute("BEGIN")
        for index in step.statements:
            self._run_statement(index, migration.statements[index])
        if last:
            self._take_role()
            self._guarded(
                None, lambda: insert_row(self._session, migration.file, migration.statements)
            )
        if step.transaction:
            self._guarded(None, lambda: self._session.execute("COMMIT"))

    def _run_statement(self, index: int, statement: str) -> None:
        # A piece of nothing but comments belongs into the history and is nothing to a server.
        if without_leading_comments(statement):
            self._guarded(index, lambda: self._session.execute(statement))
        if resets_role(statement):
            self._take_role()

    def _take_role(self) -> None:
        if self._role:
            self._session.execute(f"SET SESSION ROLE {self._role}")

    def _guarded(self, index: int | None, act: t.Callable[[], None]) -> None:
        try:
            act()
        except SqlError as exc:
            raise _StatementError(index, exc) from exc


def describe_failure(migration: Migration, index: int | None, error: SqlError) -> MigrationError:
    """File, statement, line, SQLSTATE and message; nothing of the data in it."""
    message = mask_message(error.message, error.sqlstate)
    details: dict[str, t.Any] = {
        "file": migration.file.file,
        "sqlstate": error.sqlstate,
        "atomic": migration.execution.atomic,
    }
    if index is None:
        where = f"{migration.file.file}, at its end"
    else:
        line = failing_line(migration, index, error.position)
        details |= {"statement": index + 1, "line": line}
        where = (
            f"{migration.file.file}, statement {index + 1}, line {line} "
            f"({excerpt(migration.statements[index])})"
        )
    return MigrationError(
        f"{where}: {message} (SQLSTATE {error.sqlstate}). {_what_is_left(migration)}"
        f"{_advice(error.sqlstate)}",
        **details,
    )


def failing_line(migration: Migration, index: int, position: int | None) -> int:
    """The line in the file: where PostgreSQL points, or else where the statement itself begins."""
    statement = migration.script.statements[index]
    offset = (
        position - 1
        if position is not None
        else statement.text.find(without_leading_comments(statement.text))
    )
    return statement.line + statement.text.count("\n", 0, offset)


def _what_is_left(migration: Migration) -> str:
    if migration.execution.atomic:
        return "The file was rolled back whole; fix it and run again."
    return (
        "The file is not atomic, so what it committed before this stays; "
        "undo that or make the file repeatable, then run again."
    )


def _advice(sqlstate: str) -> str:
    if sqlstate == "55P03":
        return " Another transaction held a lock for longer than option 'lock_timeout'."
    if sqlstate == "57014":
        return " It ran for longer than option 'statement_timeout'."
    return ""
