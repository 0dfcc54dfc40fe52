# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One deployment of Supabase migrations: look, decide, apply under the advisory lock, and look again."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import DeployError, VerificationError
from .._lock.check import Check, no_check
from .._postgres import Session
from . import supabase_history
from .advisory_lock import advisory_lock
from .file_history import History, Mend
from .guard.options import Guard, GuardReport
from .lock_retries import LockRetries
from .models import Table
from .runs import Runs, describe_runs
from .session import Limits, refuse_read_only
from .supabase_apply import Runner
from .supabase_drift import Drift, describe_drift, refuse_drift
from .supabase_folder import Migration, duplicates, problems_of
from .supabase_plan import SupabasePlan, plan_migrations
from .tables import describe_tables, find_tables, verify_tables


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
    twice = duplicates(each.file for each in order.local)
    drift = order.history.find_drift(
        history, [each for each in order.local if each.version not in twice]
    )
    if order.refuse_drift:
        refuse_drift(drift)
    if plan.changed:
        refuse_read_only(session, order.where)
    problems = {each.file.file: list(order.problems_of(each)) for each in plan.pending}
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
        file = migration.file.file
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
        migration.file.file
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
    return [migration.to_pending().to_result() for migration in plan.pending]
