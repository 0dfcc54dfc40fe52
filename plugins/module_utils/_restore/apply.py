# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a task's options into a request, look at the server, plan, and carry out or predict one restore."""

from __future__ import annotations

import time
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from .._arguments import read_who_and_why
from .._backup import programs
from .._backup.catalog import read_catalog
from .._backup.tables import count_database
from .._errors import ConflictError, DeployError, InputError, UnreachableError
from .._lock.apply import Check, lock_check, no_check
from .._module import Module, Result, emit_progress, refuse_below
from .._postgres import PostgresTarget, SqlError, connected
from .._s3 import S3Bucket
from . import databases
from .contents import Dump, read_contents
from .in_place import restore_in_place, survey
from .models import RestoreOutcome, RestoreRequest
from .plan import (
    NAME_LIMIT,
    RestorePlan,
    choose_backup,
    default_request,
    free_stamp,
    plan_restore,
    table_of_rows,
)
from .selection import extensions_of, refuse_missing_extensions
from .swap import drop_scratch, find_scratch, restore_scratch, swap, with_standing

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._backup.plan import Backup
    from .._postgres import PostgresTarget, Session
    from .contents import DumpEntries
    from .models import ServerDatabase, ServerStatus
    from .programs import Report


Params = t.Mapping[str, t.Any]
_SECOND_DOOR = "template1"
PATIENCE = 600.0
"""Seconds for which the deploy lock is asked for: what fills a database may have taken an hour."""


def refuse_bad_input(params: Params) -> None:
    refuse_below(params, timeout=1)
    if len(params["login_db"].encode()) > NAME_LIMIT:
        raise InputError(
            f"Option 'login_db' is longer than {NAME_LIMIT} bytes; PostgreSQL would cut it off."
        )
    if params["state"] == "absent":
        if params["method"] != "scratch":
            raise InputError("State 'absent' needs method 'scratch': nothing else is dropped.")
        return
    if not params["key"] and not (params["name"] and params["release"]):
        raise InputError("Which backup? Set 'key', or 'name' and 'release'.")
    if params["method"] != "scratch":
        read_who_and_why(by=params["approved_by"], reason=params["reason"])


def control_target(params: Params) -> PostgresTarget:
    """Where to stand while the database itself is renamed or made; in place there is no need to stand elsewhere."""
    target = PostgresTarget.from_params(params)
    if params["method"] == "in_place":
        return target
    door = params["maintenance_db"]
    return replace(target, database=_SECOND_DOOR if door == target.database else door)


def find_backup(params: Params, bucket: S3Bucket) -> Backup:
    prefix, name, key = params["prefix"], params["name"], params["key"]
    if key:
        # Only this key's manifest is read; its name ends in a date, a time and a random part.
        folder, slash, file = key.rpartition("/")
        prefix, name = folder + slash, file.rsplit("_", 3)[0]
    return choose_backup(
        read_catalog(bucket, prefix=prefix, name=name).backups,
        name=name,
        release=params["release"],
        key=key,
        where=f"s3://{bucket.name}/{prefix}",
    )


def place_order(params: Params, backup: Backup, check_lock: Check = no_check) -> RestoreRequest:
    now = datetime.now(UTC)
    approved_by, reason = (params["approved_by"] or "").strip(), (params["reason"] or "").strip()
    pg_restore = programs.find(params["pg_restore"], "pg_restore")
    # Only a restore in place has SQL to execute.
    in_place = params["method"] == "in_place"
    psql = programs.find(params["psql"], "psql") if in_place else pg_restore
    return RestoreRequest(
        method=params["method"],
        target=PostgresTarget.from_params(params),
        control=control_target(params),
        backup=backup,
        request=params["request"] or default_request(backup.manifest.key, approved_by, reason),
        approved_by=approved_by,
        reason=reason,
        now=now,
        stamp=f"{now:%Y%m%d_%H%M%S}",
        pg_restore=pg_restore,
        psql=psql,
        timeout=params["timeout"],
        terminate_sessions=params["terminate_sessions"],
        keep_owners=params["owners"] == "keep",
        check_lock=check_lock,
    )


_GOING = 1.0


@dataclass(frozen=True)
class RestoreResult:
    """A plan and its outcome; a predicted one in check mode."""

    order: RestoreRequest
    plan: RestorePlan
    done: RestoreOutcome
    before: Mapping[str, int] | None
    predicted: bool

    def to_result(self) -> dict[str, t.Any]:
        backup = self.order.backup
        return {
            "changed": self.plan.changed,
            "method": self.order.method,
            "request": self.order.request,
            "live": self.order.database,
            "kept": self.done.retained,
            "backup": {**backup.to_result(), "age": backup.age(datetime.now(UTC))},
            "rows": [asdict(table_rows) for table_rows in self._rows()],
            "dropped": list(self.done.dropped),
            "left_out": list(self.done.left_out),
            "steps": list(self.plan.steps),
        }

    def to_diff(self) -> dict[str, t.Any]:
        """Row counts before and after; in check mode the backup's counts come after."""
        rows = self._rows()
        after = {
            table_rows.table: table_rows.backup if self.predicted else table_rows.after
            for table_rows in rows
        }
        before = {
            table_rows.table: table_rows.before
            for table_rows in rows
            if table_rows.before is not None
        }
        if not self.plan.steps:
            after = before
        return {"before": {"rows": before}, "after": {"rows": _present(after)}}

    def _rows(self) -> t.Sequence[t.Any]:
        """Rows of restored and dropped tables, without those of other roles, which stay."""
        held = self.order.backup.manifest.rows
        expected = held if self.done.expected is None else self.done.expected
        before = self.before
        if before is not None:
            before = {
                table: n for table, n in before.items() if table in expected or table not in held
            }
        return table_of_rows(before, expected, self.done.counted)


def _present(rows: Mapping[str, int | None]) -> dict[str, int]:
    return {table: count for table, count in rows.items() if count is not None}


def predict(order: RestoreRequest, bucket: S3Bucket) -> RestoreResult:
    """The outcome that `restore` would have. Reads only."""
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
            overwrite = survey(order, contents, live)
            dropped = tuple(item.description for item in overwrite.extras)
            done = RestoreOutcome("", None, dropped, overwrite.expected(order), overwrite.left_out)
        return RestoreResult(order, plan, done, before, predicted=True)


def restore(
    order: RestoreRequest, bucket: S3Bucket, report: Report, *, count_before: bool
) -> RestoreResult:
    """Bring the backup back, or see that this very request was carried out before."""
    with ExitStack() as held:
        with _beginning():
            session, _before = held.enter_context(_looking(order))
            held.enter_context(databases.only_one(session, order.database))
            # Observed again under the lock: the run that held it may have done it all.
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
    """Add to an UnreachableError that nothing was restored yet."""
    try:
        yield
    except UnreachableError as exc:
        where = "This run had restored nothing yet and left the database as it was. Run it again."
        raise with_standing(exc, where) from exc


def at_free_names(order: RestoreRequest, standing: ServerStatus) -> RestoreRequest:
    taken = (database.name for database in standing.databases)
    return replace(order, stamp=free_stamp(order.now, order.database, taken))


def _refuse_unfit(
    session: Session, order: RestoreRequest, standing: ServerStatus, contents: DumpEntries
) -> None:
    """Refuse missing extensions. A scratch database of a user without the right to create them goes without."""
    if order.method != "scratch" or standing.rights.superuser:
        refuse_missing_extensions(session, order, extensions_of(contents.lines))


def refuse_clients(session: Session, order: RestoreRequest) -> None:
    """Refuse open sessions unless they may be ended. A session that just closed gets a moment to go."""
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
    """Remove the remains of a run that died."""
    if plan.reopen:
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true", order.database)
    for left in plan.leftovers:
        if left.mark and left.mark.kind == "scratch":
            drop_scratch(session, left, terminate_sessions=order.terminate_sessions)
        else:
            databases.drop(session, left.name)


def _carry_out(
    session: Session, order: RestoreRequest, standing: ServerStatus, dump: Dump, report: Report
) -> RestoreOutcome:
    if order.method == "scratch":
        origin = standing.get(order.backup.manifest.database)
        return restore_scratch(session, order, origin, dump, report)
    live = t.cast("ServerDatabase", standing.get(order.database))
    if order.method == "swap":
        return swap(session, order, live, dump.bucket, report)
    return restore_in_place(session, order, live, dump, report)


def _known(order: RestoreRequest, plan: RestorePlan) -> RestoreOutcome:
    """The outcome of an earlier run of this very request."""
    serving = plan.done.name if plan.done else order.database
    return RestoreOutcome(retained="" if serving == order.database else serving)


def drop(
    target: PostgresTarget, control: PostgresTarget, *, terminate_sessions: bool, check_mode: bool
) -> bool:
    """Drop a scratch database; False when there is none."""
    with databases.administering(control) as session:
        standing = databases.observe(session, (0, ""), target.database)
        scratch = find_scratch(standing, target.database)
        if scratch is not None and not check_mode:
            with databases.only_one(session, target.database):
                drop_scratch(session, scratch, terminate_sessions=terminate_sessions)
        return scratch is not None


def count_now(order: RestoreRequest, standing: ServerStatus) -> dict[str, int] | None:
    """The present rows; None if they cannot be counted: a database to restore may be broken or locked."""
    live = standing.get(order.database)
    if live is None:
        return {}
    if not live.open:
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


def carry_out(module: Module) -> Result:
    """One task of pg_restore: bring a backup back, or drop a scratch database."""
    refuse_bad_input(module.params)
    return _drop_scratch(module) if module.params["state"] == "absent" else _restore_backup(module)


def _restore_backup(module: Module) -> Result:
    bucket = S3Bucket.from_params(module.params)
    bucket.check()
    check = lock_check(module, patience=PATIENCE)
    order = place_order(module.params, find_backup(module.params, bucket), check)

    def report(text: str) -> None:
        emit_progress(
            module, "RestoreProgress", f"{order.database}: {text}", {"database": order.database}
        )

    outcome = (
        predict(order, bucket)
        if module.check_mode
        else restore(order, bucket, report, count_before=module._diff)
    )
    result = outcome.to_result()
    if module._diff:
        result["diff"] = outcome.to_diff()
    return result


def _drop_scratch(module: Module) -> Result:
    params = module.params
    changed = drop(
        PostgresTarget.from_params(params),
        control_target(params),
        terminate_sessions=params["terminate_sessions"],
        check_mode=module.check_mode,
    )
    result: Result = {"changed": changed, "method": "scratch", "live": "", "kept": ""}
    if module._diff:
        name = params["login_db"]
        result["diff"] = {
            "before": {"databases": [name] if changed else []},
            "after": {"databases": []},
        }
    return result
