# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of Prisma migrations, which leaves the rows that `prisma migrate deploy` would leave.

A script that can be a transaction commits together with its row, so that a run that was cut off anywhere left either
both or nothing. All others go as Prisma goes: the row, the script, the row again. At last the workspace's generator.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from .. import _child_process
from .._errors import DeployError, InputError, RefusedError, VerificationError
from .._module import Module, Result
from .._postgres import PostgresTarget, Session, SqlError, mask_secret
from .._redaction import redact
from .execution import mask_message
from .models import Migration, MigrationPlan
from .prisma_history import (
    ADVISORY_LOCK,
    Attempt,
    HistoryTable,
    PrismaMigration,
    plan_prisma,
    read_history,
    resolve_by,
    use_schema,
)
from .runner import (
    AppliedFile,
    LockRetries,
    MigrationRun,
    SessionTimeouts,
    StatementError,
    begin_anew,
    would_skip,
)
from .splitter import failing_line, without_leading_comments

_OPTION = "generate_command"
_OUTPUT_LINES = 15
_CODE = re.compile(r"\b(P[13]\d{3})\b")
# npm, pnpm for one package and for a filter, yarn; pnpm with a filter that names no package says so and exits with 0.
_NO_SCRIPT = re.compile(
    r'Missing script|ERR_PNPM_NO_SCRIPT|ERR_PNPM_RECURSIVE_RUN_NO_SCRIPT|has a "[^"]*" script'
    r"|Couldn't find a script named|No projects matched the filters"
)


def generate(module: Module, plan: MigrationPlan) -> Result:
    """The workspace's generator, once all is applied and verified, or predicted. Keys of the result."""
    params, pending = module.params, plan.pending
    if not params["generate_command"] or not (pending or params["generate"] == "always"):
        return {"generated": False, "output": []}
    try:
        output = [] if module.check_mode else run_generator(params)
    except DeployError as exc:
        applied = [migration.to_result() for migration in pending]
        raise RefusedError(
            f"{exc} The migrations are applied; run it by hand, or with generate=always.",
            **{
                **exc.details,
                "reason": "GenerateFailed",
                "changed": bool(pending),
                "applied": applied,
            },
        ) from exc
    return {"generated": True, "output": output}


def run_generator(params: t.Mapping[str, t.Any]) -> list[str]:
    """The last lines of its output, without secrets. Its failure is a RefusedError with them."""
    target = PostgresTarget.from_params(params)
    url = database_url(target, params["schema"])
    command, folder = params["generate_command"], params["chdir"]
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"Option 'chdir' is {folder!r}, which does not exist.")
    # A path with a slash in it is one from the folder that the program runs in.
    below = folder is not None and "/" in command[0]
    named = str(Path(folder).absolute() / command[0]) if below else command[0]
    try:
        ended = _child_process.run(
            [_child_process.find_program(named, _OPTION), *command[1:]],
            _child_process.whole_environment({"DATABASE_URL": url}),
            timeout=params["command_timeout"],
            cwd=folder,
        )
    except _child_process.TimedOutError as exc:
        exc.details.update(output=_lines(f"{exc.stdout}\n{exc.stderr}", url, target))
        raise
    output = _lines(f"{ended.stdout}\n{ended.stderr}", url, target)
    last = output[-_OUTPUT_LINES:]
    shown = " ".join(command)
    line = next((line for line in output if _NO_SCRIPT.search(line)), None)
    if line is not None:
        raise InputError(
            f"The workspace has no script for {shown!r} ({line.strip()}): add it to the package.json, or "
            f"correct option {_OPTION!r}.",
            output=last,
        )
    if ended.rc != 0:
        raise _failure(shown, ended.rc, "\n".join(output), last)
    return last


def _failure(shown: str, rc: int, output: str, last: list[str]) -> RefusedError:
    _before, code, after = (*_CODE.split(output, maxsplit=1), "", "")[:3]
    # What follows the code is the sentence; without a code, the last line is where programs write it.
    lines = [line.strip(" :") for line in (after if code else output).splitlines()]
    sentences = [line for line in lines if line] or ["it said nothing"]
    return RefusedError(
        f"{shown} failed with exit code {rc}{f' ({code})' if code else ''}: {sentences[0 if code else -1]}",
        rc=rc,
        output=last,
        **({"code": code} if code else {}),
    )


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


# "Cannot run inside a transaction block", and a COMMIT inside of a procedure: the server alone knows which ones.
_WANTS_NO_TRANSACTION = ("25001", "2D000")


@dataclass
class ScriptRun(MigrationRun):
    """Of a script, as Prisma runs it."""

    migration: PrismaMigration
    table: HistoryTable
    attempt: Attempt = field(init=False)

    CODE = "P3018"
    OTHERWISE = "check what remains of it; the next run stops with P3009 unless it was finished."

    def __post_init__(self) -> None:
        self.history_table = self.table.quoted
        self.attempt = Attempt(self.migration.name, self.migration.checksum)

    def run(self) -> None:
        if not self.migration.atomic:
            self._in_steps()
            return
        try:
            self.insist(self._whole)
        except SqlError as exc:
            if exc.sqlstate not in _WANTS_NO_TRANSACTION or len(self.migration.statements) > 1:
                raise
            self.roll_back()
            self._in_steps()

    def what_is_left(self, error: SqlError, advice: str) -> str:
        self._leave_failed(mask_message(str(error), error.sqlstate))
        atomic = self.migration.atomic
        left = "was rolled back" if atomic else "is not atomic: what it committed stays"
        return (
            f"{advice} The script {left}. Fix it, say that nothing of it remains by "
            f"{resolve_by('rolled_back', self.migration.name)}, and run again."
        )

    def _whole(self) -> None:
        """In a transaction it comes to what sending the script as one does, and the server tells which one failed."""
        self.session.execute("BEGIN")
        self.table.insert(self.attempt)
        self.limits.set_on(self.session)
        for index, _statement in enumerate(self.migration.script.statements):
            self.run_statement(index)
        self.look_at_locks()
        forget_settings(self.session)
        self.table.finish(self.attempt)
        self.session.execute("COMMIT")

    def _in_steps(self) -> None:
        self.held_known = False
        self.table.insert(self.attempt)
        for index, statement in enumerate(self.migration.script.statements):
            skipped = would_skip(self.session, statement.text)
            if skipped is not None:
                raise StatementError(index, skipped)
        self.limits.set_on(self.session)
        with self.retries.watch.waiting():
            self.session.execute(self.migration.text)
        if self.session.in_transaction:
            self._leave_failed("The script left its transaction open.")
            raise self.open_transaction()
        forget_settings(self.session)
        self.table.finish(self.attempt)

    def roll_back(self) -> bool:
        self.attempt = Attempt(self.attempt.name, self.attempt.checksum)
        return super().roll_back()

    def _leave_failed(self, logs: str) -> None:
        """Leave the row as Prisma leaves one that failed: with its logs and without an end."""
        if self.session.in_transaction:
            self.session.execute("ROLLBACK")
        forget_settings(self.session)
        self.table.insert(self.attempt, logs=logs)

    def place_of(self, error: SqlError) -> tuple[int, int] | None:
        """None where the script went as one and the server pointed nowhere."""
        if isinstance(error, StatementError):
            return super().place_of(error)
        numbered = [
            (number, each)
            for number, each in enumerate(self.migration.script.statements, start=1)
            if without_leading_comments(each.text)
        ]
        if error.position is not None:
            line = self.migration.text.count("\n", 0, error.position - 1) + 1
            before = [number for number, each in numbered if each.line <= line]
            return (before[-1], line) if before else None
        if len(numbered) == 1:
            [(number, statement)] = numbered
            return number, failing_line(statement, None)
        return None


def forget_settings(session: Session) -> None:
    """What a script set for its session would be there for the next one, and for the row of this one."""
    session.execute("RESET SESSION AUTHORIZATION")
    session.execute("RESET ROLE")
    begin_anew(session)


class PrismaEngine:
    """Of a folder of Prisma's migrations; its tables are expected as `schema.table`."""

    ADVISORY_LOCK = ADVISORY_LOCK
    LEAVES_FAILURES = True
    RESETS = False

    def __init__(self, local: t.Sequence[PrismaMigration], schema: str) -> None:
        self.local = local
        self.schema = schema

    def plan(self, session: Session) -> MigrationPlan:
        return plan_prisma(read_history(session, self.schema), self.local)

    def begin(
        self, session: Session, plan: MigrationPlan, limits: SessionTimeouts, retries: LockRetries
    ) -> t.Callable[[Migration], AppliedFile]:
        if not plan.state.exists:
            use_schema(session, self.schema).create()

        def apply(migration: Migration) -> AppliedFile:
            table = use_schema(session, self.schema)
            script = t.cast("PrismaMigration", migration)
            return ScriptRun(session, script, limits, retries, table).apply()

        return apply

    def verify(self, session: Session, plan: MigrationPlan) -> list[str]:
        """Nothing is pending, and no name is in the history but those expected."""
        expected = {row.name for row in plan.state.rows} | {each.name for each in plan.pending}
        history = read_history(session, self.schema)
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
