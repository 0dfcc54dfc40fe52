# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of Prisma migrations: look, decide, apply, look again, and run the workspace's generator."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from .. import _child_process
from .._errors import DeployError, InputError, RefusedError, VerificationError
from .._lock.fence import Check, no_check
from .._postgres import PostgresTarget, Session, mask_secret
from .._redaction import redact
from .guard.options import Guard, GuardReport
from .models import GenerateError, Table, describe_tables, find_tables, verify_tables
from .prisma_folder import (
    PrismaHistory,
    PrismaMigration,
    PrismaPlan,
    plan_prisma,
    problems_of,
    refuse_drift,
)
from .prisma_history import ADVISORY_LOCK, HistoryTable, read_history, use_schema
from .prisma_native import Runner
from .runner import LockRetries, advisory_lock
from .session import Limits, Runs, describe_runs, refuse_read_only

if t.TYPE_CHECKING:
    from collections.abc import Sequence


_OPTION = "generate_command"
_OUTPUT_LINES = 15
_CODE = re.compile(r"\b(P[13]\d{3})\b")
# npm, pnpm for one package and for a filter, yarn; pnpm with a filter that names no package says so and exits with 0.
_NO_SCRIPT = re.compile(
    r'Missing script|ERR_PNPM_NO_SCRIPT|ERR_PNPM_RECURSIVE_RUN_NO_SCRIPT|has a "[^"]*" script'
    r"|Couldn't find a script named|No projects matched the filters"
)


@dataclass(frozen=True)
class Generator:
    """A command of the workspace and where it runs. Unless it runs `always`, it runs only after migrations."""

    argv: tuple[str, ...]
    directory: str | None
    timeout: float
    always: bool

    def __str__(self) -> str:
        return " ".join(self.argv)


def run_generator(generator: Generator, target: PostgresTarget, schema: str) -> list[str]:
    """The last lines of its output, without secrets. Its failure is a RefusedError with them."""
    url = database_url(target, schema)
    program = _find(generator)
    environment = _child_process.whole_environment({"DATABASE_URL": url})
    try:
        ended = _child_process.run(
            [program, *generator.argv[1:]],
            environment,
            timeout=generator.timeout,
            cwd=generator.directory,
        )
    except _child_process.TimedOutError as exc:
        exc.details.update(output=_lines(f"{exc.stdout}\n{exc.stderr}", url, target))
        raise
    output = _lines(f"{ended.stdout}\n{ended.stderr}", url, target)
    _refuse_missing_script(generator, output)
    if ended.rc != 0:
        raise _failure(generator, ended.rc, output)
    return output[-_OUTPUT_LINES:]


def _find(generator: Generator) -> str:
    """The program, which a path with a slash in it names from the folder it runs in."""
    name = generator.argv[0]
    if generator.directory is not None:
        if not Path(generator.directory).is_dir():
            raise InputError(f"Option 'chdir' is {generator.directory!r}, which does not exist.")
        if "/" in name:
            name = str(Path(generator.directory).absolute() / name)
    return _child_process.find_program(name, _OPTION)


def _refuse_missing_script(generator: Generator, output: Sequence[str]) -> None:
    line = next((line for line in output if _NO_SCRIPT.search(line)), None)
    if line is not None:
        raise InputError(
            f"The workspace has no script for {str(generator)!r} ({line.strip()}): add it to the package.json, or "
            f"correct option {_OPTION!r}.",
            output=list(output[-_OUTPUT_LINES:]),
        )


def _failure(generator: Generator, rc: int, output: Sequence[str]) -> RefusedError:
    match = _CODE.search("\n".join(output))
    code = match.group(1) if match else None
    # What follows the code is the sentence; without a code, the last line is where programs write it.
    sentence = next((line for line in _after(output, code) if line.strip()), "it said nothing")
    shown = f" ({code})" if code else ""
    return RefusedError(
        f"{generator} failed with exit code {rc}{shown}: {sentence.strip()}",
        rc=rc,
        output=list(output[-_OUTPUT_LINES:]),
        **({"code": code} if code else {}),
    )


def _after(output: Sequence[str], code: str | None) -> list[str]:
    for index, line in enumerate(output):
        if code and code in line:
            rest = line.partition(code)[2].strip(" :")
            return [rest, *output[index + 1 :]]
    return list(reversed(output))


def database_url(target: PostgresTarget, schema: str) -> str:
    """As Prisma reads it; its engine calls verify-full `sslmode=require` with `sslaccept=strict`."""
    if target.ssl_mode == "verify-ca":
        raise InputError("Prisma has no 'ssl_mode' 'verify-ca': use 'verify-full'.")
    query = {"schema": schema, "connect_timeout": str(target.connect_timeout)}
    if target.ssl_mode == "verify-full":
        query |= {"sslmode": "require", "sslaccept": "strict"}
        query |= {"sslcert": target.ca_cert} if target.ca_cert else {}
    else:
        query |= {"sslmode": "prefer" if target.ssl_mode == "allow" else target.ssl_mode}
    user = quote(target.user, safe="")
    password = f":{quote(target.password, safe='')}" if target.password else ""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return (
        f"postgresql://{user}{password}@{host}:{target.port}/{quote(target.database, safe='')}"
        f"?{urlencode(query, quote_via=quote)}"
    )


def _lines(text: str, url: str, target: PostgresTarget) -> list[str]:
    for secret in (url, target.password, quote(target.password or "", safe="")):
        text = mask_secret(text, secret)
    return redact(text).strip().splitlines()


@dataclass(frozen=True)
class PrismaRequest:
    """What is to be deployed and how, as in the module's options."""

    local: tuple[PrismaMigration, ...]
    schema: str
    expect_tables: tuple[str, ...]
    """Each as `schema.table`."""
    refuse_drift: bool
    limits: Limits
    guard: Guard
    advisory_lock_timeout: float
    target: PostgresTarget
    generator: Generator | None = None
    check_lock: Check = no_check
    """Before each migration."""

    def generates(self, plan: PrismaPlan) -> bool:
        return self.generator is not None and (plan.changed or self.generator.always)


@dataclass(frozen=True)
class PrismaResult:
    """`history` after the deployment. `runs` has each applied file, None when nothing was to be applied but told."""

    plan: PrismaPlan
    history: PrismaHistory
    tables: list[Table]
    guard: GuardReport
    generated: bool
    runs: Runs | None = None
    output: list[str] = field(default_factory=list)
    """The last lines that the generator printed."""

    @property
    def warnings(self) -> list[str]:
        edited = [
            f"{file} was edited since it was applied: {how}."
            for file, how in self.plan.drift.items()
        ]
        listed = ", ".join(self.plan.missing_locally)
        missing = f"The database has migrations missing in the folder: {listed}."
        return [*edited, *([missing] if listed else []), *self.guard.warnings]

    def to_result(self) -> dict[str, t.Any]:
        migrations = describe(self.plan.pending)
        return {
            "changed": self.plan.changed,
            "applied": [] if self.runs is None else migrations,
            "pending": migrations if self.runs is None else [],
            "versions": self.history.applied,
            "tables": [table.to_result() for table in self.tables],
            **describe_runs(self.runs or {}),
            "missing_locally": list(self.plan.missing_locally),
            "drift": self.plan.drift,
            "generated": self.generated,
            "output": self.output,
            **self.guard.to_result(),
        }


def describe(migrations: t.Iterable[PrismaMigration]) -> list[dict[str, t.Any]]:
    return [migration.to_result() for migration in migrations]


def predict(session: Session, order: PrismaRequest) -> PrismaResult:
    """What `migrate` would do."""
    order.limits.set_on(session)
    table = use_schema(session, order.schema)
    history = read_history(session, order.schema, table)
    plan = plan_order(history, order)
    guarded = guard_pending(session, plan, order)
    before = find_tables(session, order.expect_tables)
    tables = describe_tables(session, order.expect_tables, before=before)
    return PrismaResult(plan, history, tables, guarded, generated=order.generates(plan))


def migrate(session: Session, order: PrismaRequest, retries: LockRetries) -> PrismaResult:
    # Looks wait for locks as well, of a table that somebody else is changing.
    order.limits.set_on(session)
    table = use_schema(session, order.schema)
    history = read_history(session, order.schema, table)
    plan = plan_order(history, order)
    guarded = guard_pending(session, plan, order)
    before = find_tables(session, order.expect_tables)
    with advisory_lock(session, ADVISORY_LOCK, timeout=order.advisory_lock_timeout):
        # What we saw before we held the lock may be old by now.
        history = read_history(session, order.schema, table)
        plan = plan_order(history, order)
        guarded = guard_pending(session, plan, order)
        runs = apply_plan(session, table, plan, order, retries, exists=history.exists)
    order.limits.set_on(session)
    use_schema(session, order.schema)
    known = {row.name for row in history.rows}
    history = read_history(session, order.schema, table)
    verify_applied(history, order, {*known, *(each.name for each in plan.pending)})
    tables = describe_tables(session, order.expect_tables, before=before)
    verify_tables(tables, order.expect_tables, database=order.target.where)
    generated = order.generates(plan)
    output = generate(order, order.generator, plan) if order.generator and generated else []
    return PrismaResult(plan, history, tables, guarded, generated, runs, output)


def plan_order(history: PrismaHistory, order: PrismaRequest) -> PrismaPlan:
    """What would run; raises when nothing may run."""
    plan = plan_prisma(history, order.local)
    if order.refuse_drift:
        refuse_drift(plan.drift)
    return plan


def guard_pending(session: Session, plan: PrismaPlan, order: PrismaRequest) -> GuardReport:
    """Raises when what would run cannot, or is not additive, and nobody waived that."""
    if plan.changed:
        refuse_read_only(session, order.target.where)
    problems = {each.file: told for each in plan.pending if (told := list(problems_of(each)))}
    sources = [each.source for each in plan.pending]
    return order.guard.check(session, sources, problems=problems, resets=False)


def apply_plan(
    session: Session,
    table: HistoryTable,
    plan: PrismaPlan,
    order: PrismaRequest,
    retries: LockRetries,
    *,
    exists: bool,
) -> Runs:
    """A DeployError tells in its details what was applied before it."""
    runs: Runs = {}
    if not plan.changed:
        return runs
    runner = Runner(session, table, order.limits, retries)
    changed = False
    try:
        for number, migration in enumerate(plan.pending, start=1):
            order.check_lock()
            changed = True
            if number == 1 and not exists:
                table.create()
            use_schema(session, order.schema)
            run = runs[migration.file] = runner.apply(migration)
            retries.report(
                "MigrationApplied",
                f"{migration.file} applied in {run.seconds:.2f} s ({number} of {len(plan.pending)})",
                {"file": migration.file, "seconds": round(run.seconds, 3)},
            )
    except DeployError as exc:
        done = [each for each in plan.pending if each.file in runs]
        exc.details.update(changed=changed, applied=describe(done), **describe_runs(runs))
        raise
    return runs


def generate(order: PrismaRequest, generator: Generator, plan: PrismaPlan) -> list[str]:
    try:
        return run_generator(generator, order.target, order.schema)
    except DeployError as exc:
        raise GenerateError(
            f"{exc} The migrations are applied; run it by hand, or with generate=always.",
            **{**exc.details, "changed": plan.changed, "applied": describe(plan.pending)},
        ) from exc


def verify_applied(history: PrismaHistory, order: PrismaRequest, expected: set[str]) -> None:
    """Nothing is pending, and no name is in the history but those `expected`."""
    strange = [row.name for row in history.rows if row.name not in expected]
    if strange:
        raise VerificationError(
            f"The migrations ran, but the history has {', '.join(strange)}, which this run did "
            "not write: one of them wrote it, or somebody else did meanwhile. Find out which, and "
            "add what is right to the folder. Run again: what is applied and not in the folder is warned of.",
            foreign_versions=strange,
        )
    left = plan_prisma(history, order.local).pending
    if left:
        listed = ", ".join(migration.name for migration in left)
        raise VerificationError(f"Migrations are still pending after the deploy: {listed}.")
