# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of migrations: the Supabase CLI's files, plain SQL as Flyway's, or Prisma's folders."""

from __future__ import annotations

import typing as t
from contextlib import closing
from pathlib import Path

from .._errors import InputError
from .._lock.apply import lock_check
from .._module import Module, Result, emit_progress, refuse_below
from .._postgres import PostgresTarget
from . import deploy
from .deploy import DeployOutcome, DeployRequest, Engine, read_waivers
from .execution import session_role
from .flyway import FlywayFiles, is_version
from .models import Migration
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
from .runner import (
    BlockerMonitor,
    LockRetries,
    SessionTimeouts,
    advisory_lock,
    migrating,
    refuse_read_only,
)
from .supabase import SupabaseFiles

Params = t.Mapping[str, t.Any]

_LIMITS = ("lock_timeout", "statement_timeout", "advisory_lock_timeout", "command_timeout")
_PRISMA_WAITS = 10.0
_OTHERS_WAIT = 30.0


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
    tables: tuple[str, ...],
    *,
    passed_over: t.Sequence[str],
    because: str,
    finish: t.Callable[[DeployOutcome], dict[str, t.Any]] = lambda _outcome: {},
) -> Result:
    """`passed_over` are files of the folder that are no migrations, in a warning that says why.

    What `finish` does once all is applied and verified adds keys to the result.
    """
    params = module.params
    target = PostgresTarget.from_params(params)
    order = DeployRequest(
        expect_tables=tables,
        refuse_drift=params["drift"] == "fail",
        limits=SessionTimeouts(params["lock_timeout"], params["statement_timeout"]),
        additive_only=params["additive_only"],
        waivers=read_waivers(params, [migration.file for migration in files]),
        advisory_lock_timeout=advisory_wait(params),
        where=target.where,
        check_lock=lock_check(module),
    )
    with migrating(target) as session:
        if module.check_mode:
            outcome = deploy.predict(session, order, engine)
        else:
            with closing(BlockerMonitor(target, session)) as watch:
                retries = LockRetries(
                    count=params["lock_retries"],
                    watch=watch,
                    report=lambda *event: emit_progress(module, *event),
                )
                outcome = deploy.migrate(session, order, engine, retries)
    finished = finish(outcome)
    for warning in outcome.warnings:
        module.warn(warning)
    if passed_over:
        module.warn(f"Skipped, {because}: {', '.join(passed_over)}.")
    result = {**outcome.to_result(), **finished, "passed_over": list(passed_over)}
    if module._diff:
        result["diff"] = outcome.plan.to_diff()
    return result


def advisory_wait(params: Params) -> float:
    given: float | None = params["advisory_lock_timeout"]
    if given is not None:
        return given
    return _PRISMA_WAITS if params["kind"] == "prisma" else _OTHERS_WAIT


def apply_files(module: Module) -> Result:
    params = module.params
    directory, include_all = params["directory"], params["include_all"]
    if params["kind"] == "supabase":
        role = session_role(params["login_user"])
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
        tuple(params["expect_tables"]),
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
        tuple(name if "." in name else f"{schema}.{name}" for name in params["expect_tables"]),
        passed_over=sorted(
            path.name for path in Path(params["directory"]).glob("*.sql") if path.is_file()
        ),
        because="because a migration is a folder with a migration.sql",
        finish=lambda outcome: generate(params, outcome),
    )


def describe_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    params = module.params
    with migrating(PostgresTarget.from_params(params)) as session:
        table = use_schema(session, params["schema"])
        history = read_history(session, params["schema"], table)
    return {"changed": False, "history": describe_status(history, local)}


def resolve_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    """Settle in the history what a person decided on migrations."""
    params = module.params
    schema, decision = params["schema"], (params["migrations"], params["resolution"])
    target = PostgresTarget.from_params(params)
    check_lock = lock_check(module)
    with migrating(target) as session:
        table = use_schema(session, schema)
        history = read_history(session, schema, table)
        settled, warnings = plan_resolve(history, local, *decision)
        if settled:
            refuse_read_only(session, target.where)
        if settled and not module.check_mode:
            with advisory_lock(session, ADVISORY_LOCK, timeout=advisory_wait(params)):
                # What we saw before we held the lock may be old by now.
                history = read_history(session, schema, table)
                settled, warnings = plan_resolve(history, local, *decision)
                check_lock()
                apply_resolve(session, table, settled, exists=history.exists)
            history = read_history(session, schema, table)
    for warning in warnings:
        module.warn(warning)
    result = {
        "changed": bool(settled),
        "resolved": [each.name for each in settled],
        "versions": history.applied,
    }
    if module._diff:
        before = "".join(f"{each.name}: {each.before}\n" for each in settled)
        after = "".join(f"{each.name}: {each.after}\n" for each in settled)
        result["diff"] = {"before": before, "after": after}
    return result


_PRISMA: t.Final = {
    "applied": apply_prisma,
    "resolved": resolve_prisma,
    "described": describe_prisma,
}
