# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of migrations: the Supabase CLI's files, plain SQL as Flyway's, or Prisma's folders."""

from __future__ import annotations

import typing as t
from contextlib import nullcontext
from pathlib import Path

from .._errors import InputError
from .._lock.apply import lock_check
from .._module import Module, Result, refuse_below
from .._postgres import PostgresTarget
from .deploy import Engine, MigrationDeployment, advisory_wait, read_waivers
from .execution import session_role
from .flyway import FlywayFiles, is_version
from .models import Migration, MigrationPlan
from .prisma_deploy import PrismaEngine, generate
from .prisma_history import (
    ADVISORY_LOCK,
    PrismaMigration,
    apply_resolve,
    describe_status,
    plan_resolve,
    read_folder,
    read_history,
    use_schema,
)
from .runner import advisory_lock, migrating, refuse_read_only
from .supabase import SupabaseFiles

_LIMITS = ("lock_timeout", "statement_timeout", "advisory_lock_timeout", "command_timeout")


def migrate(module: Module) -> Result:
    params = module.params
    below = {name: 0 for name in (*_LIMITS, "lock_retries") if params[name] is not None}
    refuse_below(params, **below)
    if params["kind"] == "prisma":
        return _PRISMA[params["state"]](module, read_folder(params["directory"]))
    if params["state"] != "applied":
        raise InputError(f"Option 'state' is {params['state']!r}, which is only for kind 'prisma'.")
    return apply_files(module)


def run_migrations(
    module: Module,
    engine: Engine,
    files: t.Sequence[Migration],
    tables: t.Sequence[str],
    *,
    passed_over: t.Sequence[str],
    because: str,
    finish: t.Callable[[MigrationPlan], Result] = lambda _plan: {},
) -> Result:
    """`passed_over` are files of the folder that are no migrations, in a warning that says why."""
    target = PostgresTarget.from_params(module.params)
    waivers = read_waivers(module.params, [migration.file for migration in files])
    check_lock = lock_check(module)
    deployment = MigrationDeployment(module, engine, target, tables, waivers, check_lock)
    result = deployment.run(finish)
    if passed_over:
        module.warn(f"Skipped, {because}: {', '.join(passed_over)}.")
    return {**result, "passed_over": list(passed_over)}


def apply_files(module: Module) -> Result:
    params = module.params
    directory, include_all = params["directory"], params["include_all"]
    if params["kind"] == "supabase":
        role = session_role(PostgresTarget.from_params(params).user)
        engine = SupabaseFiles(directory, include_all=include_all, role=role)
    else:
        baseline = params["baseline"] or ""
        if baseline and not is_version(baseline):
            raise InputError(
                f"Option 'baseline' is {baseline!r}: give a version, as '41' or '1.2'."
            )
        baseline = baseline.replace("_", ".")
        engine = FlywayFiles(directory, include_all=include_all, baseline=baseline)
    return run_migrations(
        module,
        engine,
        engine.folder.files,
        params["expect_tables"],
        passed_over=engine.folder.skipped,
        because=f"not named like a migration ({engine.NAMED})",
    )


def apply_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    params = module.params
    schema = params["schema"]
    return run_migrations(
        module,
        PrismaEngine(local, schema),
        local,
        [name if "." in name else f"{schema}.{name}" for name in params["expect_tables"]],
        passed_over=sorted(
            path.name for path in Path(params["directory"]).glob("*.sql") if path.is_file()
        ),
        because="because a migration is a folder with a migration.sql",
        finish=lambda plan: generate(module, plan),
    )


def describe_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    params = module.params
    with migrating(PostgresTarget.from_params(params)) as session:
        history = read_history(session, params["schema"])
    return {"changed": False, "history": describe_status(history, local)}


def resolve_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    """Settle in the history what a person decided on migrations."""
    params = module.params
    schema, resolution = params["schema"], params["resolution"]
    target = PostgresTarget.from_params(params)
    check_lock = lock_check(module)
    with migrating(target) as session:
        lock = advisory_lock(session, ADVISORY_LOCK, timeout=advisory_wait(params))
        with nullcontext() if module.check_mode else lock:
            history = read_history(session, schema)
            settled, warnings = plan_resolve(history, local, params["migrations"], resolution)
            if settled:
                refuse_read_only(session, target.where)
            if settled and not module.check_mode:
                check_lock()
                applied = local if resolution == "applied" else []
                table = use_schema(session, schema)
                apply_resolve(session, table, settled, applied, exists=history.exists)
                history = read_history(session, schema)
    for warning in warnings:
        module.warn(warning)
    result = {
        "changed": bool(settled),
        "resolved": [*settled],
        "versions": history.applied,
    }
    if module._diff:
        before = "".join(f"{name}: {was}\n" for name, was in settled.items())
        after = "".join(f"{name}: {resolution.replace('_', ' ')}\n" for name in settled)
        result["diff"] = {"before": before, "after": after}
    return result


_PRISMA: t.Final = {
    "applied": apply_prisma,
    "resolved": resolve_prisma,
    "described": describe_prisma,
}
