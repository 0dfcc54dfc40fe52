# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which Prisma migrations run, or why none may, by the rules of `prisma migrate deploy`. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import (
    DriftError,
    FailedMigrationError,
    NotEmptyError,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_folder import (
        PrismaMigration,
    )


@dataclass(frozen=True)
class PrismaRow:
    """A row of _prisma_migrations; `seconds` from its start to its end, None when it has no end."""

    name: str
    checksum: str
    finished: bool
    rolled_back: bool
    seconds: float | None

    @property
    def failed(self) -> bool:
        return not self.finished and not self.rolled_back


@dataclass(frozen=True)
class PrismaHistory:
    """`rows` in the order they were started; `exists` is about the table, `empty` about the rest of the schema."""

    exists: bool
    empty: bool
    rows: tuple[PrismaRow, ...]

    @property
    def applied(self) -> list[str]:
        return [row.name for row in self.rows if row.finished and not row.rolled_back]


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
    refuse_unsettled(history)
    known = {row.name for row in history.rows if not row.rolled_back}
    checksums = {row.name: row.checksum for row in history.rows if not row.rolled_back}
    names = {migration.name for migration in local}
    drift = {
        migration.file: "its checksum is another one than the history's"
        for migration in local
        if migration.name in known and not migration.has_checksum(checksums[migration.name])
    }
    return PrismaPlan(
        pending=tuple(migration for migration in local if migration.name not in known),
        missing_locally=tuple(name for name in history.applied if name not in names),
        drift=drift,
    )


def refuse_unsettled(history: PrismaHistory) -> None:
    if not history.exists and not history.empty:
        raise NotEmptyError(
            "The schema has tables and no history of Prisma (P3005): if the first migrations describe what is "
            "there, mark them with 'prisma migrate resolve --applied <name>'; if not, this is the wrong database.",
            code="P3005",
        )
    failed = [row.name for row in history.rows if row.failed]
    if failed:
        raise FailedMigrationError(
            f"An earlier run failed in {', '.join(failed)} (P3009): see the column logs of _prisma_migrations, "
            "put the database right, and say so with 'prisma migrate resolve --rolled-back <name>' "
            "(nothing of it stayed) or '--applied <name>' (all of it did).",
            code="P3009",
            failed_migrations=failed,
        )


def refuse_drift(drift: t.Mapping[str, str]) -> None:
    if drift:
        raise DriftError(
            f"Applied migrations were edited since: {', '.join(drift)}. Restore them from git and write the change "
            "as a new migration; set option 'drift' to 'warn' to go on without it.",
            drift=dict(drift),
        )
