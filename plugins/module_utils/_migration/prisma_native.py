# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Apply one Prisma migration ourselves, and leave the rows that `prisma migrate deploy` would leave.

A script that can be a transaction commits together with its row, so that a run that was cut off anywhere left either
both or nothing. All others go as Prisma goes: the row, the script, the row again.
"""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import MigrationError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_history import (
    Attempt,
    HistoryTable,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.text import (
    excerpt,
    mask_message,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import SqlError

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_folder import (
        PrismaMigration,
    )
    from ansible_collections.easymo.deploy.plugins.module_utils._migration.session import Limits
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session

# "Cannot run inside a transaction block", and a COMMIT inside of a procedure: the server alone knows which ones.
_WANTS_NO_TRANSACTION = ("25001", "2D000")


class _OpenTransactionError(Exception):
    """The script began a transaction and did not end it."""


def apply_natively(
    session: Session, table: HistoryTable, migration: PrismaMigration, *, limits: Limits
) -> None:
    attempt = Attempt(migration.name, migration.checksum)
    try:
        if not migration.atomic or not _apply_whole(session, table, migration, attempt, limits):
            _apply_in_steps(session, table, migration, attempt, limits)
    except SqlError as exc:
        _leave_failed(session, table, attempt, mask_message(str(exc), exc.sqlstate))
        raise _describe_failure(migration, exc) from exc
    except _OpenTransactionError as exc:
        _leave_failed(session, table, attempt, "The script left its transaction open.")
        raise MigrationError(
            f"{migration.file} begins a transaction and never commits it (P3018), so nothing since then was kept: "
            "take the BEGIN away, or add the COMMIT.",
            file=migration.file,
            code="P3018",
        ) from exc
    except UnreachableError as exc:
        raise UnreachableError(f"{exc} {_what_a_rerun_does(migration)}", **exc.details) from exc


def _apply_whole(
    session: Session,
    table: HistoryTable,
    migration: PrismaMigration,
    attempt: Attempt,
    limits: Limits,
) -> bool:
    """Whether it was; not when its only statement wants no transaction around it."""
    session.execute("BEGIN")
    table.start(attempt)
    limits.set_on(session)
    try:
        _run_script(session, migration)
    except SqlError as exc:
        if exc.sqlstate in _WANTS_NO_TRANSACTION and len(migration.statements) == 1:
            session.execute("ROLLBACK")
            return False
        raise
    forget_settings(session)
    table.finish(attempt)
    session.execute("COMMIT")
    return True


def _apply_in_steps(
    session: Session,
    table: HistoryTable,
    migration: PrismaMigration,
    attempt: Attempt,
    limits: Limits,
) -> None:
    table.start(attempt)
    limits.set_on(session)
    _run_script(session, migration)
    if session.in_transaction:
        raise _OpenTransactionError
    forget_settings(session)
    table.finish(attempt)


def _run_script(session: Session, migration: PrismaMigration) -> None:
    if migration.statements:
        session.execute(migration.text)


def forget_settings(session: Session) -> None:
    """What a script set for its session would be there for the next one, and for the row of this one."""
    session.execute("RESET SESSION AUTHORIZATION")
    session.execute("RESET ROLE")
    session.execute("RESET ALL")


def _leave_failed(session: Session, table: HistoryTable, attempt: Attempt, logs: str) -> None:
    """Leave the row as Prisma leaves one that failed: with its logs and without an end."""
    if session.in_transaction:
        session.execute("ROLLBACK")
    forget_settings(session)
    table.fail(attempt, logs)


def _describe_failure(migration: PrismaMigration, error: SqlError) -> MigrationError:
    details: dict[str, t.Any] = {
        "file": migration.file,
        "sqlstate": error.sqlstate,
        "atomic": migration.atomic,
        "code": "P3018",
    }
    where = migration.file
    if error.position is not None:
        line = migration.text.count("\n", 0, error.position - 1) + 1
        details["line"] = line
        where += f", line {line} ({excerpt(migration.text.splitlines()[line - 1])})"
    said = f"{mask_message(error.message, error.sqlstate)} (SQLSTATE {error.sqlstate}, P3018)"
    left = "was rolled back" if migration.atomic else "is not atomic, what it committed stays"
    return MigrationError(
        f"{where}: {said}. The script {left}. Put it right, run easymo.deploy.prisma_migrations with "
        f"state=resolved, migrations=[{migration.name}] and resolution=rolled_back, and run again.",
        **details,
    )


def _what_a_rerun_does(migration: PrismaMigration) -> str:
    if migration.atomic:
        return f"{migration.file} and its row commit together, so run again: it goes on from what is there."
    return (
        f"{migration.file} is not atomic: look at what stayed of it; the next run stops with P3009 unless it "
        "was finished."
    )
