# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the server, plan, and carry out or predict one restore."""

from __future__ import annotations

import time
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from .._backup.tables import count_database
from .._errors import ConflictError, DeployError, UnreachableError
from .._postgres import SqlError, connected
from . import databases
from .contents import Dump, read_contents
from .ground import refuse_missing_extensions
from .in_place import restore_in_place, survey
from .models import Done, RestoreRequest
from .plan import RestorePlan, free_stamp, plan_restore, table_of_rows
from .scratch import drop_scratch, find_scratch, restore_scratch
from .selection import extensions_of
from .status import with_standing
from .swap import swap

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._postgres import PostgresTarget, Session
    from .._s3 import Bucket
    from .contents import Contents
    from .models import Database, ServerStatus
    from .programs import Report


_GOING = 1.0


@dataclass(frozen=True)
class RestoreResult:
    """A plan and, unless it was only predicted, what came of it."""

    order: RestoreRequest
    plan: RestorePlan
    done: Done
    before: Mapping[str, int] | None
    predicted: bool

    def to_result(self) -> dict[str, t.Any]:
        backup = self.order.backup
        return {
            "changed": self.plan.changed,
            "method": self.order.method,
            "request": self.order.request,
            "live": self.order.database,
            "kept": self.done.kept,
            "backup": {**backup.to_result(), "age": backup.age(datetime.now(UTC))},
            "rows": [asdict(one) for one in self._rows()],
            "dropped": list(self.done.dropped),
            "left_out": list(self.done.left_out),
            "steps": list(self.plan.steps),
        }

    def to_diff(self) -> dict[str, t.Any]:
        """Row counts before and after; what check mode says comes after is what the backup holds."""
        rows = self._rows()
        after = {one.table: one.backup if self.predicted else one.after for one in rows}
        before = {one.table: one.before for one in rows if one.before is not None}
        if not self.plan.steps:
            after = before
        return {"before": {"rows": before}, "after": {"rows": _present(after)}}

    def _rows(self) -> t.Sequence[t.Any]:
        """Of what is restored, and of what goes; tables of others stay as they are."""
        held = self.order.backup.manifest.rows
        expected = held if self.done.expected is None else self.done.expected
        before = self.before
        if before is not None:
            before = {one: n for one, n in before.items() if one in expected or one not in held}
        return table_of_rows(before, expected, self.done.counted)


def _present(rows: Mapping[str, int | None]) -> dict[str, int]:
    return {table: count for table, count in rows.items() if count is not None}


def predict(order: RestoreRequest, bucket: Bucket) -> RestoreResult:
    """What `restore` would do. Reads only."""
    with _looking(order) as (session, standing):
        order = at_free_names(order, standing)
        plan = plan_restore(order, standing)
        contents = read_contents(order, bucket) if plan.steps else None
        if contents is not None:
            _refuse_unfit(session, order, standing, contents)
        before = count_now(order, standing)
        done = _known(order, plan)
        live = standing.get(order.database)
        if contents is not None and order.method == "in_place" and live is not None:
            found = survey(order, contents, live)
            dropped = tuple(one.told for one in found.extras)
            done = Done("", None, dropped, found.expected(order), found.left_out)
        return RestoreResult(order, plan, done, before, predicted=True)


def restore(
    order: RestoreRequest, bucket: Bucket, report: Report, *, count_before: bool
) -> RestoreResult:
    """Bring the backup back, or see that this very request was carried out before."""
    with ExitStack() as held:
        with _beginning():
            session, _before = held.enter_context(_looking(order))
            held.enter_context(databases.only_one(session, order.database))
            # Looked at again under the lock: the run we waited for may have done it all.
            standing = _observe(session, order)
            order = at_free_names(order, standing)
            plan = plan_restore(order, standing)
            if plan.steps and order.method != "scratch":
                refuse_clients(session, order)
            contents = read_contents(order, bucket) if plan.steps else None
            if contents is not None:
                _refuse_unfit(session, order, standing, contents)
            before = count_now(order, standing) if count_before else None
            if plan.steps:
                order.check_lock()
            clear(session, order, plan)
        if contents is None:
            done = _known(order, plan)
        else:
            done = _carry_out(session, order, standing, Dump(bucket, contents), report)
        return RestoreResult(order, plan, done, before, predicted=False)


@contextmanager
def _beginning() -> Iterator[None]:
    """Until here nothing of the backup went anywhere."""
    try:
        yield
    except UnreachableError as exc:
        where = "This run had restored nothing yet and left the database as it was. Run it again."
        raise with_standing(exc, where) from exc


def at_free_names(order: RestoreRequest, standing: ServerStatus) -> RestoreRequest:
    taken = (found.name for found in standing.databases)
    return replace(order, stamp=free_stamp(order.now, order.database, taken))


def _refuse_unfit(
    session: Session, order: RestoreRequest, standing: ServerStatus, contents: Contents
) -> None:
    """What only the dump itself tells. A scratch database of who may make none of them does without extensions."""
    if order.method != "scratch" or standing.rights.superuser:
        refuse_missing_extensions(session, order, extensions_of(contents.lines))


def refuse_clients(session: Session, order: RestoreRequest) -> None:
    """When sessions are not to be ended, there must be none. One that has just closed is gone in a moment."""
    if order.terminate_sessions:
        return
    deadline = time.monotonic() + _GOING
    while connected_now := databases.clients(session, order.database):
        if time.monotonic() >= deadline:
            raise ConflictError(
                f"{order.target.where} is in use by {databases.names(connected_now)}: end them, "
                "or set 'terminate_sessions'. Nothing was touched."
            )
        time.sleep(0.05)


def clear(session: Session, order: RestoreRequest, plan: RestorePlan) -> None:
    """Put right what a run that died has left."""
    if plan.reopen:
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true", order.database)
    for left in plan.leftovers:
        if left.mark and left.mark.kind == "scratch":
            drop_scratch(session, left, terminate_sessions=order.terminate_sessions)
        else:
            databases.drop(session, left.name)


def _carry_out(
    session: Session, order: RestoreRequest, standing: ServerStatus, dump: Dump, report: Report
) -> Done:
    if order.method == "scratch":
        origin = standing.get(order.backup.manifest.database)
        return restore_scratch(session, order, origin, dump, report)
    live = t.cast("Database", standing.get(order.database))
    if order.method == "swap":
        return swap(session, order, live, dump.bucket, report)
    return restore_in_place(session, order, live, dump, report)


def _known(order: RestoreRequest, plan: RestorePlan) -> Done:
    """What an earlier run of this very request has left."""
    found = plan.done.name if plan.done else order.database
    return Done(kept="" if found == order.database else found)


def drop(
    target: PostgresTarget,
    control: PostgresTarget,
    *,
    terminate_sessions: bool,
    check_mode: bool,
) -> bool:
    """Drop a scratch database; False when there is none."""
    with databases.administering(control) as session:
        standing = databases.observe(session, (0, ""), target.database)
        found = find_scratch(standing, target.database)
        if found is not None and not check_mode:
            with databases.only_one(session, target.database):
                drop_scratch(session, found, terminate_sessions=terminate_sessions)
        return found is not None


def count_now(order: RestoreRequest, standing: ServerStatus) -> dict[str, int] | None:
    """The rows there are now, if they can be counted: a database to be restored may be broken or locked."""
    found = standing.get(order.database)
    if found is None:
        return {}
    if not found.open:
        return None
    try:
        with connected(order.target, application_name=databases.APPLICATION) as session:
            session.execute("SET lock_timeout = '1s'")
            return count_database(session)
    except (DeployError, SqlError):
        return None


@contextmanager
def _looking(order: RestoreRequest) -> Iterator[tuple[Session, ServerStatus]]:
    with databases.administering(order.control) as session:
        yield session, _observe(session, order)


def _observe(session: Session, order: RestoreRequest) -> ServerStatus:
    version = str(session.rows("SHOW server_version")[0][0]).split(maxsplit=1)[0]
    number = int(str(session.rows("SHOW server_version_num")[0][0]))
    return databases.observe(session, (number // 10000, version), order.database)
