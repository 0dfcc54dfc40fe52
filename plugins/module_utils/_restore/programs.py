# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""pg_restore and psql as this collection calls them. Passwords reach them by environment only."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils import _child_process
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import mask_secret
from ansible_collections.easymo.deploy.plugins.module_utils._restore.databases import APPLICATION

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ansible_collections.easymo.deploy.plugins.module_utils._child_process import (
        Child,
        Writer,
    )
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
    from ansible_collections.easymo.deploy.plugins.module_utils._restore.models import Order

Running: t.TypeAlias = "AbstractContextManager[Child]"


def restoring(order: Order, database: str, write: Writer) -> Running:
    """A running pg_restore that reads the dump that `write` gives into that database."""
    target = order.aimed_at(database)
    argv = [
        order.pg_restore.path,
        "--exit-on-error",
        "--no-password",
        *([] if order.keep_owners else ["--no-owner", "--no-acl"]),
        f"--dbname={connection_string(database)}",
    ]
    return _child_process.child(argv, environment(target), timeout=order.timeout, write=write)


def scripting(order: Order, write: Writer) -> Running:
    """A running pg_restore that turns a dump into SQL, which drops what it makes anew."""
    argv = [order.pg_restore.path, "--clean", "--if-exists", "--file=-"]
    nothing = _child_process.child_environment({})
    return _child_process.child(argv, nothing, timeout=order.timeout, write=write)


def executing(order: Order, write: Writer) -> Running:
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
    return next(telling, said[-1] if said else "it gave no reason").strip().rstrip(".")
