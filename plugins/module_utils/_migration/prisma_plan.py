# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which Prisma migrations run, or why none may, by the rules of `prisma migrate deploy`. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import DriftError, FailedMigrationError, NotEmptyError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .prisma_folder import PrismaMigration

_SHOWN = 12


@dataclass(frozen=True)
class PrismaRow:
    """A row of _prisma_migrations; `seconds` from its start to its end, None when it has no end."""

    name: str
    checksum: str
    finished: bool
    rolled_back: bool
    seconds: float | None
    started_at: str = ""
    logs: str = ""

    @property
    def failed(self) -> bool:
        return not self.finished and not self.rolled_back

    @property
    def applied(self) -> bool:
        return self.finished and not self.rolled_back


@dataclass(frozen=True)
class PrismaHistory:
    """`rows` in the order they were started; `exists` is about the table, `empty` about the rest of the schema."""

    exists: bool
    empty: bool
    rows: tuple[PrismaRow, ...]

    @property
    def applied(self) -> list[str]:
        return [row.name for row in self.rows if row.applied]

    @property
    def failed(self) -> list[str]:
        return list(dict.fromkeys(row.name for row in self.rows if row.failed))

    @property
    def needs_baseline(self) -> bool:
        return not self.exists and not self.empty

    def of(self, name: str) -> list[PrismaRow]:
        return [row for row in self.rows if row.name == name]


@dataclass(frozen=True)
class PrismaPlan:
    pending: tuple[PrismaMigration, ...]
    missing_locally: tuple[str, ...]
    """Applied ones that the folder has not. Prisma goes on, and so do we."""
    drift: dict[str, str]

    @property
    def changed(self) -> bool:
        return bool(self.pending)

    def to_diff(self) -> dict[str, str]:
        """The SQL that runs, whole: whoever asks for a diff asks to see it."""
        after = "".join(f"-- {each.file}\n{each.text.rstrip()}\n" for each in self.pending)
        return {
            "before_header": "applied",
            "after_header": f"{len(self.pending)} pending",
            "before": "",
            "after": after,
        }


def plan_prisma(history: PrismaHistory, local: Sequence[PrismaMigration]) -> PrismaPlan:
    """What runs; raises when Prisma would run nothing before a person has settled something."""
    refuse_unsettled(history, local)
    return compare(history, local)


def compare(history: PrismaHistory, local: Sequence[PrismaMigration]) -> PrismaPlan:
    known = {row.name for row in history.rows if not row.rolled_back}
    recorded = {row.name: row.checksum for row in history.rows if row.applied}
    names = {migration.name for migration in local}
    drift = {
        migration.file: _describe_drift(recorded[migration.name], migration.checksum)
        for migration in local
        if migration.name in recorded and not migration.has_checksum(recorded[migration.name])
    }
    return PrismaPlan(
        pending=tuple(migration for migration in local if migration.name not in known),
        missing_locally=tuple(name for name in history.applied if name not in names),
        drift=drift,
    )


def _describe_drift(recorded: str, now: str) -> str:
    return (
        f"the history recorded checksum {recorded[:_SHOWN]}…, the file has {now[:_SHOWN]}… "
        "(Prisma keeps no copy; git has it)"
    )


def refuse_unsettled(history: PrismaHistory, local: Sequence[PrismaMigration]) -> None:
    if history.needs_baseline:
        raise NotEmptyError(
            "The schema has tables and no history of Prisma (P3005). If this is the wrong database, correct "
            "'login_db' and 'schema'. If migrations of the folder match it, say which: run "
            "easymo.deploy.prisma_migrations with state=resolved, resolution=applied and their names in "
            f"'migrations'{_first_of(local)}, then run again.",
            code="P3005",
        )
    failed = history.failed
    if failed:
        listed = ", ".join(failed)
        raise FailedMigrationError(
            f"An earlier run failed in {listed} (P3009). easymo.deploy.prisma_migrations_info "
            "shows why. Fix the database, run easymo.deploy.prisma_migrations with "
            f"state=resolved, migrations=[{listed}] and "
            "resolution=rolled_back (nothing remains) or resolution=applied (all of it remains), "
            "then run again.",
            code="P3009",
            failed_migrations=failed,
        )


def _first_of(local: Sequence[PrismaMigration]) -> str:
    return f" (the first is {local[0].name})" if local else ""


def refuse_drift(drift: t.Mapping[str, str]) -> None:
    if drift:
        listed = "; ".join(f"{file}: {how}" for file, how in drift.items())
        raise DriftError(
            f"Applied migrations were edited since. {listed}. Restore them from git and write "
            "the change as a new migration; set option 'drift' to 'warn' to continue anyway.",
            drift=dict(drift),
        )
