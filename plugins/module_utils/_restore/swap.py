# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore into a copy of the live database and swap the two by renaming both or none. The failed one stays."""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import replace

from .._backup.tables import count_database
from .._errors import DeployError, NotReadyError, UnreachableError
from .._postgres import SqlError
from . import databases
from .models import RestoreOutcome, RestoreRequest, ServerDatabase, unmarked
from .plan import derived_name, refuse_other_rows
from .programs import Report, restore_into
from .status import settling

if t.TYPE_CHECKING:
    from .._postgres import Session
    from .._s3 import Bucket
    from .selection import DumpSelection

_ATTEMPTS = 3
_IN_USE = "55006"
_PATIENCE = 5.0
_REOPENING = 30.0


def swap(
    session: Session, order: RestoreRequest, live: ServerDatabase, bucket: Bucket, report: Report
) -> RestoreOutcome:
    """`live` serves until the very end, and again if the end fails."""
    copy = derived_name(order.database, "restore", order.stamp)
    retained = derived_name(order.database, "failed", order.stamp)
    with settling(lambda: _give_up(order, copy)):
        databases.create(session, copy, replace(order.mark("copy"), whole=False), live)
        report(f"restoring {order.backup.uri} into {copy}")
        restore_into(order, bucket, copy, report)
        report("comparing the rows")
        counted = inspect(order, copy)
        order.check_lock()
        report(f"putting it in the place of {order.database}")
        _switch(session, order, live, copy=copy, retained=retained)
    return RestoreOutcome(retained=retained, counted=counted)


def inspect(
    order: RestoreRequest, copy: str, selection: DumpSelection | None = None
) -> dict[str, int]:
    """Compare the rows, and give the planner its statistics."""
    rows = order.backup.manifest.rows
    with databases.administering(order.aimed_at(copy)) as inside:
        counted = count_database(inside)
        refuse_other_rows(selection.expected(rows) if selection else rows, counted, copy)
        inside.execute("ANALYZE")
    return counted


def _switch(
    session: Session, order: RestoreRequest, live: ServerDatabase, *, copy: str, retained: str
) -> None:
    with databases.transaction(session):
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS false", live.name)
        databases.set_mark(session, copy, replace(order.mark("copy"), closed=True))
    for _attempt in range(_ATTEMPTS):
        if not _sessions_end(session, order, live.name, copy):
            break
        # Its sessions may have taken their time.
        order.check_lock()
        try:
            _rename(session, order, live, copy=copy, retained=retained)
        except SqlError as exc:
            if exc.sqlstate != _IN_USE:
                raise
        else:
            return
    holding = databases.clients(session, live.name) + databases.clients(session, copy)
    raise NotReadyError(
        f"{order.target.where} cannot be renamed because of open sessions or prepared "
        f"transactions: {databases.names(holding)}. End them, then run this again.",
        clients=holding,
    )


def _rename(
    session: Session, order: RestoreRequest, live: ServerDatabase, *, copy: str, retained: str
) -> None:
    """Rename both databases in one transaction."""
    with databases.transaction(session):
        databases.dress(session, copy, live)
        databases.change(session, "ALTER DATABASE %I RENAME TO %I", live.name, retained)
        databases.change(session, "ALTER DATABASE %I RENAME TO %I", copy, live.name)
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true", retained)
        databases.set_mark(session, retained, order.mark("failed"), unmarked(live.comment))


def _sessions_end(session: Session, order: RestoreRequest, *names: str) -> bool:
    """Whether the closed databases lost all sessions within `_PATIENCE`, which bounds the time without service."""
    deadline = time.monotonic() + _PATIENCE
    while any(databases.clients(session, name) for name in names):
        if time.monotonic() >= deadline:
            return False
        for name in names:
            if order.terminate_sessions or name != order.database:
                databases.end_sessions(session, name)
        time.sleep(0.05)
    return True


def _give_up(order: RestoreRequest, copy: str) -> str:
    """Open the live database and drop the copy, over another session: the first may be broken."""
    deadline = time.monotonic() + _REOPENING
    while True:
        try:
            return _put_back(order, copy)
        except UnreachableError:
            if time.monotonic() >= deadline:
                return (
                    f"The server cannot be reached, so database {order.database!r} may still be closed "
                    f"and {copy!r} may be left: run this again to fix both."
                )
            time.sleep(1)
        except (DeployError, SqlError) as exc:
            return (
                f"Database {order.database!r} may still be closed to new connections and {copy!r} may be "
                f"left ({exc}): run this again, or open it with ALTER DATABASE … ALLOW_CONNECTIONS true."
            )


def _put_back(order: RestoreRequest, copy: str) -> str:
    with databases.administering(order.control) as session:
        standing = databases.observe(session, (0, ""), order.database)
        if standing.get(copy) is None and _is_retained(standing.databases, order):
            return (
                f"But the restored database serves as {order.database!r}: only the answer to the "
                "renaming was lost. Run this again to check."
            )
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true", order.database)
        with suppress(SqlError):
            databases.drop(session, copy)
        left = [database.name for database in databases.observe(session, (0, ""), copy).databases]
    ending = f"{copy!r} is left, a rerun drops it" if copy in left else "no copy is left"
    return f"Database {order.database!r} serves as before and {ending}."


def _is_retained(listed: t.Iterable[ServerDatabase], order: RestoreRequest) -> bool:
    marks = (database.mark for database in listed)
    return any(m and m.kind == "failed" and m.request == order.request for m in marks)
