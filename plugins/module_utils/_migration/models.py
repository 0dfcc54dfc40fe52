# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration is, and which tables it promises."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .._errors import InputError, VerificationError
from .._postgres import Session
from .execution import Step, decode, mask_passwords, plan_steps
from .guard.models import Source
from .splitter import Script, split_script


@dataclass(frozen=True)
class Migration:
    """A file as it lies in the folder. `version` is what orders it and what the history knows it by.

    Reading and splitting happen when they are first needed, so that applied files cost little.
    """

    version: str
    name: str
    file: str
    content: bytes

    @cached_property
    def text(self) -> str:
        return decode(self.content, self.file)

    @cached_property
    def script(self) -> Script:
        return split_script(self.text)

    @cached_property
    def statements(self) -> list[str]:
        return [statement.text for statement in self.script.statements]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return plan_steps(self.text, self.statements)

    @property
    def atomic(self) -> bool:
        """Whether a failure leaves nothing of it behind."""
        return len(self.steps) == 1 and self.steps[0].transaction

    @property
    def source(self) -> Source:
        """For the guard; without statements where the file is no text."""
        return Source(self.file, () if self.unreadable else self.script.statements)

    @cached_property
    def unreadable(self) -> str:
        """A sentence on why it is no text, empty where it is."""
        try:
            _text = self.text
        except InputError as exc:
            return str(exc)
        return ""

    def problems(self) -> t.Iterator[str]:
        """A sentence for each thing about it that no server would run, whatever sends it."""
        if self.unreadable:
            yield self.unreadable
            return
        if self.script.open_comment:
            yield (
                f"{self.file} has a comment that begins in line {self.script.open_comment} and never ends: "
                "close it with */."
            )
        if self.script.meta_command:
            yield (
                f"{self.file} has a psql meta-command in line {self.script.meta_command}: "
                "write it in SQL: the server has no meta-commands."
            )

    def to_result(self) -> dict[str, t.Any]:
        return {
            "file": self.file,
            "version": self.version,
            "name": self.name,
            "statements": len(self.statements),
            "atomic": self.atomic,
        }


@dataclass(frozen=True)
class Folder:
    files: tuple[Migration, ...]
    skipped: tuple[str, ...]
    """SQL files whose names are none of a migration."""


@dataclass(frozen=True)
class MigrationPlan:
    """What would run, and where the folder and the history stand to each other."""

    pending: tuple[Migration, ...]
    versions: list[str]
    """Those that are applied."""
    drift: dict[str, str] = field(default_factory=dict)
    """Applied files that were edited since, each with a clause on how."""
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Sentences on why pending files cannot run, by their names."""
    warnings: tuple[str, ...] = ()
    details: t.Mapping[str, t.Any] = field(default_factory=dict)
    """Keys of the result that one kind has."""
    state: t.Any = None
    """What the engine itself needs of it again."""

    def to_diff(self) -> dict[str, str]:
        """The SQL that runs, whole but for passwords, for a diff is a request to see it."""
        newest = self.versions[-1] if self.versions else "nothing"
        after = "".join(
            f"-- {each.file}\n{mask_passwords(each.text.rstrip())}\n" for each in self.pending
        )
        return {
            "before_header": f"applied up to {newest}",
            "after_header": f"{len(self.pending)} pending",
            "before": "",
            "after": after,
        }


def problems_by_file(
    pending: t.Iterable[Migration], problems_of: t.Callable[[Migration], t.Iterator[str]]
) -> dict[str, list[str]]:
    """Of those that have any."""
    problems = {each.file: list(problems_of(each)) for each in pending}
    return {file: sentences for file, sentences in problems.items() if sentences}


def existing(directory: str) -> Path:
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"Option 'directory' is {directory!r}, which does not exist.")
    return path


_FIND = """
SELECT format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')
"""


def find_tables(session: Session, names: t.Sequence[str]) -> dict[str, str]:
    """Those of `names` (`table` in public, or `schema.table`) that exist: the name to the name as SQL."""
    quoted_names: dict[str, str] = {}
    for name in names:
        schema, _dot, table = name.rpartition(".")
        rows = session.rows(_FIND, (schema or "public", table))
        if rows:
            quoted_names[name] = str(rows[0][0])
    return quoted_names


def describe_tables(
    session: Session, names: t.Sequence[str], *, before: t.Collection[str]
) -> list[dict[str, t.Any]]:
    """The tables that are there now. `rows` is exact of those that were not there `before`, else None."""
    tables: list[dict[str, t.Any]] = []
    for name, quoted in find_tables(session, names).items():
        created = name not in before
        rows = int(session.rows(f"SELECT count(*) FROM {quoted}")[0][0]) if created else None  # noqa: S608 - quoted by the server
        tables.append({"name": name, "created": created, "rows": rows})
    return tables


def verify_tables(
    tables: t.Sequence[dict[str, t.Any]], names: t.Sequence[str], *, database: str
) -> None:
    """Raise when an expected table is missing, or was made by this run and has rows."""
    missing = [name for name in names if name not in {table["name"] for table in tables}]
    filled = [f"{table['name']} ({table['rows']} rows)" for table in tables if table["rows"]]
    problems = [f"there is no table {', '.join(missing)}"] if missing else []
    problems += [f"new tables are not empty: {', '.join(filled)}"] if filled else []
    if problems:
        raise VerificationError(
            f"After the migrations of {database}, {' and '.join(problems)}. Check the migrations "
            "that should make them, and option 'expect_tables'.",
            tables=tables,
        )
