# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of Prisma migrations: look, decide, apply, look again, and run the workspace's generator."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from .. import _child_process
from .._errors import DeployError, InputError, RefusedError, VerificationError
from .._postgres import PostgresTarget, Session, mask_secret
from .._redaction import redact
from .deploy import DeployOutcome, DeployRequest, Look
from .models import GenerateError
from .prisma_folder import PrismaMigration, plan_prisma, problems_of, refuse_drift
from .prisma_history import ADVISORY_LOCK, read_history, use_schema
from .prisma_native import ScriptRunner
from .session import refuse_read_only

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .models import Migration
    from .runner import LockRetries
    from .session import AppliedFile


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
class PrismaEngine:
    """Of a folder of Prisma's migrations; its tables are expected as `schema.table`."""

    order: DeployRequest
    local: tuple[PrismaMigration, ...]
    schema: str
    advisory_lock: int = ADVISORY_LOCK
    leaves_failures: bool = True

    def look(self, session: Session) -> Look:
        table = use_schema(session, self.schema)
        history = read_history(session, self.schema, table)
        plan = plan_prisma(history, self.local)
        if self.order.refuse_drift:
            refuse_drift(plan.drift)
        if plan.pending:
            refuse_read_only(session, self.order.where)
        problems = {each.file: list(problems_of(each)) for each in plan.pending}
        guarded = self.order.guard.check(
            session,
            [each.source for each in plan.pending],
            problems={file: sentences for file, sentences in problems.items() if sentences},
            resets=False,
        )
        warnings = [
            f"{file} was edited since it was applied: {how}." for file, how in plan.drift.items()
        ]
        if plan.missing_locally:
            listed = ", ".join(plan.missing_locally)
            warnings.append(f"The database has migrations missing in the folder: {listed}.")
        details = {"missing_locally": list(plan.missing_locally), "drift": plan.drift}
        return Look(plan, history.applied, guarded, warnings, details, (history, table))

    def begin(
        self, session: Session, look: Look, retries: LockRetries, /
    ) -> t.Callable[[Migration], AppliedFile]:
        history, table = look.state
        runner = ScriptRunner(session, table, self.order.limits, retries)
        if not history.exists:
            table.create()

        def apply(migration: Migration) -> AppliedFile:
            use_schema(session, self.schema)
            return runner.apply(t.cast("PrismaMigration", migration))

        return apply

    def verify(self, session: Session, look: Look) -> list[str]:
        """Nothing is pending, and no name is in the history but those expected."""
        before, table = look.state
        expected = {row.name for row in before.rows} | {each.name for each in look.plan.pending}
        use_schema(session, self.schema)
        history = read_history(session, self.schema, table)
        strange = [row.name for row in history.rows if row.name not in expected]
        if strange:
            raise VerificationError(
                f"The migrations ran, but the history has {', '.join(strange)}, which this run did "
                "not write: one of them wrote it, or somebody else did meanwhile. Find out which, and "
                "add what is right to the folder. Run again: what is applied and not in the folder is warned of.",
                foreign_versions=strange,
            )
        left = plan_prisma(history, self.local).pending
        if left:
            listed = ", ".join(migration.name for migration in left)
            raise VerificationError(f"Migrations are still pending after the deploy: {listed}.")
        return history.applied


def generate(
    generator: Generator | None, target: PostgresTarget, schema: str, outcome: DeployOutcome
) -> dict[str, t.Any]:
    """Once all is applied and verified, or predicted. Keys of the result."""
    pending = outcome.look.plan.pending
    if generator is None or not (pending or generator.always):
        return {"generated": False, "output": []}
    try:
        output = [] if outcome.runs is None else run_generator(generator, target, schema)
    except DeployError as exc:
        applied = [migration.to_result() for migration in pending]
        raise GenerateError(
            f"{exc} The migrations are applied; run it by hand, or with generate=always.",
            **{**exc.details, "changed": bool(pending), "applied": applied},
        ) from exc
    return {"generated": True, "output": output}
