# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of pg_restore: bring a backup back, or drop a scratch database."""

from __future__ import annotations

from .._lock.apply import lock_check
from .._module import Module, Result, emit_progress
from .._postgres import PostgresTarget
from .._s3 import S3Bucket
from .apply import (
    control_target,
    drop,
    find_backup,
    place_order,
    predict,
    refuse_bad_input,
    restore,
)

PATIENCE = 600.0
"""Seconds for which the deploy lock is asked for: what fills a database may have taken an hour."""


def carry_out(module: Module) -> Result:
    refuse_bad_input(module.params)
    return _absent(module) if module.params["state"] == "absent" else _present(module)


def _present(module: Module) -> Result:
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


def _absent(module: Module) -> Result:
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
