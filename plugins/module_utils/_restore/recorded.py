# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore by the record of a release: which backup, whether it was done already, and what was done."""

from __future__ import annotations

import hashlib
import typing as t

from .._backup.catalog import read_catalog
from .._cluster import MonotonicClock
from .._errors import DeployError, InputError
from .._kubernetes import cluster_elsewhere
from .._module import Module, Result, with_options
from .._release.record import Record
from .._release.store import ReleaseStore
from .._release.task import change_record, plain
from .._s3 import S3Bucket
from .._time import utc_now
from .apply import carry_out
from .plan import newest_in_words

Params = t.Mapping[str, t.Any]


def restore_recorded(module: Module) -> Result:
    """One task. Raises DeployError before anything is touched, without an approval or a backup."""
    params = module.params
    refuse_unapproved(by=params["approved_by"], reason=params["reason"])
    store = ReleaseStore(cluster_elsewhere(module), params["release"], clock=MonotonicClock())
    record = store.read()
    key = params["key"] or _backup_of(record, params)
    words = (key, params["approved_by"], params["reason"])
    request = hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
    done = _known(record, params["name"]).get(request, {})
    if "live" in done:
        return {
            "changed": False,
            "method": params["method"],
            "request": request,
            "live": done["live"],
            "kept": done["kept"],
            "backup": {},
            "rights_compared": 0,
            **{name: [] for name in ("rows", "dropped", "left_out", "rights_given_back", "steps")},
        }
    result = carry_out(with_options(module, {"key": key, "request": request}))
    if not module.check_mode:
        _record(store, params, key, result)
    elif result["left_out"]:
        module.warn(f"{params['name']} does not restore: {'; '.join(result['left_out'])}.")
    return result


def refuse_unapproved(*, by: str | None, reason: str | None) -> None:
    """By the words of a command line: who approved it, and why."""
    words = (("by='NAME'", by), ("reason='WHY'", reason))
    added = [f'-e "{word}"' for word, given in words if not (given or "").strip()]
    if added:
        # No wrong input: what was typed stays, and more is added.
        raise DeployError(
            "A restore loses everything written since the backup, so it needs the engineering lead's approval "
            f"and a reason. Nothing was touched. Add {' '.join(added)}.",
            reason="NotApproved",
        )


def _backup_of(record: Record | None, params: Params) -> str:
    """That from before the release's first migration, or the newest one if no migration ran."""
    body = record.body if record else {}
    points = body.get("facts", {}).get("restore_points", {})
    for known in (points, body.get("backups", {})):
        if key := known.get(params["name"], {}).get("key"):
            return str(key)
    why = (
        "it was never backed up for this release"
        if record
        else "the cluster has no record of this release"
    )
    catalog = read_catalog(
        S3Bucket.from_params(params), prefix=params["prefix"], name=params["name"]
    )
    raise InputError(
        f"The record of release {params['release']} has no backup of {params['name']}, and nothing was touched: "
        f"{why}. Set the key of one in the host variable database_restore_key. {newest_in_words(catalog.backups)}"
    )


def _known(record: Record | None, name: str) -> t.Mapping[str, t.Any]:
    """The restores of this database, by request."""
    facts = record.body.get("facts", {}) if record else {}
    return t.cast("t.Mapping[str, t.Any]", facts.get("database_restores", {}).get(name, {}))


def _record(store: ReleaseStore, params: Params, key: str, result: Result) -> None:
    name, approved_by, reason = params["name"], params["approved_by"], params["reason"]
    before = params["checked"].get("rows") or result["rows"]
    entry = {
        "approved_by": approved_by,
        "reason": reason,
        "backup": key,
        "method": result["method"],
        "live": result["live"],
        "kept": result["kept"] or params["failed_data"],
        "rows_before": {row["table"]: row["before"] for row in before},
        "rights_compared": result["rights_compared"],
        "rights_given_back": result["rights_given_back"],
        "rows_after": {row["table"]: row["after"] for row in result["rows"]},
        "recorded": utc_now(),
    }
    change_record(
        store,
        facts=plain({"database_restores": {name: {result["request"]: entry}}}),
        notes=(f"{name} was restored from {key}, approved by {approved_by}: {reason}",),
    )
