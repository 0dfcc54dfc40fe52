# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One deployment of Prisma migrations: look, decide, apply natively or by a command, and look again."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.advisory_lock import (
    advisory_lock,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.options import (
    Guard,
    GuardReport,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.models import Table
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_apply import (
    Command,
    apply_by_command,
    apply_natively,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_folder import (
    PrismaMigration,
    refuse_unusable,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_history import (
    ADVISORY_LOCK,
    create_history,
    read_history,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_plan import (
    PrismaHistory,
    PrismaPlan,
    plan_prisma,
    refuse_drift,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.session import Limits
from ansible_collections.easymo.deploy.plugins.module_utils._migration.tables import (
    describe_tables,
    find_tables,
    verify_tables,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget, Session


@dataclass(frozen=True)
class Order:
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


@dataclass(frozen=True)
class Outcome:
    """`history` after the deployment, or as it is when nothing was applied but told."""

    plan: PrismaPlan
    history: PrismaHistory
    tables: list[Table]
    guard: GuardReport
    applied: bool

    @property
    def warnings(self) -> list[str]:
        edited = [
            f"{file} was edited since it was applied: {how}."
            for file, how in self.plan.drift.items()
        ]
        listed = ", ".join(self.plan.missing_locally)
        missing = f"The database has migrations that the folder has not: {listed}."
        return [*edited, *([missing] if listed else []), *self.guard.warnings]

    def to_result(self) -> dict[str, t.Any]:
        migrations = [migration.to_pending().to_result() for migration in self.plan.pending]
        seconds = {row.name: row.seconds for row in self.history.rows if row.seconds is not None}
        return {
            "changed": self.plan.changed,
            "applied": migrations if self.applied else [],
            "pending": [] if self.applied else migrations,
            "versions": self.history.applied,
            "tables": [table.to_result() for table in self.tables],
            "durations": {
                migration.file: round(seconds[migration.name], 3)
                for migration in self.plan.pending
                if migration.name in seconds
            },
            "missing_locally": list(self.plan.missing_locally),
            "drift": self.plan.drift,
            **self.guard.to_result(),
        }


def predict(session: Session, order: Order) -> Outcome:
    """What `migrate` would do."""
    history = read_history(session, order.schema)
    plan = plan_order(history, order)
    guarded = guard_pending(session, plan, order)
    before = find_tables(session, order.expect_tables)
    tables = describe_tables(session, order.expect_tables, before=before)
    return Outcome(plan, history, tables, guarded, applied=False)


def migrate(session: Session, order: Order) -> Outcome:
    plan = plan_order(read_history(session, order.schema), order)
    guarded = guard_pending(session, plan, order)
    before = find_tables(session, order.expect_tables)
    if order.command:
        # Prisma takes the same lock itself, in a session of its own.
        if plan.changed:
            apply_by_command(order.command, order.target, order.schema)
    else:
        with advisory_lock(session, ADVISORY_LOCK, timeout=order.advisory_lock_timeout):
            # What we saw before we held the lock may be old by now.
            history = read_history(session, order.schema)
            plan = plan_order(history, order)
            guarded = guard_pending(session, plan, order)
            apply_plan(session, plan, order.limits, history)
    history = read_history(session, order.schema)
    verify_applied(history, order)
    tables = describe_tables(session, order.expect_tables, before=before)
    verify_tables(tables, order.expect_tables, database=order.target.where)
    return Outcome(plan, history, tables, guarded, applied=True)


def plan_order(history: PrismaHistory, order: Order) -> PrismaPlan:
    """What would run; raises when nothing may run."""
    plan = plan_prisma(history, order.local)
    if order.refuse_drift:
        refuse_drift(plan.drift)
    refuse_unusable(plan.pending)
    return plan


def guard_pending(session: Session, plan: PrismaPlan, order: Order) -> GuardReport:
    """Raises when what would run is not additive, and nobody waived that."""
    sources = [Source(each.file, each.script.statements) for each in plan.pending]
    return order.guard.check(session, sources)


def apply_plan(session: Session, plan: PrismaPlan, limits: Limits, history: PrismaHistory) -> None:
    """Natively. A DeployError tells in its details what was applied before it."""
    if not plan.changed:
        return
    done: list[str] = []
    try:
        if not history.exists:
            create_history(session)
        for migration in plan.pending:
            apply_natively(session, migration, limits=limits)
            done.append(migration.file)
    except DeployError as exc:
        exc.details.update(changed=True, applied=done)
        raise


def verify_applied(history: PrismaHistory, order: Order) -> None:
    left = plan_prisma(history, order.local).pending
    if left:
        listed = ", ".join(migration.name for migration in left)
        raise VerificationError(f"Migrations are still pending after the deploy: {listed}.")
