# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Find applied files that were edited since, and show the difference without what stands in quotes."""

from __future__ import annotations

import difflib
import re
import typing as t
from dataclasses import dataclass

from .._errors import InputError
from .errors import DriftError
from .splitter import without_leading_comments
from .text import excerpt, mask_literals, same_sql

if t.TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .supabase_folder import Migration
    from .supabase_plan import Applied

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
            drifted[migration.file.file] = Drift(str(exc), "")
        else:
            how = _first_difference(statements, now)
            drifted[migration.file.file] = Drift(how, _diff(statements, now))
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
