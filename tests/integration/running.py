# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection in this process against the sandbox, and make scratch databases for it."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import typing as t

import boto3
import psycopg2
import psycopg2.extensions
from ansible.module_utils.testing import patch_module_args
from botocore.config import Config

from sandbox.world import World

Result = dict[str, t.Any]


class RunnableModule(t.Protocol):
    def main(self) -> None: ...


def run_module(
    module: RunnableModule, *, check: bool = False, diff: bool = False, **args: t.Any
) -> Result:
    """What the module prints at its end, be it a success or a failure."""
    printed = io.StringIO()
    given = {**args, "_ansible_check_mode": check, "_ansible_diff": diff}
    with (
        patch_module_args(given),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    return t.cast("Result", json.loads(printed.getvalue()))


def connection(world: World, database: str | None = None) -> dict[str, t.Any]:
    """The options of the doc fragment _postgres for a database on the sandbox's server."""
    facts = world.facts("postgres")
    supabase = facts["databases"]["supabase"]
    return {
        "login_host": facts["host"],
        "login_port": facts["port"],
        "login_user": supabase["user"],
        "login_password": supabase["password"],
        "login_db": database or supabase["name"],
        "ca_cert": facts["ca_cert"],
    }


def bucket(world: World, prefix: str) -> dict[str, t.Any]:
    """The options of the doc fragment _s3 for the sandbox's bucket."""
    facts = world.facts("seaweedfs")
    return {
        "bucket": facts["bucket"],
        "prefix": prefix,
        "endpoint_url": facts["endpoint"],
        "region": facts["region"],
        "access_key": facts["access_key"],
        "secret_key": facts["secret_key"],
        "path_style": True,
    }


def client(options: dict[str, t.Any]) -> t.Any:
    """S3 for a witness, by the options of `bucket`."""
    return boto3.client(
        "s3",
        endpoint_url=options["endpoint_url"],
        region_name=options["region"],
        aws_access_key_id=options["access_key"],
        aws_secret_access_key=options["secret_key"],
        config=Config(s3={"addressing_style": "path"}),
    )


@contextlib.contextmanager
def opened(options: dict[str, t.Any]) -> t.Iterator[psycopg2.extensions.connection]:
    """A connection of a witness, beside the collection's code; autocommit."""
    session = psycopg2.connect(
        host=options["login_host"],
        port=options["login_port"],
        user=options["login_user"],
        password=options["login_password"],
        dbname=options["login_db"],
        sslmode="verify-full",
        sslrootcert=options["ca_cert"],
    )
    session.autocommit = True
    with contextlib.closing(session):
        yield session


def query(
    options: dict[str, t.Any], sql: str, values: dict[str, t.Any] | None = None
) -> list[tuple[t.Any, ...]]:
    with opened(options) as session, session.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def scratch_database(world: World) -> t.Iterator[dict[str, t.Any]]:
    """The connection options of an empty database that is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    query(connection(world), f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield connection(world, name)
    finally:
        query(connection(world), f"DROP DATABASE {name} WITH (FORCE)")
