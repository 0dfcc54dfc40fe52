# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore beside the live database: into a copy that then takes its place, or into a scratch database.

Both names are renamed or none, and the failed database stays. A failure always tells which database serves now.
"""

from __future__ import annotations

import time
import typing as t
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace

from .._backup.rights import DatabaseRights, ExpectedRights, give_back
from .._backup.tables import count_database, read_rights
from .._errors import DeployError, NotReadyError, RefusedError, UnreachableError
from .._postgres import Session, SqlError, transaction
from . import databases
from .models import RestoreOutcome, RestoreRequest, RightsCheck, ServerDatabase, unmarked
from .plan import refuse_other_rows
from .programs import restore_into
from .selection import (
    DumpSelection,
    expected_rights,
    extensions_of,
    is_superuser,
    roles_of,
    select_for_scratch,
    try_extensions,
)

Settle = t.Callable[[], str]


@contextmanager
def settling(settle: Settle) -> t.Iterator[None]:
    """When the block fails, `settle` puts things in order; its words end the sentence of the failure."""
    try:
        yield
    except (DeployError, SqlError) as exc:
        raise with_standing(exc, settle()) from exc
    except BaseException:
        settle()
        raise


def with_standing(exc: DeployError | SqlError, standing: str) -> DeployError:
    """The same failure with the state of the databases added."""
    if isinstance(exc, SqlError):
        return RefusedError(f"PostgreSQL refused: {exc}. {standing}", standing=standing)
    message = f"{exc}".rstrip()
    return type(exc)(
        f"{message} {standing}",
        **{**exc.details, "standing": exc.details.get("standing", standing)},
    )


@contextmanager
def adding(kind: type[DeployError], sentence: str, **details: t.Any) -> t.Iterator[None]:
    """Add the sentence to an error of this kind, and those details that it lacks."""
    try:
        yield
    except kind as exc:
        raise type(exc)(f"{exc} {sentence}", **{**details, **exc.details}) from exc


_ATTEMPTS = 3
_PATIENCE = 5.0
_REOPENING = 30.0


def swap(session: Session, order: RestoreRequest, live: ServerDatabase) -> RestoreOutcome:
    """`live` serves until the very end, and again if the end fails."""
    copy = order.copy
    with settling(lambda: _give_up(order)):
        databases.create(session, copy, replace(order.mark("copy"), whole=False), live)
        order.report(f"restoring {order.backup.uri} into {copy}")
        restore_into(order, copy, DumpSelection())
        counted, rights = inspect(order, copy, order.backup.manifest.rows)
        order.check_lock()
        order.report(f"putting it in the place of {order.database}")
        _switch(session, order, live)
    return RestoreOutcome(retained=order.retained, counted=counted, rights=rights)


def inspect(
    order: RestoreRequest, copy: str, expected: t.Mapping[str, int]
) -> tuple[dict[str, int], RightsCheck]:
    """Compare the rows and the rights, and give the planner its statistics."""
    with databases.administering(order.aimed_at(copy)) as inside:
        order.report("comparing the rows")
        counted = count_database(inside)
        refuse_other_rows(expected, counted, copy)
        order.report("comparing the rights")
        with transaction(inside):
            inside.execute("SET LOCAL search_path = pg_catalog")
            rights = check_rights(
                expected_rights(inside, order),
                read=lambda: read_rights(inside),
                execute=lambda statements: inside.execute("; ".join(statements)),
            )
        gather_statistics(inside, order)
    return counted, rights


def check_rights(
    expected: ExpectedRights | None,
    read: t.Callable[[], DatabaseRights],
    execute: t.Callable[[t.Sequence[str]], None],
) -> RightsCheck:
    """Compare the rights with those of the backup, and give back what differs."""
    if expected is None:
        return RightsCheck()
    given_back = give_back(expected, read, execute)
    return RightsCheck(expected.compared, given_back)


def gather_statistics(session: Session, order: RestoreRequest) -> None:
    """Give the planner its statistics, but for tables that cannot be read now: their foreign server may be away."""
    try:
        session.execute("ANALYZE")
    except SqlError:
        for (table,) in session.rows(_ANALYZED):
            try:
                session.execute(f"ANALYZE {table}")
            except SqlError as exc:
                order.report(f"no statistics of {table} for the planner: {exc.message}")


_ANALYZED = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' ORDER BY 1
"""


def _switch(session: Session, order: RestoreRequest, live: ServerDatabase) -> None:
    copy = order.copy
    with transaction(session):
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS false", live.name)
        databases.set_mark(session, copy, replace(order.mark("copy"), closed=True))
    for _attempt in range(_ATTEMPTS):
        if not _sessions_end(session, live.name, copy):
            break
        # Its sessions may have taken their time.
        order.check_lock()
        try:
            _rename(session, order, live)
        except SqlError as exc:
            if exc.sqlstate != databases.IN_USE:
                raise
        else:
            return
    holding = databases.clients(session, live.name) + databases.clients(session, copy)
    raise NotReadyError(
        f"{order.target.where} cannot be renamed because of open sessions or prepared "
        f"transactions: {', '.join(holding) or 'no client'}. End them, then run this again."
    )


def _rename(session: Session, order: RestoreRequest, live: ServerDatabase) -> None:
    """Rename both databases in one transaction."""
    copy, retained = order.copy, order.retained
    with transaction(session):
        databases.dress(session, copy, live)
        databases.change(session, "ALTER DATABASE %I RENAME TO %I", live.name, retained)
        databases.change(session, "ALTER DATABASE %I RENAME TO %I", copy, live.name)
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true", retained)
        databases.set_mark(session, retained, order.mark("failed"), unmarked(live.comment))


def _sessions_end(session: Session, *names: str) -> bool:
    """Whether the closed databases lost all sessions within `_PATIENCE`, which bounds the time without service."""
    deadline = time.monotonic() + _PATIENCE
    while any(databases.clients(session, name) for name in names):
        if time.monotonic() >= deadline:
            return False
        for name in names:
            databases.end_sessions(session, name)
        time.sleep(0.05)
    return True


def _give_up(order: RestoreRequest) -> str:
    """Open the live database and drop the copy, over another session: the first may be broken."""
    deadline = time.monotonic() + _REOPENING
    while True:
        try:
            return _put_back(order)
        except UnreachableError:
            if time.monotonic() >= deadline:
                return (
                    f"The server cannot be reached, so database {order.database!r} may still be closed "
                    f"and {order.copy!r} may be left: run this again to fix both."
                )
            time.sleep(1)
        except (DeployError, SqlError) as exc:
            return (
                f"Database {order.database!r} may still be closed to new connections and {order.copy!r} may be "
                f"left ({exc}): run this again, or open it with ALTER DATABASE … ALLOW_CONNECTIONS true."
            )


def _put_back(order: RestoreRequest) -> str:
    copy = order.copy
    with databases.administering(order.control) as session:
        standing = databases.observe(session, order.database)
        if standing.get(copy) is None and _is_retained(standing.databases, order):
            return (
                f"But the restored database serves as {order.database!r}: only the answer to the "
                "renaming was lost. Run this again to check."
            )
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true", order.database)
        with suppress(SqlError, RefusedError):
            databases.drop(session, order.aimed_at(copy))
        left = [database.name for database in databases.observe(session, copy).databases]
    ending = f"{copy!r} is left, a rerun drops it" if copy in left else "no copy is left"
    return f"Database {order.database!r} serves as before and {ending}."


def _is_retained(listed: t.Iterable[ServerDatabase], order: RestoreRequest) -> bool:
    marks = (database.mark for database in listed)
    return any(m and m.kind == "failed" and m.request == order.request for m in marks)


def restore_scratch(
    session: Session,
    order: RestoreRequest,
    origin: ServerDatabase | None,
    lines: t.Sequence[str],
) -> RestoreOutcome:
    """`origin`: the backed-up database, if this server has it. The scratch database gets its collation."""
    mark = order.mark("scratch")
    like = replace(origin, owner=order.target.user) if origin else None
    with settling(lambda: _drop_unfinished(order)):
        databases.create(session, order.database, replace(mark, whole=False), like)
        selection = _select(order, lines)
        expected = selection.expected(order.backup.manifest.rows)
        order.report(f"restoring {order.backup.uri} into {order.database}")
        left_out = "; ".join(selection.left_out)
        # One of them may be the cause of a failure.
        sentence = f"Left out, since the user may not make them: {left_out}."
        with adding(RefusedError, sentence) if left_out else nullcontext():
            restore_into(order, order.database, selection)
        counted, rights = inspect(order, order.database, expected)
        if origin is not None:
            databases.dress_settings(session, order.database, origin.name)
        databases.set_mark(session, order.database, mark)
    return RestoreOutcome(
        counted=counted, expected=expected, left_out=selection.left_out, rights=rights
    )


def _select(order: RestoreRequest, lines: t.Sequence[str]) -> DumpSelection:
    """The entries to restore into the new database."""
    with databases.administering(order.target) as session:
        impossible, configured = try_extensions(session, extensions_of(lines))
        if is_superuser(session):
            refuse_impossible(impossible, order)
            return DumpSelection()
        return select_for_scratch(lines, roles_of(session), impossible, configured)


def refuse_impossible(impossible: t.Mapping[str, str], order: RestoreRequest) -> None:
    if impossible:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(impossible.items()))
        raise RefusedError(
            f"{order.target.host} cannot make an extension that {order.backup.uri} needs "
            f"({reasons}): install it, or use another server."
        )


def _drop_unfinished(order: RestoreRequest) -> str:
    with suppress(DeployError, SqlError), databases.administering(order.control) as session:
        databases.drop(session, order.target)
        return f"No other database was touched, and {order.database!r} was dropped."
    return f"No other database was touched; a rerun or state 'absent' drops {order.database!r}."
