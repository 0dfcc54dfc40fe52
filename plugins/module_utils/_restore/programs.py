# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""pg_restore and psql as this collection calls them. Passwords reach them by environment only."""

from __future__ import annotations

import tempfile
import typing as t
from contextlib import contextmanager

from .. import _child_process
from .._postgres import mask_secret
from .databases import APPLICATION

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from .._child_process import Child, Writer
    from .._postgres import PostgresTarget
    from .models import RestoreRequest
    from .selection import Selection

Running: t.TypeAlias = "AbstractContextManager[Child]"


@contextmanager
def restoring(
    order: RestoreRequest, database: str, write: Writer, selection: Selection | None
) -> Iterator[Child]:
    """A running pg_restore that reads the dump that `write` gives into that database.

    With a selection only its entries, and all belongs to the user who restores.
    """
    target = order.aimed_at(database)
    owners = ["--no-owner"] if selection or not order.keep_owners else []
    with _listed(selection) as chosen:
        argv = [
            order.pg_restore.path,
            "--exit-on-error",
            "--no-password",
            *owners,
            *([] if order.keep_owners else ["--no-acl"]),
            *chosen,
            f"--dbname={connection_string(database)}",
        ]
        with _child_process.child(
            argv, environment(target), timeout=order.timeout, write=write
        ) as running:
            yield running


@contextmanager
def scripting(order: RestoreRequest, write: Writer, selection: Selection | None) -> Iterator[Child]:
    """A running pg_restore that turns a dump, or a selection of it, into SQL, which drops what it makes anew."""
    nothing = _child_process.child_environment({})
    with _listed(selection) as chosen:
        argv = [order.pg_restore.path, "--clean", "--if-exists", "--file=-", *chosen]
        with _child_process.child(argv, nothing, timeout=order.timeout, write=write) as running:
            yield running


@contextmanager
def _listed(selection: Selection | None) -> Iterator[list[str]]:
    """The option for it, for as long as the block lasts."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as file:
        for line in selection.lines if selection else ():
            file.write(f"{line}\n")
        file.flush()
        yield [f"--use-list={file.name}"] if selection else []


def executing(order: RestoreRequest, write: Writer) -> Running:
    """A running psql that executes what `write` gives and ends at the first error."""
    argv = [
        order.psql.path,
        "--no-psqlrc",
        "--no-password",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--variable=ON_ERROR_STOP=1",
    ]
    return _child_process.child(argv, environment(order.target), timeout=order.timeout, write=write)


def environment(target: PostgresTarget) -> dict[str, str]:
    return _child_process.child_environment(
        {**target.environment(), "PGAPPNAME": APPLICATION, "PGCLIENTENCODING": "UTF8"}
    )


def connection_string(database: str) -> str:
    """A name with an equals sign or a scheme in it would be read as more than a name."""
    quoted = database.replace("\\", r"\\").replace("'", r"\'")
    return f"dbname='{quoted}'"


def complaint(running: Child, password: str | None) -> str:
    """Its first line about an error, without the lines of data that PostgreSQL adds."""
    said = mask_secret(running.stderr(), password).splitlines()
    telling = (line for line in said if "error:" in line or "ERROR:" in line or "FATAL:" in line)
    return next(telling, said[-1] if said else "no reason given").strip().rstrip(".")
