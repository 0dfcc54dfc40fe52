# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read a folder of plain SQL migrations, named and ordered as Flyway does; refuse what only Flyway could run."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path, PurePosixPath

from .._errors import InputError
from . import supabase_folder
from .models import MigrationFile
from .supabase_folder import Folder, Migration
from .text import excerpt

NAMED = "V<version>__<description>.sql"
_VERSION = r"[0-9]+(?:[._][0-9]+)*"
_NAME = re.compile(rf"V(?P<version>{_VERSION})(?:__(?P<description>.*))?(?i:\.sql)")
_UNSUPPORTED = (
    (re.compile(r"R__.*(?i:\.sql)"), "is a repeatable migration"),
    (re.compile(r"U[0-9].*(?i:\.sql)"), "is an undo migration"),
    (re.compile(r"B[0-9].*(?i:\.sql)"), "is a baseline migration"),
    (re.compile(r"(?:(?:before|after)[A-Z]\w*|createSchema)(?i:\.sql)"), "is a callback of Flyway"),
    (re.compile(r"(?i:.*\.sql\.conf)"), "configures a script of Flyway"),
    (re.compile(r"[Vv][0-9].*(?i:\.sql)"), f"is not named {NAMED}"),
)
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


def read_folder(directory: str) -> Folder:
    """The files in it and in its subfolders whose names are of a version, by that. Their names are relative to it."""
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"Option 'directory' is {directory!r}, which does not exist.")
    found: list[MigrationFile] = []
    skipped: list[str] = []
    refused: list[str] = []
    for entry in sorted(path.rglob("*")):
        if not entry.is_file():
            continue
        file = entry.relative_to(path).as_posix()
        named = _NAME.fullmatch(entry.name)
        if named:
            name = (named["description"] or "").replace("_", " ")
            found.append(
                MigrationFile(plain_version(named["version"]), name, file, entry.read_bytes())
            )
        elif why := _why_refused(entry.name):
            refused.append(f"{file} {why}")
        elif entry.suffix.lower() == ".sql":
            skipped.append(file)
    if refused:
        raise InputError(
            f"{'; '.join(refused)}: only files named {NAMED} can be applied, each once and as it is. Move the others "
            "out of the folder, and write what they do as versions.",
            problems=refused,
        )
    found.sort(key=lambda each: (version_order(each.version), each.file))
    return Folder(files=tuple(found), skipped=tuple(skipped))


def is_version(text: str | None) -> bool:
    return text is not None and re.fullmatch(_VERSION, text) is not None


def plain_version(version: str) -> str:
    """One text for what is one version to Flyway: V1.0, V01 and V1_0 are `1`."""
    parts = [str(int(part)) for part in re.split(r"[._]", version)]
    while len(parts) > 1 and parts[-1] == "0":
        parts.pop()
    return ".".join(parts)


def shown_version(file: str) -> str:
    """As Flyway writes it into its history: with what zeros the name has."""
    named = _NAME.fullmatch(PurePosixPath(file).name)
    return named["version"].replace("_", ".") if named else ""


def version_order(version: str) -> tuple[int, ...]:
    """By the numbers in it, so that 1.10 comes after 1.9."""
    return tuple(int(part) for part in version.split("."))


def problems_of(migration: Migration) -> t.Iterator[str]:
    """A sentence for everything about it that can be seen to fail, or that Flyway would have replaced in it."""
    yield from supabase_folder.problems_of(migration)
    try:
        found = _PLACEHOLDER.search(migration.text)
    except InputError:
        return
    if found:
        line = migration.text.count("\n", 0, found.start()) + 1
        yield (
            f"{migration.file.file} has the placeholder {excerpt(found[0])} in line {line}, which Flyway replaces and "
            "this does not: write its value, or '$' || '{' where it is text."
        )


def _why_refused(name: str) -> str:
    return next((why for pattern, why in _UNSUPPORTED if pattern.fullmatch(name)), "")
