# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of migrations of any kind: look, decide, apply each with its row, and look again."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import DeployError
from .._lock.fence import Check, no_check
from .models import describe_tables, find_tables, verify_tables
from .runner import advisory_lock
from .session import describe_runs

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._postgres import Session
    from .guard.options import Guard, GuardReport
    from .models import Migration, Table
    from .runner import LockRetries
    from .session import Limits, Run, Runs


@dataclass(frozen=True)
class Request:
    """What is to be deployed and how, as in the module's options."""

    expect_tables: tuple[str, ...]
    """Each as `table`, which is in public, or as `schema.table`."""
    refuse_drift: bool
    limits: Limits
    guard: Guard
    advisory_lock_timeout: float
    where: str
    """The database, in sentences."""
    check_lock: Check = no_check
    """Before each migration."""


class Plan(t.Protocol):
    @property
    def pending(self) -> Sequence[Migration]: ...

    def to_diff(self) -> dict[str, t.Any]: ...


@dataclass(frozen=True)
class Look:
    """What would run and what was waived. `details` are keys of the result that one kind has."""

    plan: Plan
    versions: list[str]
    guard: GuardReport
    warnings: list[str]
    details: Mapping[str, t.Any]
    state: t.Any = None
    """What the engine itself needs of it again."""


class Engine(t.Protocol):
    """What the kinds of migrations differ in."""

    @property
    def advisory_lock(self) -> int: ...

    @property
    def leaves_failures(self) -> bool:
        """Whether the history has a row of what failed."""

    def look(self, session: Session) -> Look:
        """Raises when nothing may run."""

    def begin(
        self, session: Session, look: Look, retries: LockRetries, /
    ) -> Callable[[Migration], Run]:
        """Make the history where there is none. What applies a migration and writes its row."""

    def verify(self, session: Session, look: Look) -> list[str]:
        """Read the history back: what was run is in it, and nothing else is new. All its versions."""


@dataclass(frozen=True)
class Outcome:
    """`runs` has each applied file by its name, None when nothing was to be applied but predicted."""

    look: Look
    versions: list[str]
    tables: list[Table]
    runs: Runs | None = None

    @property
    def warnings(self) -> list[str]:
        return [*self.look.warnings, *self.look.guard.warnings]

    def to_result(self) -> dict[str, t.Any]:
        migrations = [migration.to_result() for migration in self.look.plan.pending]
        applied = self.runs is not None
        return {
            "changed": bool(migrations),
            "applied": migrations if applied else [],
            "pending": [] if applied else migrations,
            "versions": self.versions,
            "tables": [table.to_result() for table in self.tables],
            **describe_runs(self.runs or {}),
            **self.look.details,
            **self.look.guard.to_result(),
        }


def predict(session: Session, order: Request, engine: Engine) -> Outcome:
    """What `migrate` would do."""
    order.limits.set_on(session)
    look = engine.look(session)
    before = find_tables(session, order.expect_tables)
    tables = describe_tables(session, order.expect_tables, before=before)
    return Outcome(look, look.versions, tables)


def migrate(session: Session, order: Request, engine: Engine, retries: LockRetries) -> Outcome:
    """Apply what is pending, in order. A DeployError has in its details what was applied before it."""
    runs: Runs = {}
    # Looks wait for locks as well, of a table that somebody else is changing.
    order.limits.set_on(session)
    with advisory_lock(session, engine.advisory_lock, timeout=order.advisory_lock_timeout):
        look = engine.look(session)
        before = find_tables(session, order.expect_tables)
        begun: list[str] = []
        try:
            if look.plan.pending:
                _apply(session, order, engine, look, retries, begun, runs)
            order.limits.set_on(session)
            versions = engine.verify(session, look)
            tables = describe_tables(session, order.expect_tables, before=before)
            verify_tables(tables, order.expect_tables, database=order.where)
        except DeployError as exc:
            done = [each.to_result() for each in look.plan.pending if each.file in runs]
            changed = bool(begun if engine.leaves_failures else runs)
            exc.details.update(changed=changed, applied=done, **describe_runs(runs))
            raise
    return Outcome(look, versions, tables, runs)


def _apply(
    session: Session,
    order: Request,
    engine: Engine,
    look: Look,
    retries: LockRetries,
    begun: list[str],
    runs: Runs,
) -> None:
    pending = look.plan.pending
    order.check_lock()
    apply = engine.begin(session, look, retries)
    for number, migration in enumerate(pending, start=1):
        file = migration.file
        order.check_lock()
        begun.append(file)
        run = runs[file] = apply(migration)
        retries.report(
            "MigrationApplied",
            f"{file} applied in {run.seconds:.2f} s ({number} of {len(pending)})",
            {"file": file, "seconds": round(run.seconds, 3)},
        )
