# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which Prisma migrations run, or why none may, by the rules of `prisma migrate deploy`. No I/O."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from .errors import DriftError, FailedMigrationError, NotEmptyError

Resolution = t.Literal["applied", "rolled_back"]
_CREATED = re.compile(
    r'^\s*CREATE TABLE (?:IF NOT EXISTS )?(?:"?\w+"?\.)?"?(\w+)"? *\(', re.I | re.M
)
"""As Prisma writes it."""

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
    """`rows` in the order they were started; `exists` is about the table, `relations` are the rest of the schema."""

    exists: bool
    relations: frozenset[str]
    rows: tuple[PrismaRow, ...]

    @property
    def applied(self) -> list[str]:
        return [row.name for row in self.rows if row.applied]

    @property
    def failed(self) -> list[str]:
        return list(dict.fromkeys(row.name for row in self.rows if row.failed))

    @property
    def needs_baseline(self) -> bool:
        return not self.exists and bool(self.relations)

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
            "'login_db' and 'schema'. If not, name the migrations all of which it has (by its tables these) by "
            f"{resolve_by('applied', *baseline_of(history, local))}, and run again.",
            code="P3005",
        )
    failed = history.failed
    if failed:
        raise FailedMigrationError(
            f"An earlier run failed in {', '.join(failed)} (P3009). playbooks/diagnose.yml shows why. Fix the "
            f"database, say that nothing of it remains by {resolve_by('rolled_back', *failed)}, or that all of it "
            f"does by {resolve_by('applied', *failed)}, and run again.",
            code="P3009",
            failed_migrations=failed,
        )


def resolve_by(resolution: Resolution, *names: str) -> str:
    """What a person types who says what became of migrations."""
    named = f"prisma_migrate_resolved={','.join(names)}"
    return (
        f"playbooks/resolve_migrations.yml -e prisma_migrate_resolution={resolution} "
        f"-e {named if names[1:] == () else json.dumps(named)}"
    )


def baseline_of(history: PrismaHistory, local: Sequence[PrismaMigration]) -> list[str]:
    """The first migrations, up to the last one whose tables are there. The first one alone where no table tells."""
    known = 1
    for number, migration in enumerate(local, start=1):
        made = set(_CREATED.findall(migration.content.decode("utf-8", "replace")))
        if made - history.relations:
            break
        known = number if made else known
    return [migration.name for migration in local[:known]] or ["NAME"]


def refuse_drift(drift: t.Mapping[str, str]) -> None:
    if drift:
        listed = "; ".join(f"{file}: {how}" for file, how in drift.items())
        raise DriftError(
            f"Applied migrations were edited since. {listed}. Restore them from git and write "
            "the change as a new migration; set option 'drift' to 'warn' to continue anyway.",
            drift=dict(drift),
        )
