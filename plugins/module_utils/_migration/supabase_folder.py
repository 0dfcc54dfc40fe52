# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a folder of Supabase migrations: the CLI's choice of files in the CLI's order, bad ones refused at once."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .._errors import InputError
from .execution import (
    excerpt,
    mask_literals,
    refused_in_its_transaction,
)
from .models import Migration
from .splitter import comments_end, script_problems, without_leading_comments

_NAME = re.compile(r"([0-9]+)_(.*)\.sql")
_COPY = re.compile(r"(?is)COPY\s.*\s(?:FROM\s+STDIN|TO\s+STDOUT)\b")
# The CLI once made a first file like this itself; it was never meant to be pushed.
_OLD_INIT = re.compile(r"([0-9]{14})_init\.sql")
_OLD_INIT_BEFORE = "20211209000000"


@dataclass(frozen=True)
class Folder:
    files: tuple[Migration, ...]
    skipped: tuple[str, ...]
    """SQL files whose names are none of a migration."""


def read_folder(directory: str) -> Folder:
    """The files directly in it whose names are `<digits>_<name>.sql`, by version."""
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"Option 'directory' is {directory!r}, which does not exist.")
    entries = sorted(entry for entry in path.iterdir() if entry.is_file())
    if entries and _is_old_init(entries[0].name):
        entries = entries[1:]
    found: list[Migration] = []
    skipped: list[str] = []
    for entry in entries:
        named = _NAME.fullmatch(entry.name)
        if named:
            found.append(Migration(named[1], named[2], entry.name, entry.read_bytes()))
        elif entry.suffix == ".sql":
            skipped.append(entry.name)
    return Folder(
        files=tuple(sorted(found, key=lambda file: (file.version, file.file))),
        skipped=tuple(skipped),
    )


def duplicates(files: t.Iterable[Migration]) -> dict[str, list[str]]:
    """The names of the files that share a version, by it."""
    by_version: dict[str, list[str]] = {}
    for file in files:
        by_version.setdefault(file.version, []).append(file.file)
    return {version: names for version, names in by_version.items() if len(names) > 1}


def problems_of(migration: Migration) -> t.Iterator[str]:
    """A sentence for everything about it that can be seen to fail."""
    name = migration.file
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
