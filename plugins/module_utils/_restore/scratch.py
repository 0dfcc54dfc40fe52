# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore into a database made for that alone, and drop it when it has served."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager, suppress
from dataclasses import replace

from .._errors import ConflictError, DeployError, RefusedError
from .._postgres import SqlError
from . import databases
from .ground import is_superuser, roles_of, try_extensions
from .models import RestoreOutcome, RestoreRequest, ServerDatabase, ServerStatus
from .plan import is_scratch
from .programs import Report, restore_into
from .selection import extensions_of, select_for_scratch
from .status import settling
from .swap import inspect

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._postgres import Session
    from .contents import Dump
    from .selection import DumpSelection


def restore_scratch(
    session: Session,
    order: RestoreRequest,
    origin: ServerDatabase | None,
    dump: Dump,
    report: Report,
) -> RestoreOutcome:
    """`origin`: the backed-up database, if this server has it. The scratch database gets its collation."""
    mark = order.mark("scratch")
    like = replace(origin, owner=order.target.user) if origin else None
    with settling(lambda: _give_up(order)):
        databases.create(session, order.database, replace(mark, whole=False), like)
        selection = _select(order, dump.contents.lines)
        report(f"restoring {order.backup.uri} into {order.database}")
        with _telling(selection):
            restore_into(order, dump.bucket, order.database, report, selection)
        counted = inspect(order, order.database, selection)
        if origin is not None:
            databases.dress_settings(session, order.database, origin.name)
        databases.set_mark(session, order.database, mark)
    return RestoreOutcome(
        counted=counted,
        expected=selection.expected(order.backup.manifest.rows) if selection else None,
        left_out=selection.left_out if selection else (),
    )


def _select(order: RestoreRequest, lines: Sequence[str]) -> DumpSelection | None:
    """The entries to restore into the new database; None for all."""
    with databases.administering(order.target) as session:
        impossible, configured = try_extensions(session, extensions_of(lines))
        if is_superuser(session):
            refuse_impossible(impossible, order)
            return None
        return select_for_scratch(lines, roles_of(session), impossible, configured)


@contextmanager
def _telling(selection: DumpSelection | None) -> Iterator[None]:
    """Add the left-out entries to a RefusedError: one of them may be its cause."""
    try:
        yield
    except RefusedError as exc:
        if selection is None or not selection.left_out:
            raise
        left_out = "; ".join(selection.left_out)
        raise RefusedError(
            f"{exc} Left out, since the user may not make them: {left_out}.", **exc.details
        ) from exc


def refuse_impossible(impossible: Mapping[str, str], order: RestoreRequest) -> None:
    if impossible:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(impossible.items()))
        raise RefusedError(
            f"{order.target.host} cannot make an extension that {order.backup.uri} needs "
            f"({reasons}): install it, or use another server."
        )


def find_scratch(standing: ServerStatus, database: str) -> ServerDatabase | None:
    """The scratch database; None without it. Refuses a database that no restore created."""
    scratch = standing.get(database)
    if scratch is not None and not is_scratch(scratch):
        raise ConflictError(
            f"Database {database!r} is not a scratch database of ours: it is not dropped."
        )
    return scratch


def drop_scratch(session: Session, scratch: ServerDatabase, *, terminate_sessions: bool) -> None:
    connected = [] if terminate_sessions else databases.clients(session, scratch.name)
    if connected:
        raise ConflictError(
            f"Scratch database {scratch.name!r} is in use by {databases.names(connected)}: it is not dropped. "
            "Wait for them, or set 'terminate_sessions'."
        )
    databases.drop(session, scratch.name)


def _give_up(order: RestoreRequest) -> str:
    with suppress(DeployError, SqlError), databases.administering(order.control) as session:
        databases.drop(session, order.database)
        return f"No other database was touched, and {order.database!r} was dropped."
    return f"No other database was touched; a rerun or state 'absent' drops {order.database!r}."
