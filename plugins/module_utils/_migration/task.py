# SPDX-License-Identifier: GPL-3.0-or-later
"""One task that applies a folder of migration files, whichever table keeps their history."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._lock.check import Check, lock_check
from .._module import Module, Result, emit_progress, refuse_below
from .._postgres import PostgresTarget
from . import supabase_folder, supabase_history
from .execution import session_role
from .file_deploy import SupabaseRequest, migrate, predict
from .file_history import History
from .guard.options import Guard
from .runner import LockRetries
from .session import BlockerMonitor, Limits, migrating, watching
from .supabase_folder import Folder, Migration


@dataclass(frozen=True)
class Kind:
    """Those of the Supabase CLI, unless it says otherwise."""

    read_folder: t.Callable[[str], Folder] = supabase_folder.read_folder
    history: History = supabase_history
    problems_of: t.Callable[[Migration], t.Iterable[str]] = supabase_folder.problems_of
    named: str = "<digits>_<name>.sql"
    role_of: t.Callable[[str], str | None] = session_role


def apply_files(module: Module, kind: Kind) -> Result:
    params = module.params
    refuse_below(
        params, lock_timeout=0, statement_timeout=0, advisory_lock_timeout=0, lock_retries=0
    )
    folder = kind.read_folder(params["directory"])
    target = PostgresTarget.from_params(params)
    order = to_order(params, folder, kind, target.where, lock_check(module))
    with migrating(target) as session:
        if module.check_mode:
            outcome = predict(session, order)
        else:
            with watching(target, session) as watch:
                outcome = migrate(session, order, to_retries(module, watch))
    for warning in outcome.warnings:
        module.warn(warning)
    if folder.skipped:
        module.warn(
            f"Skipped, not named like a migration ({kind.named}): {', '.join(folder.skipped)}."
        )
    result = {**outcome.to_result(), "passed_over": list(folder.skipped)}
    if module._diff:
        result["diff"] = outcome.plan.to_diff()
    return result


def to_order(
    params: t.Mapping[str, t.Any],
    folder: Folder,
    kind: Kind,
    where: str,
    check_lock: Check,
) -> SupabaseRequest:
    return SupabaseRequest(
        local=tuple(Migration(file) for file in folder.files),
        expect_tables=tuple(params["expect_tables"]),
        refuse_drift=params["drift"] == "fail",
        include_all=params["include_all"],
        limits=Limits(params["lock_timeout"], params["statement_timeout"]),
        guard=Guard.from_params(params, [file.file for file in folder.files]),
        advisory_lock_timeout=params["advisory_lock_timeout"],
        role=kind.role_of(params["login_user"]),
        where=where,
        history=kind.history,
        problems_of=kind.problems_of,
        check_lock=check_lock,
    )


def to_retries(module: Module, watch: BlockerMonitor) -> LockRetries:
    return LockRetries(
        count=module.params["lock_retries"],
        watch=watch,
        report=lambda *told: emit_progress(module, *told),
    )
