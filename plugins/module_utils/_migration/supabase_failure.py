# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Say which statement of a Supabase migration failed, why, what is left of it and what to do, without its data."""

from __future__ import annotations

import typing as t

from .._errors import UnreachableError
from .._postgres import SqlError
from .errors import MigrationError
from .splitter import failing_line
from .text import excerpt, mask_message

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .supabase_folder import Migration


class StatementError(SqlError):
    """Statement `index` of the file was refused; None: its row in the history, or its COMMIT."""

    def __init__(self, index: int | None, error: SqlError) -> None:
        super().__init__(sqlstate=error.sqlstate, message=error.message, position=error.position)
        self.index = index


def describe_failure(
    migration: Migration,
    error: StatementError,
    *,
    invalid: Sequence[str] = (),
    lock_advice: str = "",
) -> MigrationError:
    """File, statement, line, SQLSTATE and message; nothing of the data in it. `invalid` are indexes it left so."""
    message = mask_message(error.message, error.sqlstate)
    details: dict[str, t.Any] = {
        "file": migration.file.file,
        "sqlstate": error.sqlstate,
        "atomic": migration.execution.atomic,
    }
    if error.index is None:
        where = f"{migration.file.file}, at its end"
    else:
        line = failing_line(migration.script.statements[error.index], error.position)
        details |= {"statement": error.index + 1, "line": line}
        where = (
            f"{migration.file.file}, statement {error.index + 1}, line {line} "
            f"({excerpt(migration.statements[error.index])})"
        )
    return MigrationError(
        f"{where}: {message} (SQLSTATE {error.sqlstate}). {_what_is_left(migration)}"
        f"{_invalid(invalid)}{lock_advice or _advice(error.sqlstate)}",
        **details,
    )


def describe_loss(migration: Migration, error: UnreachableError) -> UnreachableError:
    """What a run can know of a file when the connection is gone, and what the next one does."""
    rerun = (
        "The file and its row in the history are one transaction, so run it again."
        if migration.execution.atomic
        else "The file is not atomic: unless its version is in the history, undo what it left or "
        "make the file repeatable, and run again."
    )
    return UnreachableError(
        f"{migration.file.file} was running. {error} {rerun}",
        file=migration.file.file,
        atomic=migration.execution.atomic,
    )


def _what_is_left(migration: Migration) -> str:
    if migration.execution.atomic:
        return "The whole file was rolled back: fix it and run again."
    return (
        "The file is not atomic, so what it committed before this stays; "
        "undo that or make the file repeatable, then run again."
    )


def _invalid(indexes: Sequence[str]) -> str:
    if not indexes:
        return ""
    listed = ", ".join(indexes)
    return f" It left {listed} invalid: drop that index before you run the file again."


def _advice(sqlstate: str) -> str:
    if sqlstate == "57014":
        return " It ran for longer than option 'statement_timeout', or was cancelled."
    if sqlstate == "25006":
        return (
            " This server or session is read-only: connect to the primary, and check "
            "default_transaction_read_only."
        )
    return ""
