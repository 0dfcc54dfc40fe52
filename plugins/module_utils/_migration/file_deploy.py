# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply one file of a folder together with its row in the history."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from .._postgres import Session, SqlError
from .execution import Step, controls_transaction, resets_role
from .models import Migration
from .runner import MigrationRun, Walk, telling
from .session import begin_anew


@dataclass
class FileRun(MigrationRun):
    """Of a file, as the Supabase CLI runs it. `role` is the one to take on, None for the one that logs in."""

    insert_row: t.Callable[[Session, Migration, float], None]
    role: str | None
    walk: Walk | None = field(default=None, init=False)

    UNPLACED = ", at its end"
    OTHERWISE = "unless its version is in the history, undo what it left or make the file repeatable, and run again."

    def __post_init__(self) -> None:
        begin_anew(self.session)
        self.limits.set_on(self.session)
        self._take_role()

    def run(self) -> None:
        *steps, last = self.migration.steps
        for step in steps:
            self._run_step(step)
        if last.transaction:
            self._run_step(last, then=self._write_row)
            return
        self._run_step(last)
        if self.session.in_transaction:
            self.session.execute("ROLLBACK")
            raise self.left_open()
        self.insist(self._write_row, lambda: True)

    def what_is_left(self, _error: SqlError, advice: str) -> str:
        invalid = self.walk.new_invalid_indexes() if self.walk else ()
        # A transaction that the file itself has ended leaves nothing to roll back: only a warning.
        self.session.execute("ROLLBACK")
        left = (
            " The whole file was rolled back: fix it and run again."
            if self.migration.atomic
            else " The file is not atomic, so what it committed before this stays; undo that or make the file "
            "repeatable, then run again."
        )
        if invalid:
            listed = ", ".join(invalid)
            left += f" It left {listed} invalid: drop that index before you run the file again."
        return left + advice

    def _run_step(self, step: Step, then: t.Callable[[], None] = lambda: None) -> None:
        if step.transaction:
            self.insist(lambda: self._together(step, then), self._roll_back)
        else:
            self.walk = walk = Walk(self.session, self.migration.statements, step.statements)
            self.insist(lambda: self._one_by_one(walk), walk.rewind)

    def _together(self, step: Step, then: t.Callable[[], None]) -> None:
        self.session.execute("BEGIN")
        for index in step.statements:
            self.run_statement(index)
        self.look_at_locks()
        then()
        with telling(None):
            self.session.execute("COMMIT")

    def _one_by_one(self, walk: Walk) -> None:
        for index in walk.statements():
            controls = controls_transaction(self.migration.statements[index])
            within = self.session.in_transaction
            if within and controls:
                self.look_at_locks()
            self.run_statement(index)
            if not within and not controls:
                self.held_known = False

    def _roll_back(self) -> bool:
        self.session.execute("ROLLBACK")
        return True

    def run_statement(self, index: int) -> None:
        super().run_statement(index)
        if resets_role(self.migration.statements[index]):
            self._take_role()

    def _write_row(self) -> None:
        self._take_role()
        with telling(None):
            self.insert_row(self.session, self.migration, time.monotonic() - self.started)

    def _take_role(self) -> None:
        if self.role:
            self.session.execute(f"SET SESSION ROLE {self.role}")
