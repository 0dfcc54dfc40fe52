# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the task's options into a request: refuse invalid options, find the backup and the programs."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import UTC, datetime

from .._backup import programs
from .._backup.catalog import read_catalog
from .._errors import InputError
from .._lock.fence import Check, no_check
from .._module import refuse_below
from .._postgres import PostgresTarget
from .._user import read_who_and_why
from .models import RestoreRequest
from .plan import NAME_LIMIT, choose_backup, default_request

if t.TYPE_CHECKING:
    from .._backup.plan import Backup
    from .._s3 import Bucket

Params = t.Mapping[str, t.Any]
_SECOND_DOOR = "template1"


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
        read_who_and_why(restore_approved_by=params["approved_by"], restore_reason=params["reason"])


def control_target(params: Params) -> PostgresTarget:
    """Where to stand while the database itself is renamed or made; in place there is no need to stand elsewhere."""
    target = PostgresTarget.from_params(params)
    if params["method"] == "in_place":
        return target
    door = params["maintenance_db"]
    return replace(target, database=_SECOND_DOOR if door == target.database else door)


def find_backup(params: Params, bucket: Bucket) -> Backup:
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
