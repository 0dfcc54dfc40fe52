# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the pending files of a folder, each with its row in the history, and look at the result."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .._errors import UnreachableError, VerificationError
from .._postgres import Session, SqlError
from . import supabase
from .deploy import DeployRequest, Look
from .execution import Mode, controls_transaction, resets_role
from .file_history import History, Mend, describe_drift, plan_migrations, refuse_drift
from .models import Migration, MigrationError
from .runner import LockRetries, StatementError, Walk, describe_failure, describe_loss
from .session import AppliedFile, HeldLock, SessionTimeouts, begin_anew, refuse_read_only, strongest
from .splitter import without_leading_comments
from .supabase import Folder, duplicates

if t.TYPE_CHECKING:
    from .execution import Step


class Runner:
    """Applies migrations, one at a time, over one session."""

    def __init__(
        self,
        session: Session,
        limits: SessionTimeouts,
        role: str | None,
        retries: LockRetries | None = None,
        *,
        history: History = supabase,
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

    def apply(self, migration: Migration) -> AppliedFile:
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
            # The next file, and the next user of the session, begins clean; a lost connection is clean too.
            with suppress(SqlError, UnreachableError):
                begin_anew(self._session)
        return AppliedFile(
            time.monotonic() - self._started, strongest(self._held), self._held_known
        )

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
        self._retries.insist(migration.file, attempt, undo)

    def _guarded(self, index: int | None, act: t.Callable[[], None]) -> None:
        try:
            act()
        except SqlError as exc:
            raise StatementError(index, exc) from exc


def _left_open(session: Session, migration: Migration) -> MigrationError:
    session.execute("ROLLBACK")
    return MigrationError(
        f"{migration.file} begins a transaction and never commits it, so nothing after that "
        "was kept: add the COMMIT, or remove the BEGIN: a file without either is one transaction.",
        file=migration.file,
        atomic=False,
    )


@dataclass(frozen=True)
class FileKind:
    """A folder of files, whose history is in one table."""

    read_folder: t.Callable[[str], Folder]
    history: History
    problems_of: t.Callable[[Migration], t.Iterable[str]]
    """A sentence for everything about a pending file that can be seen to fail."""
    named: str
    role_of: t.Callable[[str], str | None] = lambda _user: None
    """The role to take on, so that it owns what migrations make; None for the one that logs in."""


@dataclass(frozen=True)
class FileEngine:
    """Of a folder of files, as the Supabase CLI or Flyway has them."""

    order: DeployRequest
    kind: FileKind
    local: tuple[Migration, ...]
    include_all: bool
    role: str | None
    leaves_failures: bool = False

    @property
    def history(self) -> History:
        return self.kind.history

    @property
    def advisory_lock(self) -> int:
        return self.history.ADVISORY_LOCK

    def look(self, session: Session) -> Look:
        history = self.history.read_history(session)
        plan = plan_migrations(
            history,
            self.local,
            include_all=self.include_all,
            mend=self.history.MEND,
            order=self.history.version_order,
        )
        twice = duplicates(self.local)
        drift = self.history.find_drift(
            history, [each for each in self.local if each.version not in twice]
        )
        if self.order.refuse_drift:
            refuse_drift(drift)
        if plan.pending:
            refuse_read_only(session, self.order.where)
        problems = {each.file: list(self.kind.problems_of(each)) for each in plan.pending}
        problems |= {
            version: [f"{' and '.join(names)} share a version, {version}: give each its own."]
            for version, names in twice.items()
        }
        guarded = self.order.guard.check(
            session,
            [each.source for each in plan.pending],
            problems={file: sentences for file, sentences in problems.items() if sentences},
        )
        warnings = [
            f"{file} was edited since it was applied: {each.how}." for file, each in drift.items()
        ]
        return Look(plan, list(plan.applied), guarded, warnings, describe_drift(drift))

    def begin(
        self, session: Session, _look: Look, retries: LockRetries, /
    ) -> t.Callable[[Migration], AppliedFile]:
        retries.insist(
            "the history table", lambda: self.history.ensure_history(session), lambda: True
        )
        runner = Runner(session, self.order.limits, self.role, retries, history=self.history)
        return runner.apply

    def verify(self, session: Session, look: Look) -> list[str]:
        history = self.history.read_history(session)
        versions = [row.version for row in history]
        expected = {*look.versions, *(each.version for each in look.plan.pending)}
        refuse_foreign(expected, versions, self.history.MEND)
        recorded = {row.version: row for row in history}
        missing = [
            migration.file
            for migration in look.plan.pending
            if migration.version not in recorded
            or not self.history.is_recorded(recorded[migration.version], migration)
        ]
        if missing:
            raise VerificationError(
                "These migrations ran, but the history has them differently or not: "
                f"{', '.join(missing)}."
            )
        return versions


def refuse_foreign(expected: set[str], versions: list[str], mend: Mend) -> None:
    """Raise for versions that this run did not write, and for those it read before and that are gone."""
    strange = [version for version in versions if version not in expected]
    gone = sorted(expected.difference(versions))
    clauses = [
        *([f"has {', '.join(strange)}, which this run did not write"] if strange else []),
        *([f"lost {', '.join(gone)}"] if gone else []),
    ]
    if clauses:
        raise VerificationError(
            f"The migrations ran, and the history {' and '.join(clauses)}: one of them wrote it, or "
            f"somebody else did meanwhile. Find out which, and {mend.rewritten}; until then the next "
            "run may stop or run a file twice.",
            foreign_versions=strange,
            missing_versions=gone,
        )
