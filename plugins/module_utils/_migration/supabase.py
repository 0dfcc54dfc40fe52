# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as the Supabase CLI has them: its choice of them in its order, its history table, and what of them runs.

Bad files are refused at once. An older history is brought up to date.
"""

from __future__ import annotations

import difflib
import re
import time
import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from .._errors import ConflictError, InputError, VerificationError
from .._formats import counted
from .._postgres import Session, SqlError, Values, transaction
from .execution import (
    Step,
    controls_transaction,
    ends_transaction,
    excerpt,
    mask_literals,
    resets_role,
    same_sql,
)
from .messages import joined, messages
from .models import Folder, Migration, MigrationPlan, existing, problems_by_file
from .runner import (
    BEGIN_ANEW,
    AppliedFile,
    LockRetries,
    MigrationRun,
    SessionTimeouts,
    StatementError,
    invalid_indexes,
    telling,
    would_skip,
)
from .splitter import without_leading_comments

_NAME = re.compile(r"([0-9]+)_(.*)\.sql")
_COPY = re.compile(r"(?is)COPY\s.*\s(?:FROM\s+STDIN|TO\s+STDOUT)\b")
# The CLI once made a first file like this itself; it was never meant to be pushed.
_OLD_INIT = re.compile(r"([0-9]{14})_init\.sql")
_OLD_INIT_BEFORE = "20211209000000"


_INSERT = (
    "INSERT INTO supabase_migrations.schema_migrations (version, name, statements) "
    "VALUES (%s, %s, %s)"
)
_COLUMNS = ("version", "name", "statements")
_HAS_COLUMNS = """
SELECT a.attname::text FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attrelid = pg_catalog.to_regclass('supabase_migrations.schema_migrations')
AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
# Old tables had the version alone, so the columns come one by one; see the CLI's own steps.
_CREATE = (
    "SET LOCAL lock_timeout = '4s'",
    "CREATE SCHEMA IF NOT EXISTS supabase_migrations",
    "CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations "
    "(version text NOT NULL PRIMARY KEY)",
    "ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS statements text[]",
    "ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text",
)


@dataclass(frozen=True)
class Applied:
    """A row of the history. Old CLIs recorded neither name nor statements."""

    version: str
    name: str | None
    statements: tuple[str, ...] | None
    checksum: int | None = None
    """Of the file, in a history that has no statements."""
    baseline: bool = False
    """Stands for all versions up to its own, which have no rows and need no files."""


History: t.TypeAlias = "t.Sequence[Applied]"
Files: t.TypeAlias = "t.Sequence[Migration]"
HistoryRow = t.Callable[[Migration, float], tuple[str, Values]]
"""The statement that writes the row of a migration that took so many seconds, and its values."""


def _first_difference(applied: t.Sequence[str], now: t.Sequence[str]) -> str:
    matcher = difflib.SequenceMatcher(a=list(applied), b=list(now), autojunk=False)
    for what, start, _end, begin, _stop in matcher.get_opcodes():
        if what == "delete":
            return f"statement {start + 1} is gone: {excerpt(applied[start])}"
        if what == "insert":
            return f"statement {begin + 1} is new: {excerpt(now[begin])}"
        if what == "replace":
            was, is_now = excerpt(applied[start]), excerpt(now[begin])
            change = f"and is {is_now}" if was != is_now else "and differs further on"
            return f"statement {begin + 1} was {was} {change}"
    return "its statements are split differently"


# These may commit inside, so that a failure need not have taken back all they did.
_COMMITS_INSIDE = re.compile(r"(?i)(?:CALL|DO)\b")
_BUILDS_INDEX = re.compile(r"(?is)(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b")


@dataclass
class FileRun(MigrationRun):
    """Of a file, as the Supabase CLI runs it. `role` is the one to take on, None for the one that logs in."""

    row_of: HistoryRow
    role: str | None
    opening: str = field(init=False)
    """What the session has to be told before the first statement; empty once that has run."""
    done: int = field(default=0, init=False)
    """Of the statements of a step that run one by one."""
    restart: int | None = field(default=0, init=False)
    """Where among them to begin again; None where something since then is committed."""
    invalid: frozenset[str] | None = field(default=None, init=False)
    """The indexes that were invalid before a statement that may leave another; None before any other."""

    UNPLACED = ", at its end"
    OTHERWISE = "unless its version is in the history, undo what it left or make the file repeatable, and run again."

    def __post_init__(self) -> None:
        self.opening = joined(BEGIN_ANEW, self.limits.to_sql(), self._role)

    @property
    def _role(self) -> str:
        return f"SET SESSION ROLE {self.role}" if self.role else ""

    def run(self) -> None:
        *steps, last = self.migration.steps
        for step in steps:
            self._run_step(step)
        if last.transaction:
            self._run_step(last, then=lambda: self._write_row("COMMIT"))
            return
        self._run_step(last)
        if self.session.in_transaction:
            self.roll_back()
            raise self.open_transaction()
        self.insist(self._write_row)

    def what_is_left(self, _error: SqlError, advice: str) -> str:
        invalid = self._new_invalid_indexes()
        # A transaction that the file itself has ended leaves nothing to roll back: only a warning.
        self.roll_back()
        left = (
            " The whole file was rolled back: fix it and run again."
            if self.migration.atomic
            else " The file is not atomic, so what it committed before this stays; undo that or make the file "
            "repeatable, then run again."
        )
        if invalid:
            listed = ", ".join(invalid)
            left += f" It left {listed} invalid: drop that index before you run the file again."
        return left + advice

    def _run_step(self, step: Step, then: t.Callable[[], None] | None = None) -> None:
        if step.transaction:
            self.insist(lambda: self._together(step, then or self._commit))
        else:
            self.done, self.restart, self.invalid = 0, 0, None
            if self.opening:
                self.session.execute(self.opening)
            self.retries.insist(
                self.migration.file, lambda: self._one_by_one(step.statements), self._rewind
            )
        self.opening = ""

    def _together(self, step: Step, end: t.Callable[[], None]) -> None:
        try:
            self._send(step, each=False)
        except StatementError:
            raise
        except SqlError:
            # Once more, for to know which one.
            self._send(step, each=True)
        self.look_at_locks()
        end()

    def _send(self, step: Step, *, each: bool) -> None:
        texts = {index: self.migration.statements[index] for index in step.statements}
        for message in messages(texts, joined(self.opening, "BEGIN"), each=each):
            message.send(self.session)
            self._take_role_again(message.starts)

    def _commit(self) -> None:
        with telling(None):
            self.session.execute("COMMIT")

    def _one_by_one(self, statements: t.Sequence[int]) -> None:
        """From where `_rewind` went back to."""
        for index in statements[self.done :]:
            text = without_leading_comments(self.migration.statements[index])
            controls, within = controls_transaction(text), self.session.in_transaction
            if not within:
                self._prepare(index, text)
            elif controls:
                self.look_at_locks()
            self.run_statement(index)
            if not within and not controls:
                self.held_known = False
            self.done += 1
            if self.session.in_transaction and ends_transaction(text):
                self.restart = None

    def _prepare(self, index: int, text: str) -> None:
        self.restart = None if _COMMITS_INSIDE.match(text) else self.done
        self.invalid = invalid_indexes(self.session) if _BUILDS_INDEX.match(text) else None
        skipped = would_skip(self.session, text)
        if skipped is not None:
            raise StatementError(index, skipped)

    def _rewind(self) -> bool:
        """Whether what failed has left nothing, so that the walk may go on from where that began."""
        if self.session.in_transaction:
            self.roll_back()
        if self.restart is None or self._new_invalid_indexes():
            return False
        self.done = self.restart
        return True

    def _new_invalid_indexes(self) -> list[str]:
        """What a concurrent build left behind when it failed."""
        if self.invalid is None or self.session.in_transaction:
            return []
        return sorted(invalid_indexes(self.session) - self.invalid)

    def run_statement(self, index: int) -> None:
        super().run_statement(index)
        self._take_role_again([index])

    def _take_role_again(self, ran: t.Iterable[int]) -> None:
        if self.role and any(resets_role(self.migration.statements[index]) for index in ran):
            self.session.execute(self._role)

    def _write_row(self, end: str = "") -> None:
        sql, values = self.row_of(self.migration, time.monotonic() - self.started)
        with telling(None):
            self.session.execute(joined(self._role, sql, end), values)


class SupabaseFiles:
    """Of a folder of files and the table that has what is applied of them, here statements as the CLI splits them."""

    NAMED = "<digits>_<name>.sql"
    # Any number will do as long as it is ours and never changes: "supabase" in ASCII.
    ADVISORY_LOCK = int.from_bytes(b"supabase", "big")
    LEAVES_FAILURES = False
    """Whether the history has a row of what failed."""
    RESETS = True
    """Whether each file begins with the session's first settings."""
    # What people do with the history by hand, as clauses. In the first `{}` are the versions.
    REVERTED = "run 'supabase migration repair --status reverted {}'"
    APPLIED = "run 'supabase migration repair --status applied <version>'"
    REWRITTEN = "fix it with 'supabase migration repair'"

    def __init__(
        self, directory: str, *, include_all: bool = False, role: str | None = None
    ) -> None:
        """`role`: the one to take on, so that it owns what migrations make; None for the one that logs in."""
        self._directory = directory
        self._include_all = include_all
        self._role = role

    @cached_property
    def folder(self) -> Folder:
        """The files directly in it that are named so, by version."""
        entries = sorted(each for each in existing(self._directory).iterdir() if each.is_file())
        if entries and (old := _OLD_INIT.fullmatch(entries[0].name)) and old[1] < _OLD_INIT_BEFORE:
            del entries[0]
        files: list[Migration] = []
        skipped: list[str] = []
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named:
                files.append(Migration(named[1], named[2], entry.name, entry.read_bytes()))
            elif entry.suffix.lower() == ".sql":
                skipped.append(entry.name)
        files.sort(key=lambda file: (file.version, file.file))
        return Folder(tuple(files), tuple(skipped))

    def problems_of(self, migration: Migration) -> t.Iterator[str]:
        """A sentence for everything about a pending file that can be seen to fail."""
        yield from migration.problems()
        if migration.unreadable:
            return
        name, statements = migration.file, migration.statements
        for statement in migration.script.statements:
            text = without_leading_comments(statement.text)
            if text[:4].upper() == "COPY" and _COPY.match(mask_literals(text)):
                yield (
                    f"{name} copies from or to its client in line {statement.line}, without data: write INSERT, or "
                    "load the data in another task."
                )
                break
        if not migration.script.open_comment and not any(map(without_leading_comments, statements)):
            yield f"{name} has no statement: delete it, or write the migration."

    def read_history(self, session: Session) -> list[Applied]:
        """What is applied, by version; nothing when there is no table."""
        there = _columns(session)
        if "version" not in there:
            return []
        wanted = ", ".join(name if name in there else f"NULL AS {name}" for name in _COLUMNS)
        rows = session.rows(f"SELECT {wanted} FROM supabase_migrations.schema_migrations")  # noqa: S608 - names of ours
        rows_applied = [
            Applied(str(version), name, None if statements is None else tuple(statements))
            for version, name, statements in rows
        ]
        return sorted(rows_applied, key=lambda row: row.version)

    def ensure_history(self, session: Session) -> None:
        """The table with the three columns is there afterwards."""
        if not set(_COLUMNS) <= _columns(session):
            with transaction(session):
                for statement in _CREATE:
                    session.execute(statement)

    def history_row(self, migration: Migration, _seconds: float) -> tuple[str, Values]:
        return _INSERT, (migration.version, migration.name, migration.statements)

    def version_order(self, version: str) -> t.Any:
        """What sorts versions: as text, as in the CLI."""
        return version

    def is_recorded(self, row: Applied, migration: Migration) -> bool:
        return row.statements == tuple(migration.statements)

    def drift_of(self, row: Applied, migration: Migration) -> str:
        """A clause on how the file differs from what was run, or empty; InputError where it is no text."""
        # Splitting takes time, and what it takes away is no difference anyhow.
        if row.statements is None or same_sql("".join(row.statements), migration.text):
            return ""
        return _first_difference(row.statements, migration.statements)

    def find_drift(self, history: History, local: Files) -> dict[str, str]:
        """Files that differ from what was run, by name."""
        rows = {row.version: row for row in history}
        drifted: dict[str, str] = {}
        for each in local:
            try:
                row = rows.get(each.version)
                drifted[each.file] = self.drift_of(row, each) if row else ""
            except InputError as exc:
                drifted[each.file] = str(exc)
        return {file: how for file, how in drifted.items() if how}

    def find_missing(self, history: History, local: Files) -> list[str]:
        """Applied versions that the folder has not."""
        there = {migration.version for migration in local}
        rows = {row.version for row in history if not row.baseline}
        return sorted(rows - there, key=self.version_order)

    def find_pending(self, history: History, local: Files) -> list[Migration]:
        """Those without a row, but for what a baseline stands for."""
        order = self.version_order
        known = {row.version for row in history}
        bases = [order(row.version) for row in history if row.baseline]
        return [
            each
            for each in local
            if each.version not in known and all(order(each.version) > base for base in bases)
        ]

    def find_late(self, history: History, pending: Files) -> list[str]:
        """The files that are older than the newest applied one."""
        order = self.version_order
        applied = [order(row.version) for row in history]
        return [each.file for each in pending if applied and order(each.version) < max(applied)]

    def pending_after(self, history: History, local: Files) -> list[Migration]:
        """Local migrations that are newer than all applied ones.

        With `include_all` those that are older and not applied as well, in their order, as with the CLI's
        `--include-all`.
        """
        if missing := self.find_missing(history, local):
            raise ConflictError(
                f"The database has {counted(len(missing), 'migration')} missing in the folder: "
                f"{', '.join(missing)}. Check out the commit that has them, or, if they were never meant to stay, "
                f"{self.REVERTED.format(' '.join(missing))}.",
                reason="MissingLocally",
                missing_locally=missing,
            )
        pending = self.find_pending(history, local)
        late = self.find_late(history, pending)
        if late and not self._include_all:
            newest = max((row.version for row in history), key=self.version_order)
            raise ConflictError(
                f"{counted(len(late), 'migration')} would run after the newer applied {newest}: "
                f"{', '.join(late)}. Give each a new version; or set option 'include_all' if nothing "
                f"newer changes their effect; or, if it was applied by hand, {self.APPLIED}.",
                reason="OutOfOrder",
                out_of_order=late,
            )
        return pending

    def plan(self, session: Session) -> MigrationPlan:
        """Raises when nothing may run."""
        history = self.read_history(session)
        local = self.folder.files
        pending = self.pending_after(history, local)
        twice = duplicates(local)
        repeated = {
            version: [f"{' and '.join(names)} share a version, {version}: give each its own."]
            for version, names in twice.items()
        }
        return MigrationPlan(
            pending=tuple(pending),
            versions=sorted((row.version for row in history), key=self.version_order),
            drift=self.find_drift(history, [each for each in local if each.version not in twice]),
            problems=problems_by_file(pending, self.problems_of) | repeated,
        )

    def begin(
        self, session: Session, _plan: MigrationPlan, limits: SessionTimeouts, retries: LockRetries
    ) -> t.Callable[[Migration], AppliedFile]:
        """Make the history where there is none. What applies a migration and writes its row."""
        retries.insist("the history table", lambda: self.ensure_history(session))
        return lambda migration: FileRun(
            session, migration, limits, retries, self.history_row, self._role
        ).apply()

    def verify(self, session: Session, plan: MigrationPlan) -> list[str]:
        """Read the history back: what was run is in it, and nothing else is new. All its versions."""
        rows = {row.version: row for row in self.read_history(session)}
        pending = {each.version: each for each in plan.pending}
        expected = {*plan.versions, *pending}
        strange = [version for version in rows if version not in expected]
        gone = sorted(expected.difference(rows))
        there = [each for version, each in pending.items() if version in rows]
        other = [each.file for each in there if not self.is_recorded(rows[each.version], each)]
        clauses = [f"has {', '.join(strange)}, which this run did not write"] if strange else []
        clauses += [f"lost {', '.join(gone)}"] if gone else []
        clauses += [f"has {', '.join(other)} otherwise than it ran"] if other else []
        if clauses:
            raise VerificationError(
                f"The migrations ran, and the history {' and '.join(clauses)}: one of them wrote it, or "
                f"somebody else did meanwhile. Find out which, and {self.REWRITTEN}; until then the next "
                "run may stop or run a file twice.",
                foreign_versions=strange,
                missing_versions=gone,
            )
        return [*rows]


def _columns(session: Session) -> set[str]:
    return {str(row[0]) for row in session.rows(_HAS_COLUMNS)}


def duplicates(files: t.Iterable[Migration]) -> dict[str, list[str]]:
    """The names of the files that share a version, by it."""
    by_version: dict[str, list[str]] = {}
    for file in files:
        by_version.setdefault(file.version, []).append(file.file)
    return {version: names for version, names in by_version.items() if len(names) > 1}
