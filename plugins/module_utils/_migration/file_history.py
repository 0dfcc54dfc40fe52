# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a folder of files with a database's history: what is pending, what was edited since, what stops a run."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass

from .._errors import InputError
from .execution import excerpt, mask_literals, mask_passwords, same_sql
from .models import DriftError, MissingLocallyError, OutOfOrderError
from .splitter import without_leading_comments

if t.TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .._postgres import Session
    from .models import Migration


@dataclass(frozen=True)
class Mend:
    """What people do with the history by hand, as clauses. In the first `{}` are the versions."""

    reverted: str
    applied: str
    rewritten: str


class History(t.Protocol):
    ADVISORY_LOCK: int
    """Any number will do as long as it is ours and never changes."""
    MEND: Mend

    def read_history(self, session: Session) -> list[Applied]: ...

    def ensure_history(self, session: Session) -> None: ...

    def insert_row(self, session: Session, migration: Migration, seconds: float) -> None: ...

    def version_order(self, version: str) -> t.Any:
        """What sorts versions."""

    def is_recorded(self, row: Applied, migration: Migration) -> bool: ...

    def find_drift(
        self, history: Sequence[Applied], local: Sequence[Migration]
    ) -> dict[str, Drift]: ...


_DIFF_LINES = 60
_DIFF_COLUMNS = 160
# What is between the dollars is code there, and what was edited is most often in it.
_HAS_BODY = re.compile(r"(?i)(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)|DO)\b")
_DOLLAR_QUOTE = re.compile(r"\$\w*\$")


@dataclass(frozen=True)
class Drift:
    """`how` is a clause on the first statement that differs, `diff` goes from what was run to what is there."""

    how: str
    diff: str


def find_drift(history: Sequence[Applied], local: Sequence[Migration]) -> dict[str, Drift]:
    """Files that differ from what the history says was run, by name."""
    recorded = {row.version: row.statements for row in history}
    drifted: dict[str, Drift] = {}
    for migration in local:
        statements = recorded.get(migration.version)
        if statements is None:
            continue
        try:
            # Splitting takes time, and what it takes away is no difference anyhow.
            if same_sql("".join(statements), migration.text):
                continue
            now = migration.statements
        except InputError as exc:
            drifted[migration.file] = Drift(str(exc), "")
        else:
            how = _first_difference(statements, now)
            drifted[migration.file] = Drift(how, _diff(statements, now))
    return drifted


def refuse_drift(drifted: t.Mapping[str, Drift]) -> None:
    if drifted:
        listed = "; ".join(f"{file} ({drift.how})" for file, drift in drifted.items())
        raise DriftError(
            f"Applied files were edited since: {listed}. Restore them from git and write the "
            "change as a new migration; set option 'drift' to 'warn' to continue anyway.",
            **describe_drift(drifted),
        )


def describe_drift(drifted: t.Mapping[str, Drift]) -> dict[str, dict[str, str]]:
    return {
        "drift": {file: drift.how for file, drift in drifted.items()},
        "drift_diff": {file: drift.diff for file, drift in drifted.items()},
    }


def _first_difference(applied: Sequence[str], now: Sequence[str]) -> str:
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


def _diff(applied: Sequence[str], now: Sequence[str]) -> str:
    lines = difflib.unified_diff(
        _masked_lines(applied, ()), _masked_lines(now, applied), "applied", "file", n=1, lineterm=""
    )
    shown = [
        line if len(line) <= _DIFF_COLUMNS else line[: _DIFF_COLUMNS - 1] + "…" for line in lines
    ]
    more = len(shown) - _DIFF_LINES
    return "\n".join([*shown[:_DIFF_LINES], f"… {more} more lines"] if more > 0 else shown)


def _masked_lines(statements: Sequence[str], others: Collection[str]) -> list[str]:
    """Where nothing but what is masked differs from one of `others`, that is said."""
    masked_others = {_masked(other) for other in others}
    lines: list[str] = []
    for statement in statements:
        masked = _masked(statement)
        lines += f"{masked};".splitlines()
        if others and statement not in others and masked in masked_others:
            lines.append("-- something in quotes differs")
    return lines


def _masked(statement: str) -> str:
    if not _HAS_BODY.match(without_leading_comments(statement)):
        return mask_literals(statement)
    return "$$".join(mask_literals(part) for part in _DOLLAR_QUOTE.split(statement))


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
class FilePlan:
    applied: tuple[str, ...]
    pending: tuple[Migration, ...]

    def to_diff(self) -> dict[str, str]:
        """The SQL that runs, whole but for passwords, for a diff is a request to see it."""
        newest = self.applied[-1] if self.applied else "nothing"
        after = "".join(
            f"-- {each.file}\n{mask_passwords(each.text.rstrip())}\n" for each in self.pending
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
) -> FilePlan:
    """Local migrations that are newer than all applied ones; versions compare by `order`.

    With `include_all` those that are older and not applied as well, in their order, as with the CLI's `--include-all`.
    """
    refuse_missing(missing_locally(history, local, order), mend)
    pending = find_pending(history, local, order)
    if not include_all:
        refuse_out_of_order(pending, history, mend, order)
    applied = sorted((row.version for row in history), key=order)
    return FilePlan(applied=tuple(applied), pending=tuple(pending))


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
    late = [migration.file for migration in find_late(pending, history, order)]
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
