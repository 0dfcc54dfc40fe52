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

from sandbox.names import SUPABASE_USER
from sandbox.seed import PLATFORM, platform_sql
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
    """The options of the doc fragment _postgres for the sandbox's server.

    Without a name the hosted project's database as its role `postgres`, who is no superuser; with one a plain database
    of a test's own, as the superuser who made it.
    """
    facts = world.facts("postgres")
    supabase = facts["databases"]["supabase"]
    login = facts["administrator"] if database else supabase
    return {
        "login_host": facts["host"],
        "login_port": facts["port"],
        "login_user": login["user"],
        "login_password": login["password"],
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
    administrator = connection(world, "postgres")
    query(administrator, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield connection(world, name)
    finally:
        query(administrator, f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def hosted_database(world: World) -> t.Iterator[dict[str, t.Any]]:
    """As `scratch_database`, of a hosted project before its first migration and for its role `postgres`."""
    with scratch_database(world) as administrator:
        name = administrator["login_db"]
        query(administrator, f"ALTER DATABASE {name} OWNER TO {SUPABASE_USER}")
        for file in PLATFORM[1:]:  # Roles are the server's.
            query(administrator, platform_sql(file))
        yield {**connection(world), "login_db": name}
