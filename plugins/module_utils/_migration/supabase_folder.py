# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a folder of Supabase migrations: the CLI's choice of files in the CLI's order, bad ones refused at once."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .._errors import InputError
from .execution import (
    Execution,
    decode,
    excerpt,
    mask_literals,
    plan_execution,
    refused_in_its_transaction,
)
from .guard.models import Source
from .models import MigrationFile, Pending
from .splitter import Script, comments_end, script_problems, split_script, without_leading_comments

_NAME = re.compile(r"([0-9]+)_(.*)\.sql")
_COPY = re.compile(r"(?is)COPY\s.*\s(?:FROM\s+STDIN|TO\s+STDOUT)\b")
# The CLI once made a first file like this itself; it was never meant to be pushed.
_OLD_INIT = re.compile(r"([0-9]{14})_init\.sql")
_OLD_INIT_BEFORE = "20211209000000"


@dataclass(frozen=True)
class Folder:
    files: tuple[MigrationFile, ...]
    skipped: tuple[str, ...]
    """SQL files whose names are none of a migration."""


@dataclass(frozen=True)
class Migration:
    """A file understood. Reading and splitting happen when first asked for, so that applied files cost little."""

    file: MigrationFile

    @property
    def version(self) -> str:
        return self.file.version

    @cached_property
    def text(self) -> str:
        return decode(self.file.content, self.file.file)

    @cached_property
    def script(self) -> Script:
        return split_script(self.text)

    @cached_property
    def statements(self) -> list[str]:
        return [statement.text for statement in self.script.statements]

    @cached_property
    def execution(self) -> Execution:
        return plan_execution(self.text, self.statements)

    @property
    def source(self) -> Source:
        """For the guard; without statements where the file is no text."""
        try:
            return Source(self.file.file, self.script.statements)
        except InputError:
            return Source(self.file.file, ())

    def to_pending(self) -> Pending:
        return Pending(
            file=self.file.file,
            version=self.file.version,
            name=self.file.name,
            statements=len(self.statements),
            atomic=self.execution.atomic,
        )


def read_folder(directory: str) -> Folder:
    """The files directly in it whose names are `<digits>_<name>.sql`, by version."""
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"Option 'directory' is {directory!r}, which does not exist.")
    entries = sorted(entry for entry in path.iterdir() if entry.is_file())
    if entries and _is_old_init(entries[0].name):
        entries = entries[1:]
    found: list[MigrationFile] = []
    skipped: list[str] = []
    for entry in entries:
        named = _NAME.fullmatch(entry.name)
        if named:
            found.append(MigrationFile(named[1], named[2], entry.name, entry.read_bytes()))
        elif entry.suffix == ".sql":
            skipped.append(entry.name)
    return Folder(
        files=tuple(sorted(found, key=lambda file: (file.version, file.file))),
        skipped=tuple(skipped),
    )


def duplicates(files: t.Iterable[MigrationFile]) -> dict[str, list[str]]:
    """The names of the files that share a version, by it."""
    by_version: dict[str, list[str]] = {}
    for file in files:
        by_version.setdefault(file.version, []).append(file.file)
    return {version: names for version, names in by_version.items() if len(names) > 1}


def problems_of(migration: Migration) -> t.Iterator[str]:
    """A sentence for everything about it that can be seen to fail."""
    name = migration.file.file
    try:
        script = migration.script
    except InputError as exc:
        yield str(exc)
        return
    yield from script_problems(script, name)
    if line := _copies_by_client(migration):
        yield (
            f"{name} copies from or to its client in line {line}, without data: write INSERT, or "
            "load the data in another task."
        )
    for index in refused_in_its_transaction(migration.statements):
        yield (
            f"{name} has {excerpt(migration.statements[index])!r} (statement {index + 1}) between a BEGIN and its "
            "COMMIT, which PostgreSQL refuses in a transaction: give it its own migration."
        )
    if not script.open_comment and not any(map(without_leading_comments, migration.statements)):
        yield f"{name} has no statement: delete it, or write the migration."


def _copies_by_client(migration: Migration) -> int | None:
    """The line of the first COPY that would need psql."""
    for statement in migration.script.statements:
        begins = comments_end(statement.text)
        if statement.text[begins : begins + 4].upper() == "COPY" and _COPY.match(
            mask_literals(statement.text[begins:])
        ):
            return statement.line
    return None


def _is_old_init(name: str) -> bool:
    found = _OLD_INIT.fullmatch(name)
    return bool(found and found[1] < _OLD_INIT_BEFORE)
