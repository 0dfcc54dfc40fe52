# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which Supabase migrations run, or why none may. Nothing here does I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import MissingLocallyError, OutOfOrderError
from .text import mask_passwords

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .supabase_folder import Migration


@dataclass(frozen=True)
class Applied:
    """A row of the history. Old CLIs recorded neither name nor statements."""

    version: str
    name: str | None
    statements: tuple[str, ...] | None


@dataclass(frozen=True)
class SupabasePlan:
    applied: tuple[str, ...]
    pending: tuple[Migration, ...]

    @property
    def changed(self) -> bool:
        return bool(self.pending)

    def to_diff(self) -> dict[str, str]:
        """The SQL that runs, whole but for passwords: whoever asks for a diff asks to see it."""
        newest = self.applied[-1] if self.applied else "nothing"
        after = "".join(
            f"-- {each.file.file}\n{mask_passwords(each.text.rstrip())}\n" for each in self.pending
        )
        return {
            "before_header": f"applied up to {newest}",
            "after_header": f"{len(self.pending)} pending",
            "before": "",
            "after": after,
        }


def plan_migrations(
    history: Sequence[Applied], local: Sequence[Migration], *, include_all: bool = False
) -> SupabasePlan:
    """Local migrations that are newer than all applied ones; versions compare as text, as in the CLI.

    With `include_all` those that are older and not applied as well, in their order, as with the CLI's `--include-all`.
    """
    applied = sorted(row.version for row in history)
    known = set(applied)
    refuse_missing(applied, {migration.version for migration in local})
    pending = [migration for migration in local if migration.version not in known]
    if not include_all:
        refuse_out_of_order(pending, newest=applied[-1] if applied else "")
    return SupabasePlan(applied=tuple(applied), pending=tuple(pending))


def refuse_missing(applied: Sequence[str], local: t.Collection[str]) -> None:
    missing = [version for version in applied if version not in local]
    if missing:
        raise MissingLocallyError(
            f"The database has {_count(len(missing), 'migration')} missing in the folder: "
            f"{', '.join(missing)}. Check out the commit that has them, or, if they were never meant to stay, run "
            f"'supabase migration repair --status reverted {' '.join(missing)}'.",
            missing_locally=missing,
        )


def refuse_out_of_order(pending: Sequence[Migration], *, newest: str) -> None:
    late = [migration.file.file for migration in pending if migration.version < newest]
    if late:
        raise OutOfOrderError(
            f"{_count(len(late), 'migration')} would run after the newer applied {newest}: "
            f"{', '.join(late)}. Give each a new version; or set option 'include_all' if nothing "
            "newer changes their effect; or, if it was applied by hand, run 'supabase migration "
            "repair --status applied <version>'.",
            out_of_order=late,
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
