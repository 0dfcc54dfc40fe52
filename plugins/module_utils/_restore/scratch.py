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
from .models import Database, Done, RestoreRequest, ServerStatus
from .plan import is_scratch
from .programs import Report, restore_into
from .selection import extensions_of, select_for_scratch
from .status import settling
from .swap import inspect

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .._postgres import Session
    from .contents import Dump
    from .selection import Selection


def restore_scratch(
    session: Session, order: RestoreRequest, origin: Database | None, dump: Dump, report: Report
) -> Done:
    """`origin` is the database that was backed up, when this server has it: the scratch one sorts as it does."""
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
    return Done(
        counted=counted,
        expected=selection.expected(order.backup.manifest.rows) if selection else None,
        left_out=selection.left_out if selection else (),
    )


def _select(order: RestoreRequest, lines: Sequence[str]) -> Selection | None:
    """What can be restored into the new database; None for all of it."""
    with databases.administering(order.target) as session:
        impossible, configured = try_extensions(session, extensions_of(lines))
        if is_superuser(session):
            refuse_impossible(impossible, order)
            return None
        return select_for_scratch(lines, roles_of(session), impossible, configured)


@contextmanager
def _telling(selection: Selection | None) -> Iterator[None]:
    """What was left out may be what is missed."""
    try:
        yield
    except RefusedError as exc:
        if selection is None or not selection.left_out:
            raise
        told = "; ".join(selection.left_out)
        raise RefusedError(
            f"{exc} Left out, since the user may not make them: {told}.", **exc.details
        ) from exc


def refuse_impossible(impossible: Mapping[str, str], order: RestoreRequest) -> None:
    if impossible:
        told = "; ".join(f"{name}: {why}" for name, why in sorted(impossible.items()))
        raise RefusedError(
            f"{order.target.host} cannot make an extension that {order.backup.uri} needs "
            f"({told}): install it, or use another server."
        )


def find_scratch(standing: ServerStatus, database: str) -> Database | None:
    """The one to drop; one that no restore made is refused."""
    found = standing.get(database)
    if found is not None and not is_scratch(found):
        raise ConflictError(
            f"Database {database!r} is not a scratch database of ours: it is not dropped."
        )
    return found


def drop_scratch(session: Session, found: Database, *, terminate_sessions: bool) -> None:
    connected = [] if terminate_sessions else databases.clients(session, found.name)
    if connected:
        raise ConflictError(
            f"Scratch database {found.name!r} is in use by {databases.names(connected)}: it is not dropped. "
            "Wait for them, or set 'terminate_sessions'."
        )
    databases.drop(session, found.name)


def _give_up(order: RestoreRequest) -> str:
    with suppress(DeployError, SqlError), databases.administering(order.control) as session:
        databases.drop(session, order.database)
        return f"No other database was touched, and {order.database!r} was dropped."
    return f"No other database was touched; a rerun or state 'absent' drops {order.database!r}."
