# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the workspace's own commands, which get the database in DATABASE_URL and say in codes why they failed."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from .. import _child_process
from .._errors import DeployError, InputError, RefusedError, UnreachableError, VerificationError
from .._postgres import mask_secret
from .._redaction import redact
from .models import FailedMigrationError, LockedError, MigrationError, NotEmptyError
from .prisma_folder import resolve_by

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._postgres import PostgresTarget

_OUTPUT_LINES = 15
_CODE = re.compile(r"\b(P[13]\d{3})\b")
_ADVISORY = "advisory lock"
_ERRORS: dict[str, type[DeployError]] = {
    "P1000": RefusedError,
    "P1001": UnreachableError,
    "P1002": UnreachableError,
    "P1003": RefusedError,
    "P1010": RefusedError,
    "P1011": RefusedError,
    "P1017": UnreachableError,
    "P3005": NotEmptyError,
    "P3009": FailedMigrationError,
    "P3015": InputError,
    "P3018": MigrationError,
    "P3019": InputError,
}
# npm, pnpm for one package and for a filter, yarn; pnpm with a filter that names no package says so and exits with 0.
_NO_SCRIPT = re.compile(
    r'Missing script|ERR_PNPM_NO_SCRIPT|ERR_PNPM_RECURSIVE_RUN_NO_SCRIPT|has a "[^"]*" script'
    r"|Couldn't find a script named|No projects matched the filters"
)


@dataclass(frozen=True)
class Command:
    """A command of the workspace and where it runs; `option` is the one it stands in."""

    argv: tuple[str, ...]
    directory: str | None
    timeout: float
    url_parameters: Mapping[str, str | None]
    option: str = "command"

    def __str__(self) -> str:
        return " ".join(self.argv)


def run_command(command: Command, target: PostgresTarget, schema: str) -> list[str]:
    """The last lines of what it said, without secrets. Its failure is the error that the native engine would raise."""
    url = database_url(target, schema, command.url_parameters)
    program = _find(command)
    environment = _child_process.whole_environment({"DATABASE_URL": url})
    try:
        ended = _child_process.run(
            [program, *command.argv[1:]],
            environment,
            timeout=command.timeout,
            cwd=command.directory,
        )
    except _child_process.TimedOutError as exc:
        exc.details.update(output=_lines(f"{exc.stdout}\n{exc.stderr}", url, target))
        raise
    said = _lines(f"{ended.stdout}\n{ended.stderr}", url, target)
    _refuse_missing_script(command, said)
    if ended.rc != 0:
        raise _failure(command, ended.rc, said)
    return said[-_OUTPUT_LINES:]


def _find(command: Command) -> str:
    """The program, which a path with a slash in it names from the folder it runs in."""
    name = command.argv[0]
    if command.directory is not None:
        if not Path(command.directory).is_dir():
            raise InputError(f"Option 'chdir' is {command.directory!r}, which does not exist.")
        if "/" in name:
            name = str(Path(command.directory).absolute() / name)
    return _child_process.find_program(name, command.option)


def _refuse_missing_script(command: Command, said: Sequence[str]) -> None:
    line = next((line for line in said if _NO_SCRIPT.search(line)), None)
    if line is not None:
        raise InputError(
            f"The workspace has no script for {str(command)!r} ({line.strip()}): add it to the package.json, or "
            f"correct option {command.option!r}.",
            output=list(said[-_OUTPUT_LINES:]),
        )


def _failure(command: Command, rc: int, said: Sequence[str]) -> DeployError:
    text = "\n".join(said)
    found = _CODE.search(text)
    code = found.group(1) if found else None
    # What follows the code is the sentence; without a code, the last line is where programs say it.
    telling = next((line for line in _after(said, code) if line.strip()), "it said nothing")
    raised = _ERRORS.get(code or "", RefusedError)
    if code == "P1002" and _ADVISORY in text:
        raised = LockedError
        telling = "another migration holds the lock of this database"
    details: dict[str, t.Any] = {"rc": rc, "output": list(said[-_OUTPUT_LINES:])}
    if code:
        details["code"] = code
    told = f" ({code})" if code else ""
    return raised(f"{command} failed with exit code {rc}{told}: {telling.strip()}", **details)


def failed_by_command(said: RefusedError, name: str) -> MigrationError:
    """What the history shows of a failure, whichever way the command put it."""
    return MigrationError(
        f"{said} The history says that {name} failed (P3018). Fix it, say that nothing of it remains by "
        f"{resolve_by('rolled_back', name)}, and run again.",
        **{**said.details, "code": "P3018", "file": f"{name}/migration.sql"},
    )


def _after(said: Sequence[str], code: str | None) -> list[str]:
    for index, line in enumerate(said):
        if code and code in line:
            rest = line.partition(code)[2].strip(" :")
            return [rest, *said[index + 1 :]]
    return list(reversed(said))


def refuse_unchanged(command: Command, pending: Sequence[str]) -> None:
    """It ended well and did not do it."""
    if pending:
        raise VerificationError(
            f"Migrations are still pending although {str(command)!r} succeeded: "
            f"{', '.join(pending)}. "
            "Check that it deploys the folder in 'directory' to the database in DATABASE_URL."
        )


def database_url(target: PostgresTarget, schema: str, parameters: Mapping[str, str | None]) -> str:
    """As Prisma reads it; its engine calls verify-full `sslmode=require` with `sslaccept=strict`."""
    if target.ssl_mode == "verify-ca":
        raise InputError("Prisma has no 'ssl_mode' 'verify-ca': use 'verify-full'.")
    query = {"schema": schema, "connect_timeout": str(target.connect_timeout)}
    if target.ssl_mode == "verify-full":
        query |= {"sslmode": "require", "sslaccept": "strict"}
        query |= {"sslcert": target.ca_cert} if target.ca_cert else {}
    else:
        query |= {"sslmode": "prefer" if target.ssl_mode == "allow" else target.ssl_mode}
    kept = {name: value for name, value in {**query, **parameters}.items() if value is not None}
    user = quote(target.user, safe="")
    password = f":{quote(target.password, safe='')}" if target.password else ""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return (
        f"postgresql://{user}{password}@{host}:{target.port}/{quote(target.database, safe='')}"
        f"?{urlencode(kept, quote_via=quote)}"
    )


def _lines(text: str, url: str, target: PostgresTarget) -> list[str]:
    for secret in (url, target.password, quote(target.password or "", safe="")):
        text = mask_secret(text, secret)
    return redact(text).strip().splitlines()
