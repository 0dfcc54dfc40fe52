# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply the pending files of a folder, each with its row in the history, and look at the result."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .._errors import DeployError, UnreachableError, VerificationError
from .._lock.fence import Check, no_check
from .._postgres import Session, SqlError
from . import supabase_history
from .execution import Mode, controls_transaction, resets_role
from .file_history import (
    Drift,
    History,
    Mend,
    SupabasePlan,
    describe_drift,
    plan_migrations,
    refuse_drift,
)
from .guard.options import Guard, GuardReport
from .models import Migration, MigrationError, Table, describe_tables, find_tables, verify_tables
from .runner import (
    LockRetries,
    StatementError,
    Walk,
    advisory_lock,
    describe_failure,
    describe_loss,
)
from .session import (
    HeldLock,
    Limits,
    Run,
    Runs,
    begin_anew,
    describe_runs,
    refuse_read_only,
    strongest,
)
from .splitter import without_leading_comments
from .supabase_folder import duplicates, problems_of

if t.TYPE_CHECKING:
    from .execution import Step


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
class SupabaseRequest:
    """What is to be deployed and how, as in the module's options."""

    local: tuple[Migration, ...]
    expect_tables: tuple[str, ...]
    refuse_drift: bool
    include_all: bool
    limits: Limits
    guard: Guard
    advisory_lock_timeout: float
    role: str | None
    """The one to take on, so that it owns what migrations make; None for the one that logs in."""
    where: str
    """The database, in sentences."""
    history: History = supabase_history
    problems_of: t.Callable[[Migration], t.Iterable[str]] = problems_of
    """A sentence for everything about a pending file that can be seen to fail."""
    check_lock: Check = no_check
    """Before each file."""


@dataclass(frozen=True)
class SupabaseResult:
    """`runs` has each applied file by its name, None when nothing was to be applied but told."""

    plan: SupabasePlan
    drift: dict[str, Drift]
    versions: list[str]
    tables: list[Table]
    guard: GuardReport
    runs: Runs | None = None

    @property
    def warnings(self) -> list[str]:
        edited = [
            f"{file} was edited since it was applied: {drift.how}."
            for file, drift in self.drift.items()
        ]
        return [*edited, *self.guard.warnings]

    def to_result(self) -> dict[str, t.Any]:
        migrations = describe(self.plan)
        applied = self.runs is not None
        return {
            "changed": self.plan.changed,
            **describe_drift(self.drift),
            "applied": migrations if applied else [],
            "pending": [] if applied else migrations,
            "versions": self.versions,
            "tables": [table.to_result() for table in self.tables],
            **describe_runs(self.runs or {}),
            **self.guard.to_result(),
        }


def predict(session: Session, order: SupabaseRequest) -> SupabaseResult:
    """What `migrate` would do."""
    order.limits.set_on(session)
    plan, drift, guarded = observe(session, order)
    before = find_tables(session, order.expect_tables)
    tables = describe_tables(session, order.expect_tables, before=before)
    return SupabaseResult(plan, drift, list(plan.applied), tables, guarded)


def migrate(session: Session, order: SupabaseRequest, retries: LockRetries) -> SupabaseResult:
    """Apply what is pending, in order. A DeployError tells in its details what was applied before it."""
    runs: Runs = {}
    # Looks wait for locks as well, of a table that somebody else is changing.
    order.limits.set_on(session)
    with advisory_lock(session, order.history.ADVISORY_LOCK, timeout=order.advisory_lock_timeout):
        plan, drift, guarded = observe(session, order)
        before = find_tables(session, order.expect_tables)
        try:
            apply_plan(session, plan, order, retries, runs)
            order.limits.set_on(session)
            versions = verify_applied(session, plan, order.history)
            tables = describe_tables(session, order.expect_tables, before=before)
            verify_tables(tables, order.expect_tables, database=order.where)
        except DeployError as exc:
            exc.details.update(
                changed=bool(runs),
                applied=describe(plan)[: len(runs)],
                **describe_runs(runs),
            )
            raise
    return SupabaseResult(plan, drift, versions, tables, guarded, runs)


def observe(
    session: Session, order: SupabaseRequest
) -> tuple[SupabasePlan, dict[str, Drift], GuardReport]:
    """What would run, which applied files were edited, and what was waived; raises when nothing may run."""
    history = order.history.read_history(session)
    plan = plan_migrations(
        history,
        order.local,
        include_all=order.include_all,
        mend=order.history.MEND,
        order=order.history.version_order,
    )
    twice = duplicates(order.local)
    drift = order.history.find_drift(
        history, [each for each in order.local if each.version not in twice]
    )
    if order.refuse_drift:
        refuse_drift(drift)
    if plan.changed:
        refuse_read_only(session, order.where)
    problems = {each.file: list(order.problems_of(each)) for each in plan.pending}
    problems |= {
        version: [f"{' and '.join(names)} share a version, {version}: give each its own."]
        for version, names in twice.items()
    }
    problems = {file: told for file, told in problems.items() if told}
    sources = [each.source for each in plan.pending]
    return plan, drift, order.guard.check(session, sources, problems=problems)


def apply_plan(
    session: Session, plan: SupabasePlan, order: SupabaseRequest, retries: LockRetries, runs: Runs
) -> None:
    if not plan.changed:
        return
    runner = Runner(session, order.limits, order.role, retries, history=order.history)
    order.check_lock()
    retries.insist("the history table", lambda: order.history.ensure_history(session), lambda: True)
    for number, migration in enumerate(plan.pending, start=1):
        file = migration.file
        order.check_lock()
        run = runner.apply(migration)
        runs[file] = run
        retries.report(
            "MigrationApplied",
            f"{file} applied in {run.seconds:.2f} s ({number} of {len(plan.pending)})",
            {"file": file, "seconds": round(run.seconds, 3)},
        )


def verify_applied(session: Session, plan: SupabasePlan, table: History) -> list[str]:
    """Read the history back: what was run is in it, as it is, and nothing else is new. Returns all its versions."""
    history = table.read_history(session)
    versions = [row.version for row in history]
    refuse_foreign({*plan.applied, *(each.version for each in plan.pending)}, versions, table.MEND)
    recorded = {row.version: row for row in history}
    missing = [
        migration.file
        for migration in plan.pending
        if migration.version not in recorded
        or not table.is_recorded(recorded[migration.version], migration)
    ]
    if missing:
        raise VerificationError(
            "These migrations ran, but the history has them differently or not: "
            f"{', '.join(missing)}."
        )
    return versions


def refuse_foreign(expected: set[str], found: list[str], mend: Mend) -> None:
    """Raise for versions that this run did not write, and for those it found and that are gone."""
    strange = [version for version in found if version not in expected]
    gone = sorted(expected.difference(found))
    told = [
        *([f"has {', '.join(strange)}, which this run did not write"] if strange else []),
        *([f"lost {', '.join(gone)}"] if gone else []),
    ]
    if told:
        raise VerificationError(
            f"The migrations ran, and the history {' and '.join(told)}: one of them wrote it, or "
            f"somebody else did meanwhile. Find out which, and {mend.rewritten}; until then the next "
            "run may stop or run a file twice.",
            foreign_versions=strange,
            missing_versions=gone,
        )


def describe(plan: SupabasePlan) -> list[dict[str, t.Any]]:
    return [migration.to_result() for migration in plan.pending]
