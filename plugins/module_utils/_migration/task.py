# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of migrations: the Supabase CLI's files, plain SQL as Flyway's, or Prisma's folders."""

from __future__ import annotations

import typing as t

from .._errors import InputError
from .._lock.apply import lock_check
from .._module import Module, Result, emit_progress, refuse_below
from .._postgres import PostgresTarget
from . import deploy, flyway, supabase
from .deploy import DeployOutcome, DeployRequest, Engine, Guard
from .execution import session_role
from .file_deploy import FileEngine, FileKind
from .models import Migration
from .prisma_deploy import Generator, PrismaEngine, generate
from .prisma_folder import PrismaMigration, read_folder, stray_files
from .prisma_history import (
    ADVISORY_LOCK,
    apply_resolve,
    describe_status,
    plan_resolve,
    read_history,
    use_schema,
)
from .runner import LockRetries, advisory_lock
from .session import SessionTimeouts, migrating, refuse_read_only, watching

Params = t.Mapping[str, t.Any]

_LIMITS = ("lock_timeout", "statement_timeout", "advisory_lock_timeout", "command_timeout")
_PRISMA_WAITS = 10.0
_OTHERS_WAIT = 30.0


def migrate(module: Module) -> Result:
    params = module.params
    below = {name: 0 for name in (*_LIMITS, "lock_retries") if params[name] is not None}
    refuse_below(params, **below)
    kind, state = params["kind"], params["state"]
    if kind == "prisma":
        return _PRISMA[state](module, read_folder(params["directory"]))
    if state != "applied":
        raise InputError(f"Option 'state' is {state!r}, which is only for kind 'prisma'.")
    return apply_files(module, supabase_files() if kind == "supabase" else sql_files(params))


def supabase_files() -> FileKind:
    return FileKind(
        read_folder=supabase.read_folder,
        history=supabase,
        problems_of=supabase.problems_of,
        named="<digits>_<name>.sql",
        role_of=session_role,
    )


def sql_files(params: Params) -> FileKind:
    baseline = params["baseline"] or ""
    if baseline and not flyway.is_version(baseline):
        raise InputError(f"Option 'baseline' is {baseline!r}: give a version, as '41' or '1.2'.")
    return FileKind(
        read_folder=flyway.read_folder,
        history=flyway.FlywayHistory(baseline.replace("_", ".")),
        problems_of=flyway.problems_of,
        named=flyway.NAMED,
    )


def run_migrations(
    module: Module,
    engine_of: t.Callable[[DeployRequest], Engine],
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
        guard=Guard.from_params(params, [migration.file for migration in files]),
        advisory_lock_timeout=advisory_wait(params),
        where=target.where,
        check_lock=lock_check(module),
    )
    engine = engine_of(order)
    with migrating(target) as session:
        if module.check_mode:
            outcome = deploy.predict(session, order, engine)
        else:
            with watching(target, session) as watch:
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
        result["diff"] = outcome.look.plan.to_diff()
    return result


def advisory_wait(params: Params) -> float:
    given: float | None = params["advisory_lock_timeout"]
    if given is not None:
        return given
    return _PRISMA_WAITS if params["kind"] == "prisma" else _OTHERS_WAIT


def apply_files(module: Module, kind: FileKind) -> Result:
    params = module.params
    folder = kind.read_folder(params["directory"])
    return run_migrations(
        module,
        lambda order: FileEngine(
            order, kind, folder.files, params["include_all"], kind.role_of(params["login_user"])
        ),
        folder.files,
        tuple(params["expect_tables"]),
        passed_over=folder.skipped,
        because=f"not named like a migration ({kind.named})",
    )


def apply_prisma(module: Module, local: t.Sequence[PrismaMigration]) -> Result:
    params = module.params
    schema = params["schema"]
    return run_migrations(
        module,
        lambda order: PrismaEngine(order, tuple(local), schema),
        local,
        tuple(name if "." in name else f"{schema}.{name}" for name in params["expect_tables"]),
        passed_over=stray_files(params["directory"]),
        because="because a migration is a folder with a migration.sql",
        finish=lambda outcome: generate(
            to_generator(params), PostgresTarget.from_params(params), schema, outcome
        ),
    )


def to_generator(params: Params) -> Generator | None:
    if not params["generate_command"]:
        return None
    return Generator(
        argv=tuple(params["generate_command"]),
        directory=params["chdir"],
        timeout=params["command_timeout"],
        always=params["generate"] == "always",
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
        plan = plan_resolve(history, local, *decision)
        if plan.changed:
            refuse_read_only(session, target.where)
        if plan.changed and not module.check_mode:
            with advisory_lock(session, ADVISORY_LOCK, timeout=advisory_wait(params)):
                # What we saw before we held the lock may be old by now.
                history = read_history(session, schema, table)
                plan = plan_resolve(history, local, *decision)
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


_PRISMA: t.Final = {
    "applied": apply_prisma,
    "resolved": resolve_prisma,
    "described": describe_prisma,
}
