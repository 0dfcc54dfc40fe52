# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Apply Prisma migrations, natively as `prisma migrate deploy` does, or by the workspace's own command."""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from ansible_collections.easymo.deploy.plugins.module_utils import _child_process
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration import (
    prisma_history,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import MigrationError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.session import (
    NO_LIMITS,
    Limits,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.text import (
    excerpt,
    mask_message,
)
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import SqlError, mask_secret

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._migration.prisma_folder import (
        PrismaMigration,
    )
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import (
        PostgresTarget,
        Session,
    )

_OUTPUT_LINES = 15


class _OpenTransactionError(Exception):
    """The script began a transaction and did not end it."""


def apply_natively(session: Session, migration: PrismaMigration, *, limits: Limits) -> None:
    """Its row, its script, and the row again; the script is one transaction unless it says otherwise."""
    row_id = str(uuid.uuid4())
    prisma_history.insert_started(session, row_id, migration.name, migration.checksum)
    limits.set_on(session)
    try:
        _run_script(session, migration)
    except SqlError as exc:
        _settle(session, row_id, str(exc))
        raise _describe_failure(migration, exc) from exc
    except _OpenTransactionError as exc:
        _settle(session, row_id, "The script left its transaction open.")
        raise MigrationError(
            f"{migration.file} begins a transaction and never commits it (P3018), so nothing since then was kept: "
            "take the BEGIN away, or add the COMMIT.",
            file=migration.file,
            code="P3018",
        ) from exc
    NO_LIMITS.set_on(session)
    prisma_history.record_finished(session, row_id)


def _run_script(session: Session, migration: PrismaMigration) -> None:
    if migration.statements:
        session.execute(migration.text)
    if session.in_transaction:
        raise _OpenTransactionError


def _settle(session: Session, row_id: str, logs: str) -> None:
    """Leave the row as Prisma leaves one that failed: with its logs and without an end."""
    if session.in_transaction:
        session.execute("ROLLBACK")
    NO_LIMITS.set_on(session)
    prisma_history.record_failed(session, row_id, logs)


def _describe_failure(migration: PrismaMigration, error: SqlError) -> MigrationError:
    details: dict[str, t.Any] = {
        "file": migration.file,
        "sqlstate": error.sqlstate,
        "atomic": migration.atomic,
        "code": "P3018",
    }
    where = migration.file
    if error.position is not None:
        line = migration.text.count("\n", 0, error.position - 1) + 1
        details["line"] = line
        where += f", line {line} ({excerpt(migration.text.splitlines()[line - 1])})"
    said = f"{mask_message(error.message, error.sqlstate)} (SQLSTATE {error.sqlstate}, P3018)"
    left = "was rolled back" if migration.atomic else "is not atomic, what it committed stays"
    return MigrationError(
        f"{where}: {said}. The script {left}. Put it right, run "
        f"'prisma migrate resolve --rolled-back {migration.name}', and run again.",
        **details,
    )


@dataclass(frozen=True)
class Command:
    """The workspace's own command; it gets the database's URL in DATABASE_URL, and nowhere else."""

    argv: tuple[str, ...]
    directory: str | None
    timeout: float
    url_parameters: Mapping[str, str]


def apply_by_command(command: Command, target: PostgresTarget, schema: str) -> None:
    url = database_url(target, schema, command.url_parameters)
    program = _child_process.find_program(command.argv[0], "command")
    environment = _child_process.whole_environment({"DATABASE_URL": url})
    ended = _child_process.run(
        [program, *command.argv[1:]], environment, timeout=command.timeout, cwd=command.directory
    )
    if ended.rc != 0:
        said = _mask(f"{ended.stdout}\n{ended.stderr}", url, target).strip().splitlines()
        raise RefusedError(
            f"{' '.join(command.argv)} failed with exit code {ended.rc}: "
            f"{said[-1] if said else 'it said nothing'}",
            rc=ended.rc,
            output=said[-_OUTPUT_LINES:],
        )


def database_url(target: PostgresTarget, schema: str, parameters: Mapping[str, str]) -> str:
    """As Prisma reads it; its engine calls verify-full `sslmode=require` with `sslaccept=strict`."""
    if target.ssl_mode == "verify-ca":
        raise InputError("Prisma knows no 'ssl_mode' 'verify-ca': use 'verify-full'.")
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
        f"?{urlencode({**query, **parameters}, quote_via=quote)}"
    )


def _mask(text: str, url: str, target: PostgresTarget) -> str:
    secrets: Sequence[str | None] = (url, target.password, quote(target.password or "", safe=""))
    for secret in secrets:
        text = mask_secret(text, secret)
    return text
