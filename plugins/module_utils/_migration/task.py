# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of migrations, by one of three engines: the Supabase CLI's files, plain SQL as Flyway's, or Prisma's."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._lock.fence import lock_check
from .._module import Module, Result, emit_progress, refuse_below
from .._postgres import PostgresTarget, Session
from . import file_deploy, prisma_deploy, supabase_folder, supabase_history
from .execution import session_role
from .file_history import History
from .guard.options import Guard
from .prisma_folder import PrismaMigration, stray_files
from .prisma_generator import Generator
from .prisma_history import ADVISORY_LOCK, apply_resolve, plan_resolve, read_history, use_schema
from .runner import LockRetries, advisory_lock
from .session import Limits, migrating, refuse_read_only, watching
from .supabase_folder import Folder, Migration

Params = t.Mapping[str, t.Any]


class Plan(t.Protocol):
    def to_diff(self) -> dict[str, t.Any]: ...


class Outcome(t.Protocol):
    @property
    def plan(self) -> Plan: ...
    @property
    def warnings(self) -> list[str]: ...
    def to_result(self) -> dict[str, t.Any]: ...


def run_migrations(
    module: Module,
    target: PostgresTarget,
    predict: t.Callable[[Session], Outcome],
    migrate: t.Callable[[Session, LockRetries], Outcome],
    *,
    passed_over: t.Sequence[str],
    because: str,
) -> Result:
    """`passed_over` are files of the folder that are no migrations, in a warning that says why."""
    with migrating(target) as session:
        if module.check_mode:
            outcome = predict(session)
        else:
            with watching(target, session) as watch:
                retries = LockRetries(
                    count=module.params["lock_retries"],
                    watch=watch,
                    report=lambda *told: emit_progress(module, *told),
                )
                outcome = migrate(session, retries)
    for warning in outcome.warnings:
        module.warn(warning)
    if passed_over:
        module.warn(f"Skipped, {because}: {', '.join(passed_over)}.")
    result = {**outcome.to_result(), "passed_over": list(passed_over)}
    if module._diff:
        result["diff"] = outcome.plan.to_diff()
    return result


def common_request(module: Module, files: t.Sequence[str]) -> dict[str, t.Any]:
    """What each engine is asked for, as in the module's options."""
    params = module.params
    return {
        "refuse_drift": params["drift"] == "fail",
        "limits": Limits(params["lock_timeout"], params["statement_timeout"]),
        "guard": Guard.from_params(params, files),
        "advisory_lock_timeout": params["advisory_lock_timeout"],
        "check_lock": lock_check(module),
    }


@dataclass(frozen=True)
class Kind:
    """A folder of files. Those of the Supabase CLI, unless it says otherwise."""

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
    order = file_deploy.SupabaseRequest(
        local=tuple(Migration(file) for file in folder.files),
        expect_tables=tuple(params["expect_tables"]),
        include_all=params["include_all"],
        role=kind.role_of(params["login_user"]),
        where=target.where,
        history=kind.history,
        problems_of=kind.problems_of,
        **common_request(module, [file.file for file in folder.files]),
    )
    return run_migrations(
        module,
        target,
        lambda session: file_deploy.predict(session, order),
        lambda session, retries: file_deploy.migrate(session, order, retries),
        passed_over=folder.skipped,
        because=f"not named like a migration ({kind.named})",
    )


def apply_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    params = module.params
    schema, target = params["schema"], PostgresTarget.from_params(params)
    order = prisma_deploy.PrismaRequest(
        local=tuple(local),
        schema=schema,
        expect_tables=tuple(
            name if "." in name else f"{schema}.{name}" for name in params["expect_tables"]
        ),
        target=target,
        generator=to_generator(params) if params["generate_command"] else None,
        **common_request(module, [migration.file for migration in local]),
    )
    return run_migrations(
        module,
        target,
        lambda session: prisma_deploy.predict(session, order),
        lambda session, retries: prisma_deploy.migrate(session, order, retries),
        passed_over=stray_files(params["directory"]),
        because="because a migration is a folder with a migration.sql",
    )


def to_generator(params: Params) -> Generator:
    return Generator(
        argv=tuple(params["generate_command"]),
        directory=params["chdir"],
        timeout=params["command_timeout"],
        always=params["generate"] == "always",
    )


def resolve_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    """Settle in the history what a person says became of migrations."""
    params = module.params
    schema, asked = params["schema"], (params["migrations"], params["resolution"])
    target = PostgresTarget.from_params(params)
    check_lock = lock_check(module)
    with migrating(target) as session:
        table = use_schema(session, schema)
        history = read_history(session, schema, table)
        plan = plan_resolve(history, local, *asked)
        if plan.changed:
            refuse_read_only(session, target.where)
        if plan.changed and not module.check_mode:
            with advisory_lock(session, ADVISORY_LOCK, timeout=params["advisory_lock_timeout"]):
                # What we saw before we held the lock may be old by now.
                history = read_history(session, schema, table)
                plan = plan_resolve(history, local, *asked)
                check_lock()
                apply_resolve(session, table, plan, exists=history.exists)
            history = read_history(session, schema, table)
    for warning in plan.warnings:
        module.warn(warning)
    result = {
        "changed": plan.changed,
        "resolved": [each.name for each in plan.settlements],
        "versions": history.applied,
    }
    if module._diff:
        result["diff"] = plan.to_diff()
    return result
