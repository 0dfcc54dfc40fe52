# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which Supabase migrations run, or why none may. Nothing here does I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import MissingLocallyError, OutOfOrderError
from .file_history import Mend
from .text import mask_passwords

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .supabase_folder import Migration


REPAIR = Mend(
    reverted="run 'supabase migration repair --status reverted {}'",
    applied="run 'supabase migration repair --status applied <version>'",
    rewritten="fix it with 'supabase migration repair'",
)
"""What the Supabase CLI does with its history."""


Order = t.Callable[[str], t.Any]
"""What sorts versions: `str`, as text, is what the Supabase CLI does."""


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
    history: Sequence[Applied],
    local: Sequence[Migration],
    *,
    include_all: bool = False,
    mend: Mend = REPAIR,
    order: Order = str,
) -> SupabasePlan:
    """Local migrations that are newer than all applied ones; versions compare by `order`.

    With `include_all` those that are older and not applied as well, in their order, as with the CLI's `--include-all`.
    """
    refuse_missing(missing_locally(history, local, order), mend)
    pending = find_pending(history, local, order)
    if not include_all:
        refuse_out_of_order(pending, history, mend, order)
    applied = sorted((row.version for row in history), key=order)
    return SupabasePlan(applied=tuple(applied), pending=tuple(pending))


def find_pending(
    history: Sequence[Applied], local: Sequence[Migration], order: Order
) -> list[Migration]:
    """Those without a row, but for what a baseline stands for."""
    known = {row.version for row in history}
    bases = [order(row.version) for row in history if row.baseline]
    return [
        each
        for each in local
        if each.version not in known and all(order(each.version) > base for base in bases)
    ]


def missing_locally(
    history: Sequence[Applied], local: Sequence[Migration], order: Order
) -> list[str]:
    there = {migration.version for migration in local}
    rows = {row.version for row in history if not row.baseline}
    return sorted(rows - there, key=order)


def find_late(
    pending: Sequence[Migration], history: Sequence[Applied], order: Order
) -> list[Migration]:
    """Those that are older than the newest applied one."""
    if not history:
        return []
    newest = max(order(row.version) for row in history)
    return [migration for migration in pending if order(migration.version) < newest]


def refuse_missing(missing: Sequence[str], mend: Mend = REPAIR) -> None:
    if missing:
        raise MissingLocallyError(
            f"The database has {_count(len(missing), 'migration')} missing in the folder: "
            f"{', '.join(missing)}. Check out the commit that has them, or, if they were never meant to stay, "
            f"{mend.reverted.format(' '.join(missing))}.",
            missing_locally=[*missing],
        )


def refuse_out_of_order(
    pending: Sequence[Migration], history: Sequence[Applied], mend: Mend, order: Order
) -> None:
    late = [migration.file.file for migration in find_late(pending, history, order)]
    if late:
        newest = max((row.version for row in history), key=order)
        raise OutOfOrderError(
            f"{_count(len(late), 'migration')} would run after the newer applied {newest}: "
            f"{', '.join(late)}. Give each a new version; or set option 'include_all' if nothing "
            f"newer changes their effect; or, if it was applied by hand, {mend.applied}.",
            out_of_order=late,
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
