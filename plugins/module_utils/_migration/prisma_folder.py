# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read a folder of Prisma migrations: one folder each with a migration.sql, by name; bad ones refused at once."""

from __future__ import annotations

import hashlib
import tomllib
import typing as t
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .._errors import InputError
from .execution import controls_transaction, runs_alone
from .guard.models import Source
from .models import Pending
from .splitter import Script, script_problems, split_script, without_leading_comments
from .text import decode

_SCRIPT = "migration.sql"
_PROVIDERS = ("postgresql", "postgres")


@dataclass(frozen=True)
class PrismaMigration:
    name: str
    content: bytes

    @property
    def file(self) -> str:
        return f"{self.name}/{_SCRIPT}"

    @property
    def checksum(self) -> str:
        return _sha256(self.content)

    @cached_property
    def text(self) -> str:
        return decode(self.content, self.file)

    @cached_property
    def script(self) -> Script:
        return split_script(self.text)

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

    @property
    def source(self) -> Source:
        """For the guard; without statements where the file is no text."""
        try:
            return Source(self.file, self.script.statements)
        except InputError:
            return Source(self.file, ())

    def to_pending(self) -> Pending:
        return Pending(
            file=self.file,
            version=self.name,
            name=self.name,
            statements=len(self.statements),
            atomic=self.atomic,
        )


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
    return [PrismaMigration(folder.name, (folder / _SCRIPT).read_bytes()) for folder in folders]


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
