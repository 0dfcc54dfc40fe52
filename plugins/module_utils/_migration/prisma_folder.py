# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of Prisma migrations, one folder each with a migration.sql, and what of it is pending in a database."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import typing as t
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .._errors import InputError
from .execution import controls_transaction, runs_alone
from .models import DriftError, FailedMigrationError, Migration, NotEmptyError
from .splitter import script_problems, without_leading_comments

if t.TYPE_CHECKING:
    from collections.abc import Sequence


_SCRIPT = "migration.sql"
_PROVIDERS = ("postgresql", "postgres")


class PrismaMigration(Migration):
    """A folder with a script. Its name is its version."""

    @classmethod
    def of(cls, name: str, content: bytes) -> t.Self:
        return cls(name, name, f"{name}/{_SCRIPT}", content)

    @property
    def checksum(self) -> str:
        return _sha256(self.content)

    @cached_property
    def statements(self) -> list[str]:
        """Those that a server would see; a migration may have none, Prisma makes such ones on request."""
        cut = [statement.text for statement in self.script.statements]
        return [text for text in cut if without_leading_comments(text)]

    @property
    def atomic(self) -> bool:
        return not any(runs_alone(text) or controls_transaction(text) for text in self.statements)

    def has_checksum(self, recorded: str) -> bool:
        """Prisma tolerates other line ends, and old versions of it lost leading zeros."""
        unix = self.content.replace(b"\r\n", b"\n")
        contents = {self.content, unix, unix.replace(b"\n", b"\r\n")}
        return recorded.rjust(64, "0") in {_sha256(content) for content in contents}


def read_folder(directory: str) -> list[PrismaMigration]:
    """By name, as Prisma sorts them: as text."""
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"Option 'directory' is {directory!r}, which does not exist.")
    _refuse_other_provider(path / "migration_lock.toml")
    folders = sorted((entry for entry in path.iterdir() if entry.is_dir()), key=lambda e: e.name)
    empty = [folder.name for folder in folders if not (folder / _SCRIPT).is_file()]
    if empty:
        raise InputError(
            f"These migrations have no {_SCRIPT}: {', '.join(empty)}. Restore it, or delete the folder.",
            code="P3015",
        )
    return [PrismaMigration.of(folder.name, (folder / _SCRIPT).read_bytes()) for folder in folders]


def stray_files(directory: str) -> list[str]:
    """SQL beside the folders, which Prisma does not look at."""
    return sorted(
        entry.name
        for entry in Path(directory).iterdir()
        if entry.is_file() and entry.suffix == ".sql"
    )


def problems_of(migration: PrismaMigration) -> t.Iterator[str]:
    """A sentence for everything about it that can be seen to fail."""
    try:
        script = migration.script
    except InputError as exc:
        yield str(exc)
        return
    yield from script_problems(script, migration.file)
    if len(migration.statements) > 1 and any(map(runs_alone, migration.statements)):
        yield (
            f"{migration.file} has a statement that cannot share a transaction: give it its own "
            "migration, since Prisma sends a script as one transaction."
        )


def _refuse_other_provider(lock_file: Path) -> None:
    try:
        provider = tomllib.loads(lock_file.read_text(encoding="utf-8")).get("provider")
    except FileNotFoundError:
        return
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise InputError(f"{lock_file} cannot be read ({exc}): restore it.") from exc
    if provider not in _PROVIDERS:
        raise InputError(
            f"{lock_file.name} says the migrations are for {provider!r}; these databases are PostgreSQL.",
            code="P3019",
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


Resolution = t.Literal["applied", "rolled_back"]
_CREATED = re.compile(
    r'^\s*CREATE TABLE (?:IF NOT EXISTS )?(?:"?\w+"?\.)?"?(\w+)"? *\(', re.I | re.M
)
"""As Prisma writes it."""

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
        """The SQL that runs, whole, for a diff is a request to see it."""
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
