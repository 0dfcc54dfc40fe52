# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of Prisma migrations: look, decide, apply natively or by a command, and look again."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import DeployError, RefusedError, VerificationError
from .._lock.fence import Check, no_check
from .._postgres import PostgresTarget, Session
from .guard.options import Guard, GuardReport
from .models import GenerateError, Table, describe_tables, find_tables, verify_tables
from .prisma_command import Command, failed_by_command, refuse_unchanged, run_command
from .prisma_folder import (
    PrismaHistory,
    PrismaMigration,
    PrismaPlan,
    compare,
    plan_prisma,
    problems_of,
    refuse_drift,
)
from .prisma_history import ADVISORY_LOCK, HistoryTable, read_history, use_schema
from .prisma_native import Runner
from .runner import LockRetries, advisory_lock
from .session import Limits, Run, Runs, describe_runs, refuse_read_only, role_timeout


@dataclass(frozen=True)
class PrismaRequest:
    """What is to be deployed and how, as in the module's options. Without `command`, we apply it ourselves."""

    local: tuple[PrismaMigration, ...]
    schema: str
    expect_tables: tuple[str, ...]
    """Each as `schema.table`."""
    refuse_drift: bool
    limits: Limits
    guard: Guard
    advisory_lock_timeout: float
    target: PostgresTarget
    command: Command | None
    generate: Command | None = None
    generate_always: bool = False
    check_lock: Check = no_check
    """Before each migration, or before the command that applies them all."""

    def generates(self, plan: PrismaPlan) -> bool:
        return self.generate is not None and (plan.changed or self.generate_always)


@dataclass(frozen=True)
class PrismaResult:
    """`history` after the deployment. `runs` has each applied file, None when nothing was to be applied but told."""

    plan: PrismaPlan
    history: PrismaHistory
    tables: list[Table]
    guard: GuardReport
    generated: bool
    runs: Runs | None = None
    role_timeout: str | None = None
    """A sentence, where another program runs the migrations."""
    output: list[str] = field(default_factory=list)
    """The last lines of what the command and the generator said."""

    @property
    def warnings(self) -> list[str]:
        edited = [
            f"{file} was edited since it was applied: {how}."
            for file, how in self.plan.drift.items()
        ]
        listed = ", ".join(self.plan.missing_locally)
        limited = [self.role_timeout] if self.role_timeout else []
        missing = f"The database has migrations missing in the folder: {listed}."
        return [*edited, *([missing] if listed else []), *limited, *self.guard.warnings]

    def to_result(self) -> dict[str, t.Any]:
        migrations = describe(self.plan.pending)
        return {
            "changed": self.plan.changed,
            "applied": [] if self.runs is None else migrations,
            "pending": migrations if self.runs is None else [],
            "versions": self.history.applied,
            "tables": [table.to_result() for table in self.tables],
            **describe_runs(self.runs or {}),
            "missing_locally": list(self.plan.missing_locally),
            "drift": self.plan.drift,
            "generated": self.generated,
            "output": self.output,
            **self.guard.to_result(),
        }


def describe(migrations: t.Iterable[PrismaMigration]) -> list[dict[str, t.Any]]:
    return [migration.to_pending().to_result() for migration in migrations]


def predict(session: Session, order: PrismaRequest) -> PrismaResult:
    """What `migrate` would do."""
    order.limits.set_on(session)
    table = use_schema(session, order.schema)
    history = read_history(session, order.schema, table)
    plan = plan_order(history, order)
    guarded = guard_pending(session, plan, order)
    before = find_tables(session, order.expect_tables)
    tables = describe_tables(session, order.expect_tables, before=before)
    return PrismaResult(
        plan,
        history,
        tables,
        guarded,
        generated=order.generates(plan),
        role_timeout=timeout_of(session, plan, order),
    )


def migrate(session: Session, order: PrismaRequest, retries: LockRetries) -> PrismaResult:
    # Looks wait for locks as well, of a table that somebody else is changing.
    order.limits.set_on(session)
    table = use_schema(session, order.schema)
    history = read_history(session, order.schema, table)
    plan = plan_order(history, order)
    guarded = guard_pending(session, plan, order)
    before = find_tables(session, order.expect_tables)
    output: list[str] = []
    runs: Runs = {}
    if order.command:
        if plan.changed:
            output += apply_by_command(session, table, plan, order, order.command)
    else:
        with advisory_lock(session, ADVISORY_LOCK, timeout=order.advisory_lock_timeout):
            # What we saw before we held the lock may be old by now.
            history = read_history(session, order.schema, table)
            plan = plan_order(history, order)
            guarded = guard_pending(session, plan, order)
            runs = apply_plan(session, table, plan, order, retries, exists=history.exists)
    order.limits.set_on(session)
    use_schema(session, order.schema)
    known = {row.name for row in history.rows}
    history = read_history(session, order.schema, table)
    if order.command:
        runs = runs_of_history(history, plan)
    verify_applied(history, order, {*known, *(each.name for each in plan.pending)})
    tables = describe_tables(session, order.expect_tables, before=before)
    verify_tables(tables, order.expect_tables, database=order.target.where)
    generated = order.generates(plan)
    if order.generate and generated:
        output += generate(order, order.generate, plan)
    limited = timeout_of(session, plan, order)
    return PrismaResult(plan, history, tables, guarded, generated, runs, limited, output)


def timeout_of(session: Session, plan: PrismaPlan, order: PrismaRequest) -> str | None:
    return role_timeout(session, order.target.user) if order.command and plan.changed else None


def plan_order(history: PrismaHistory, order: PrismaRequest) -> PrismaPlan:
    """What would run; raises when nothing may run."""
    plan = plan_prisma(history, order.local)
    if order.refuse_drift:
        refuse_drift(plan.drift)
    return plan


def guard_pending(session: Session, plan: PrismaPlan, order: PrismaRequest) -> GuardReport:
    """Raises when what would run cannot, or is not additive, and nobody waived that."""
    if plan.changed:
        refuse_read_only(session, order.target.where)
    problems = {each.file: told for each in plan.pending if (told := list(problems_of(each)))}
    sources = [each.source for each in plan.pending]
    return order.guard.check(session, sources, problems=problems, resets=False)


def apply_plan(
    session: Session,
    table: HistoryTable,
    plan: PrismaPlan,
    order: PrismaRequest,
    retries: LockRetries,
    *,
    exists: bool,
) -> Runs:
    """Natively. A DeployError tells in its details what was applied before it."""
    runs: Runs = {}
    if not plan.changed:
        return runs
    runner = Runner(session, table, order.limits, retries)
    changed = False
    try:
        for number, migration in enumerate(plan.pending, start=1):
            order.check_lock()
            changed = True
            if number == 1 and not exists:
                table.create()
            use_schema(session, order.schema)
            run = runs[migration.file] = runner.apply(migration)
            retries.report(
                "MigrationApplied",
                f"{migration.file} applied in {run.seconds:.2f} s ({number} of {len(plan.pending)})",
                {"file": migration.file, "seconds": round(run.seconds, 3)},
            )
    except DeployError as exc:
        done = [each for each in plan.pending if each.file in runs]
        exc.details.update(changed=changed, applied=describe(done), **describe_runs(runs))
        raise
    return runs


def runs_of_history(history: PrismaHistory, plan: PrismaPlan) -> Runs:
    """By the history's own times, for another program ran them; nobody looked at its locks."""
    seconds = {row.name: row.seconds or 0.0 for row in history.rows if row.applied}
    return {
        each.file: Run(seconds[each.name], frozenset(), locks_known=False)
        for each in plan.pending
        if each.name in seconds
    }


def apply_by_command(
    session: Session, table: HistoryTable, plan: PrismaPlan, order: PrismaRequest, command: Command
) -> list[str]:
    """Prisma takes its lock itself, in a session of its own. What the history says counts, not what it says."""
    order.check_lock()
    try:
        output = run_command(command, order.target, order.schema)
    except DeployError as exc:
        history = read_history(session, order.schema, table)
        done = [each for each in plan.pending if each.name in history.applied]
        exc.details.update(changed=bool(done), applied=describe(done))
        failed = [each.name for each in plan.pending if each.name in history.failed]
        if failed and isinstance(exc, RefusedError):
            raise failed_by_command(exc, failed[0]) from exc
        raise
    left = compare(read_history(session, order.schema, table), order.local).pending
    refuse_unchanged(command, [migration.name for migration in left])
    return output


def generate(order: PrismaRequest, command: Command, plan: PrismaPlan) -> list[str]:
    try:
        return run_command(command, order.target, order.schema)
    except DeployError as exc:
        raise GenerateError(
            f"{exc} The migrations are applied; run it by hand, or with generate=always.",
            **{**exc.details, "changed": plan.changed, "applied": describe(plan.pending)},
        ) from exc


def verify_applied(history: PrismaHistory, order: PrismaRequest, expected: set[str]) -> None:
    """Nothing is pending, and no name is in the history but those `expected`."""
    strange = [row.name for row in history.rows if row.name not in expected]
    if strange:
        raise VerificationError(
            f"The migrations ran, but the history has {', '.join(strange)}, which this run did "
            "not write: one of them wrote it, or somebody else did meanwhile. Find out which, and "
            "add what is right to the folder. Run again: what is applied and not in the folder is warned of.",
            foreign_versions=strange,
        )
    left = plan_prisma(history, order.local).pending
    if left:
        listed = ", ".join(migration.name for migration in left)
        raise VerificationError(f"Migrations are still pending after the deploy: {listed}.")
