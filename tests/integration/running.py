"""The sandbox's databases and bucket as options of modules, and scratch databases."""

import contextlib
import functools
import hashlib
import secrets
import typing as t
from pathlib import Path

import boto3
import psycopg2
import psycopg2.errors
import psycopg2.extensions
from botocore.config import Config

from sandbox.names import SUPABASE_USER
from sandbox.seed import PLATFORM, platform_sql
from sandbox.world import World


def connection(world: World, database: str | None = None) -> dict[str, t.Any]:
    """The options of the doc fragment _postgres for the sandbox's server.

    Without a name the hosted project's database as its role `postgres`, who is no superuser; with one a plain database
    of a test's own, as the superuser who made it.
    """
    if database is None:
        return seeded(world, "supabase")
    login = world.facts("postgres")["administrator"]
    return _login(world, {**login, "name": database})


def seeded(world: World, database: str) -> dict[str, t.Any]:
    """The same for `supabase` or `agent_core`, as the role that owns its tables."""
    return _login(world, world.facts("postgres")["databases"][database])


def _login(world: World, login: t.Mapping[str, str]) -> dict[str, t.Any]:
    facts = world.facts("postgres")
    return {
        "login_host": facts["host"],
        "login_port": facts["port"],
        "login_user": login["user"],
        "login_password": login["password"],
        "login_db": login["name"],
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


def stand_in(folder: Path, name: str, script: str, *, version: str = "") -> str:
    """A program of that name that runs lines of a shell; with `version` it tells that as PostgreSQL's own do."""
    says = f'[ "$1" = --version ] && echo "{name} (PostgreSQL) {version}" && exit\n'
    made = folder / name
    made.write_text(f"#!/bin/sh\n{says if version else ''}{script}\n")
    made.chmod(0o755)
    return str(made)


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
        password=options.get("login_password"),
        dbname=options["login_db"],
        sslmode=options.get("ssl_mode", "verify-full"),
        sslrootcert=options.get("ca_cert"),
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
def scratch_database(world: World, template: str = "template0") -> t.Iterator[dict[str, t.Any]]:
    """The connection options of an empty database, or of a copy, that is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    administrator = connection(world, "postgres")
    # Files are copied for half of what it costs to log each of their pages.
    query(administrator, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield connection(world, name)
    finally:
        query(administrator, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextlib.contextmanager
def hosted_database(world: World) -> t.Iterator[dict[str, t.Any]]:
    """As `scratch_database`, of a hosted project before its first migration and for its role `postgres`."""
    with scratch_database(world, _hosted_template(world)) as administrator:
        name = administrator["login_db"]
        # A copy belongs to who made it.
        query(administrator, f"ALTER DATABASE {name} OWNER TO {SUPABASE_USER}")
        yield {**connection(world), "login_db": name}


@functools.cache
def _hosted_template(world: World) -> str:
    """The name of the database that each hosted one is a copy of: its files take ten times as long to run.

    It stays on the server, for whoever tests there next.
    """
    files = [platform_sql(file) for file in PLATFORM[1:]]  # Roles are the server's.
    name = f"test_hosted_{hashlib.sha256(''.join(files).encode()).hexdigest()[:12]}"
    administrator = connection(world, "postgres")
    made = "SELECT 1 FROM pg_database WHERE datname = %(name)s"
    if query(administrator, made, {"name": name}):
        return name
    # Under another name until it is whole.
    with scratch_database(world) as begun:
        for sql in files:
            query(begun, sql)
        with contextlib.suppress(psycopg2.errors.DuplicateDatabase):
            query(administrator, f"ALTER DATABASE {begun['login_db']} RENAME TO {name}")
    return name
