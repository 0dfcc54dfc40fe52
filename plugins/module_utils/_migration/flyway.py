# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain SQL migrations as Flyway names, orders and records them; what only Flyway could run is refused."""

from __future__ import annotations

import re
import typing as t
import zlib
from functools import cached_property
from pathlib import PurePosixPath

from .._errors import ConflictError, InputError, RefusedError
from .._postgres import Session, Values, transaction
from .execution import excerpt
from .models import Folder, Migration, existing
from .supabase import Applied, SupabaseFiles

NAMED = "V<version>__<description>.sql"
_VERSION = r"[0-9]+(?:[._][0-9]+)*"
_NAME = re.compile(rf"V(?P<version>{_VERSION})(?:__(?P<description>.*))?(?i:\.sql)")
_UNSUPPORTED = (
    (re.compile(r"R__.*(?i:\.sql)"), "is a repeatable migration"),
    (re.compile(r"U[0-9].*(?i:\.sql)"), "is an undo migration"),
    (re.compile(r"B[0-9].*(?i:\.sql)"), "is a baseline migration"),
    (re.compile(r"(?:(?:before|after)[A-Z]\w*|createSchema)(?i:\.sql)"), "is a callback of Flyway"),
    (re.compile(r"(?i:.*\.sql\.conf)"), "configures a script of Flyway"),
    (
        re.compile(r"(?:[VvUB][0-9]|R__).*(?i:\.(?:sh|bash|ps1|bat|cmd|py|java|class))"),
        "is a program, which only Flyway runs",
    ),
    (re.compile(r"[Vv][0-9].*(?i:\.sql)"), f"is not named {NAMED}"),
)
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


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


TABLE = "public.flyway_schema_history"
_CREATE = (
    f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    installed_rank integer NOT NULL CONSTRAINT flyway_schema_history_pk PRIMARY KEY,
    version character varying(50),
    description character varying(200) NOT NULL,
    type character varying(20) NOT NULL,
    script character varying(1000) NOT NULL,
    checksum integer,
    installed_by character varying(100) NOT NULL,
    installed_on timestamp without time zone NOT NULL DEFAULT now(),
    execution_time integer NOT NULL,
    success boolean NOT NULL)""",
    f"CREATE INDEX IF NOT EXISTS flyway_schema_history_s_idx ON {TABLE} (success)",
)
_INSERT = f"""INSERT INTO {TABLE}
(installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
SELECT coalesce(max(installed_rank), 0) + 1, %s, %s, %s, %s, %s, current_user, %s, true FROM {TABLE}"""  # noqa: S608 - a name of ours
_BASELINE = "<< Flyway Baseline >>"
_ROWS = f"SELECT version, description, type, script, checksum, success FROM {TABLE}"  # noqa: S608 - a name of ours
_ELSEWHERE = """
SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'flyway_schema_history' AND c.relkind IN ('r', 'p') AND n.nspname <> 'public' LIMIT 1
"""
_HAS_TABLES = """
SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.objid = c.oid AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e'
) LIMIT 1
"""
_MARKS = ("SCHEMA", "TABLE")
"""Rows that say no more than that Flyway made a schema, or the table itself."""


def _signed(number: int) -> int:
    """Java's int of these 32 bits."""
    return number - (1 << 32) if number >= 1 << 31 else number


def checksum_of(text: str) -> int:
    """Over the lines without their ends and without a byte order mark, as a signed 32 bit number."""
    lines = text.removeprefix("\ufeff").replace("\r", "").replace("\n", "")
    return _signed(zlib.crc32(lines.encode()))


def lock_of(table: str) -> int:
    """The advisory lock that Flyway takes for a table: a number of its own plus Java's hash of the quoted name."""
    hashed = 0
    for letter in ".".join(f'"{part}"' for part in table.split(".")):
        hashed = (31 * hashed + ord(letter)) & 0xFFFFFFFF
    return int.from_bytes(b"Flyway", "big") + _signed(hashed)


class FlywayFiles(SupabaseFiles):
    """With Flyway's names, order and table.

    `baseline` is the version at which a database without history is that has tables.
    """

    NAMED = NAMED
    ADVISORY_LOCK = lock_of(TABLE)
    REVERTED = f"delete their rows from {TABLE}"
    APPLIED = f"add its row to {TABLE}"
    REWRITTEN = f"correct {TABLE}"

    def __init__(self, directory: str, *, include_all: bool = False, baseline: str = "") -> None:
        super().__init__(directory, include_all=include_all)
        self._baseline = baseline

    @cached_property
    def folder(self) -> Folder:
        """The files in it and in its subfolders that are named so, by version. Their names are relative to it."""
        path = existing(self._directory)
        files: list[Migration] = []
        skipped: list[str] = []
        refused: list[str] = []
        for entry in sorted(each for each in path.rglob("*") if each.is_file()):
            file = entry.relative_to(path).as_posix()
            named = _NAME.fullmatch(entry.name)
            if named:
                name = (named["description"] or "").replace("_", " ")
                version = plain_version(named["version"])
                files.append(Migration(version, name, file, entry.read_bytes()))
            elif whys := [why for is_it, why in _UNSUPPORTED if is_it.fullmatch(entry.name)]:
                refused.append(f"{file} {whys[0]}")
            elif entry.suffix.lower() == ".sql":
                skipped.append(file)
        if refused:
            raise InputError(
                f"{'; '.join(refused)}: only files named {NAMED} can be applied, each once and as it is. Move the "
                "others out of the folder, and write what they do as versions.",
                problems=refused,
            )
        files.sort(key=lambda each: (self.version_order(each.version), each.file))
        return Folder(tuple(files), tuple(skipped))

    def read_history(self, session: Session) -> list[Applied]:
        """What is applied, by version. What Flyway does and this does not, a failed row above all, is refused."""
        if not _exists(session):
            return self._without_table(session)
        rows = [row for row in session.rows(_ROWS) if row[2] not in _MARKS]
        failed = [str(row[3]) for row in rows if not row[5]]
        if failed:
            raise ConflictError(
                f"{TABLE} says that an earlier run failed in {', '.join(failed)}. Undo what it left, delete its row "
                "('flyway repair' does), and run again.",
                reason="FailedMigration",
                failed=failed,
            )
        strange = [
            f"{row[3]} ({row[2] if row[0] else 'repeatable'})"
            for row in rows
            if not is_version(row[0]) or row[2] not in ("SQL", "BASELINE")
        ]
        if strange:
            raise RefusedError(
                f"{TABLE} has what only Flyway knows how to run: {', '.join(strange)}. Go on with Flyway, or write "
                f"these as versioned SQL and delete their rows."
            )
        rows_applied = [
            Applied(plain_version(row[0]), row[1], None, row[4], row[2] == "BASELINE")
            for row in rows
        ]
        return sorted(rows_applied, key=lambda row: self.version_order(row.version))

    def ensure_history(self, session: Session) -> None:
        if _exists(session):
            return
        with transaction(session):
            session.execute("SET LOCAL lock_timeout = '4s'")
            baseline = self._without_table(session)
            for statement in _CREATE:
                session.execute(statement)
            if baseline:
                values = (self._baseline, _BASELINE, "BASELINE", _BASELINE, None, 0)
                session.execute(_INSERT, values)

    def history_row(self, migration: Migration, seconds: float) -> tuple[str, Values]:
        version, checksum = shown_version(migration.file), checksum_of(migration.text)
        milliseconds = round(1000 * seconds)
        values = (version, migration.name, "SQL", migration.file, checksum, milliseconds)
        return _INSERT, values

    def version_order(self, version: str) -> tuple[int, ...]:
        """By the numbers in it, so that 1.10 comes after 1.9."""
        return tuple(int(part) for part in version.split("."))

    def is_recorded(self, row: Applied, migration: Migration) -> bool:
        return row.checksum == checksum_of(migration.text)

    def drift_of(self, row: Applied, migration: Migration) -> str:
        was = row.checksum
        if was is None or was == (now := checksum_of(migration.text)):
            return ""
        return f"its checksum was {was} and is {now}"

    def problems_of(self, migration: Migration) -> t.Iterator[str]:
        """Among them what Flyway would have replaced in it."""
        yield from super().problems_of(migration)
        if not migration.unreadable and (match := _PLACEHOLDER.search(migration.text)):
            line = migration.text.count("\n", 0, match.start()) + 1
            yield (
                f"{migration.file} has the placeholder {excerpt(match[0])} in line {line}, which Flyway replaces "
                "and this does not: write its value, or '$' || '{' where it is text."
            )

    def _without_table(self, session: Session) -> list[Applied]:
        if elsewhere := session.rows(_ELSEWHERE):
            raise RefusedError(
                f"Flyway's history is in schema {elsewhere[0][0]}, and only {TABLE} is read: go on with Flyway, or "
                "check that this is the right database."
            )
        if not session.rows(_HAS_TABLES):
            return []
        if not self._baseline:
            raise ConflictError(
                f"Schema public has tables and there is no {TABLE}. If this is the wrong database, correct the "
                "connection; otherwise name in option 'baseline' the version that the tables are at, as 'flyway "
                "baseline' does.",
                reason="NotEmpty",
            )
        return [Applied(plain_version(self._baseline), _BASELINE, None, None, baseline=True)]


def _exists(session: Session) -> bool:
    return bool(session.rows(f"SELECT 1 WHERE pg_catalog.to_regclass('{TABLE}') IS NOT NULL"))
