# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a task's options into a request, look at the server, plan, and carry out or predict one restore."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from .._arguments import read_who_and_why
from .._backup import programs
from .._backup.catalog import read_catalog
from .._backup.plan import Backup
from .._backup.tables import count_database
from .._errors import DeployError, InputError, UnreachableError
from .._lock.apply import Check, lock_check, no_check
from .._module import Module, Result, emit_progress, refuse_below
from .._postgres import PostgresTarget, Session, SqlError, connected
from .._s3 import S3Bucket
from . import databases
from .contents import DumpEntries, read_contents
from .in_place import restore_in_place, survey
from .models import NAME_LIMIT, RestoreOutcome, RestoreRequest, ServerDatabase, ServerStatus
from .plan import RestorePlan, choose_backup, default_request, find_scratch, plan_restore
from .selection import extensions_of, refuse_missing_extensions
from .swap import adding, restore_scratch, swap

Params = t.Mapping[str, t.Any]
_SECOND_DOOR = "template1"
_UNTOUCHED = "This run had restored nothing yet and left the database as it was. Run it again."
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


def place_order(
    params: Params,
    bucket: S3Bucket,
    backup: Backup,
    report: t.Callable[[str], None],
    check_lock: Check = no_check,
) -> RestoreRequest:
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
        bucket=bucket,
        backup=backup,
        request=params["request"] or default_request(backup.manifest.key, approved_by, reason),
        approved_by=approved_by,
        reason=reason,
        now=now,
        pg_restore=pg_restore,
        psql=psql,
        timeout=params["timeout"],
        keep_owners=params["owners"] == "keep",
        report=report,
        check_lock=check_lock,
    )


def _result(
    order: RestoreRequest,
    plan: RestorePlan,
    done: RestoreOutcome,
    before: t.Mapping[str, int] | None,
    *,
    predicted: bool,
) -> Result:
    """The task's result, with the rows before and after as its diff. Predicted ones after are the backup's."""
    backup, held = order.backup, order.backup.manifest.rows
    expected = held if done.expected is None else done.expected
    # Without those of other roles, which stay.
    ours = {name: n for name, n in (before or {}).items() if name in expected or name not in held}
    counted = done.counted or {}
    rows = [
        {
            "table": table,
            "before": ours.get(table),
            "backup": expected.get(table),
            "after": counted.get(table),
        }
        for table in sorted({*ours, *expected, *counted})
    ]
    after = expected if predicted else counted
    return {
        "changed": plan.changed,
        "method": order.method,
        "request": order.request,
        "live": order.database,
        "kept": done.retained,
        "backup": {**backup.to_result(), "age": backup.age(datetime.now(UTC))},
        "rows": rows,
        "dropped": list(done.dropped),
        "left_out": list(done.left_out),
        "rights_compared": done.rights.compared,
        "rights_given_back": list(done.rights.given_back),
        "diff": {"before": {"rows": ours}, "after": {"rows": ours if plan.done else after}},
    }


def restore(order: RestoreRequest, *, count_before: bool, predicted: bool) -> Result:
    """Bring the backup back, or see that this very request was carried out before; `predicted` only reads.

    The outcome is the same, but for the rows that are counted afterwards.
    """
    with ExitStack() as held:
        unreached = adding(UnreachableError, _UNTOUCHED, standing=_UNTOUCHED)
        with nullcontext() if predicted else unreached:
            session = held.enter_context(databases.administering(order.control))
            if not predicted:
                held.enter_context(databases.only_one(session, order.database))
            # Observed under the lock: the run that held it may have done it all.
            standing = databases.observe(session, order.database)
            plan = plan_restore(order, standing)
            contents = None if plan.done else read_contents(order)
            if contents is not None:
                _refuse_unfit(session, order, standing, contents)
            before = count_now(order, standing) if count_before else None
            if not predicted:
                if not plan.done:
                    order.check_lock()
                clear(session, order, plan)
        done, live = _known(order, plan), standing.get(order.database)
        if contents is not None and not predicted:
            done = _carry_out(session, order, standing, contents)
        elif contents is not None and order.method == "in_place" and live is not None:
            done = survey(order, contents, live).outcome()
        return _result(order, plan, done, before, predicted=predicted)


def _refuse_unfit(
    session: Session, order: RestoreRequest, standing: ServerStatus, contents: DumpEntries
) -> None:
    """Refuse missing extensions. A scratch database of a user without the right to create them goes without."""
    if order.method != "scratch" or standing.rights.superuser:
        refuse_missing_extensions(session, order, extensions_of(contents.lines))


def clear(session: Session, order: RestoreRequest, plan: RestorePlan) -> None:
    """Remove the remains of a run that died."""
    if plan.reopen:
        databases.change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true", order.database)
    for left in plan.leftovers:
        databases.drop(session, order.aimed_at(left.name))


def _carry_out(
    session: Session, order: RestoreRequest, standing: ServerStatus, contents: DumpEntries
) -> RestoreOutcome:
    if order.method == "scratch":
        origin = standing.get(order.backup.manifest.database)
        return restore_scratch(session, order, origin, contents.lines)
    live = t.cast("ServerDatabase", standing.get(order.database))
    if order.method == "swap":
        return swap(session, order, live)
    return restore_in_place(session, order, survey(order, contents, live))


def _known(order: RestoreRequest, plan: RestorePlan) -> RestoreOutcome:
    """The outcome of an earlier run of this very request."""
    serving = plan.done.name if plan.done else order.database
    return RestoreOutcome(retained="" if serving == order.database else serving)


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


def carry_out(module: Module) -> Result:
    """One task of pg_restore: bring a backup back, or drop a scratch database."""
    refuse_bad_input(module.params)
    return _drop_scratch(module) if module.params["state"] == "absent" else _restore_backup(module)


def _restore_backup(module: Module) -> Result:
    params, database = module.params, module.params["login_db"]

    def report(text: str) -> None:
        emit_progress(module, "RestoreProgress", f"{database}: {text}", {"database": database})

    bucket = S3Bucket.from_params(params)
    bucket.check()
    check = lock_check(module, patience=PATIENCE)
    order = place_order(params, bucket, find_backup(params, bucket), report, check)
    count_before = module.check_mode or module._diff
    result = restore(order, count_before=count_before, predicted=module.check_mode)
    if order.restores_owners and not order.backup.manifest.rights:
        module.warn(
            f"{order.backup.uri} was taken by an older version and does not say who owned what and who might do what: "
            f"compare owners, grants and row security of {database} by hand."
        )
    return result


def _drop_scratch(module: Module) -> Result:
    target = PostgresTarget.from_params(module.params)
    name = target.database
    with databases.administering(control_target(module.params)) as session:
        scratch = find_scratch(databases.observe(session, name), name)
        if scratch is not None and not module.check_mode:
            with databases.only_one(session, name):
                databases.drop(session, target)
    changed = scratch is not None
    before = {"databases": [name] if changed else []}
    diff = {"before": before, "after": {"databases": []}}
    return {"changed": changed, "method": "scratch", "live": "", "kept": "", "diff": diff}
