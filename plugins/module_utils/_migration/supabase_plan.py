# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which Supabase migrations run, or why none may. Nothing here does I/O."""

from __future__ import annotations

import difflib
import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import (
    DriftError,
    MissingLocallyError,
    OutOfOrderError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.text import (
    excerpt,
    same_sql,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase_folder import (
        Migration,
    )


@dataclass(frozen=True)
class Applied:
    """A row of the history. Old CLIs recorded neither name nor statements."""

    version: str
    name: str | None
    statements: tuple[str, ...] | None


@dataclass(frozen=True)
class Plan:
    applied: tuple[str, ...]
    pending: tuple[Migration, ...]

    @property
    def changed(self) -> bool:
        return bool(self.pending)

    def to_diff(self) -> dict[str, str]:
        """The SQL that runs, whole: whoever asks for a diff asks to see it."""
        newest = self.applied[-1] if self.applied else "nothing"
        after = "".join(f"-- {each.file.file}\n{each.text.rstrip()}\n" for each in self.pending)
        return {
            "before_header": f"applied up to {newest}",
            "after_header": f"{len(self.pending)} pending",
            "before": "",
            "after": after,
        }


def plan_migrations(history: Sequence[Applied], local: Sequence[Migration]) -> Plan:
    """Local migrations that are newer than all applied ones; versions compare as text, as in the CLI."""
    applied = sorted(row.version for row in history)
    known = set(applied)
    refuse_missing(applied, {migration.version for migration in local})
    pending = [migration for migration in local if migration.version not in known]
    refuse_out_of_order(pending, newest=applied[-1] if applied else "")
    return Plan(applied=tuple(applied), pending=tuple(pending))


def refuse_missing(applied: Sequence[str], local: t.Collection[str]) -> None:
    missing = [version for version in applied if version not in local]
    if missing:
        raise MissingLocallyError(
            f"The database has {_count(len(missing), 'migration')} that the folder has not: "
            f"{', '.join(missing)}. Check out the commit that has them, or, if they were never meant to stay, run "
            f"'supabase migration repair --status reverted {' '.join(missing)}'.",
            missing_locally=missing,
        )


def refuse_out_of_order(pending: Sequence[Migration], *, newest: str) -> None:
    late = [migration.file.file for migration in pending if migration.version < newest]
    if late:
        raise OutOfOrderError(
            f"{_count(len(late), 'migration')} would run after the newer {newest} that is applied already: "
            f"{', '.join(late)}. Give each a new version, or, if it was applied by hand, run "
            "'supabase migration repair --status applied <version>'.",
            out_of_order=late,
        )


def find_drift(history: Sequence[Applied], local: Sequence[Migration]) -> dict[str, str]:
    """Files that differ from what the history says was run: file to the first statement that does."""
    recorded = {row.version: row.statements for row in history}
    drifted: dict[str, str] = {}
    for migration in local:
        statements = recorded.get(migration.version)
        if statements is None:
            continue
        try:
            now = migration.statements
        except InputError as exc:
            drifted[migration.file.file] = str(exc)
            continue
        if not same_sql("".join(statements), "".join(now)):
            drifted[migration.file.file] = _first_difference(statements, now)
    return drifted


def refuse_drift(drifted: t.Mapping[str, str]) -> None:
    if drifted:
        listed = "; ".join(f"{file} ({how})" for file, how in drifted.items())
        raise DriftError(
            f"Applied files were edited since: {listed}. Restore them from git and write the change as a new "
            "migration; set option 'drift' to 'warn' to go on without it.",
            drift=dict(drifted),
        )


def _first_difference(applied: Sequence[str], now: Sequence[str]) -> str:
    matcher = difflib.SequenceMatcher(a=list(applied), b=list(now), autojunk=False)
    for what, start, _end, begin, _stop in matcher.get_opcodes():
        if what == "delete":
            return f"statement {start + 1} is gone: {excerpt(applied[start])}"
        if what in ("insert", "replace"):
            word = "is new" if what == "insert" else "was"
            shown = now[begin] if what == "insert" else applied[start]
            return f"statement {begin + 1} {word}: {excerpt(shown)}"
    return "its statements are cut differently"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
