# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the databases and of what keeps them: tables, programs of PostgreSQL, backups and their bucket."""

from __future__ import annotations

import secrets
import typing as t
from pathlib import Path
from textwrap import indent

from .. import _child_process
from .._backup import programs
from .._backup.catalog import read_catalog
from .._backup.plan import newest_first, refuse_older_programs
from .._doc_fragments._module import nested
from .._doc_fragments._postgres import DATABASE
from .._doc_fragments._s3 import S3
from .._errors import ConflictError, DeployError, InputError, RefusedError, UnreachableError
from .._postgres import PSYCOPG2, PostgresTarget, SqlError, connected
from .._s3 import BOTO3, S3Bucket
from .models import Finding, Ground, Kind, Kinds, Options, failed, held, passed

NO_TABLE = "42P01"


def look_queries(options: Options, _ground: Ground) -> Finding:
    """Whether a database understands queries and lets this user run them: tables, columns and rights. None is run."""
    target, queries = PostgresTarget.from_params(options["connection"]), options["queries"]
    later, wrong = [], []
    with connected(target, application_name="easymo.deploy preflight_check") as session:
        session.execute("SET default_transaction_read_only = on")
        for name, query in queries.items():
            try:
                session.rows(f"EXPLAIN {query}")
            except SqlError as exc:
                named = any(f'"{table}"' in exc.message for table in options["new_tables"])
                if exc.sqlstate == NO_TABLE and named:
                    later.append(name)
                else:
                    wrong.append(f"{target.where} refuses the query of {name}: {exc}")
    if wrong:
        return failed("; ".join(wrong))
    evidence = f"{len(queries) - len(later)} of {len(queries)} queries are understood and allowed"
    new = f"; the tables of {', '.join(later)} come with the release" if later else ""
    return passed(evidence + new)


def look_prisma_history(options: Options, _ground: Ground) -> Finding:
    """Whether Prisma's history lets the next migrations begin. Weeks before, the folder need not be there."""
    # It brings the parser of SQL, and every phase of a release reads what it may check.
    from .._migration.prisma_history import (  # noqa: PLC0415
        read_folder,
        read_history,
        refuse_unsettled,
    )

    target = PostgresTarget.from_params(options["connection"])
    with connected(target, application_name="easymo.deploy preflight_check") as session:
        history = read_history(session, options["schema"])
    local = read_folder(options["directory"]) if Path(options["directory"]).is_dir() else []
    try:
        refuse_unsettled(history, local)
    except ConflictError as exc:
        return failed(f"{target.where}: {exc}")
    return passed(f"{target.where} has {len(history.applied)} migrations of Prisma")


OF_POSTGRES = ("pg_dump", "pg_restore", "psql")


def look_programs(options: Options, _ground: Ground) -> Finding:
    """Whether PostgreSQL's programs on this machine are as new as the servers, and other programs are there."""
    problems: list[str] = []
    results: dict[str, programs.Program] = {}
    for name in (*OF_POSTGRES, *options["others"]):
        try:
            if name in OF_POSTGRES:
                results[name] = programs.find(options[name], name)
            else:
                _child_process.find_program(name, name)
        except DeployError as exc:
            problems.append(str(exc))
    for server in options["servers"] if len(results) == len(OF_POSTGRES) else ():
        target = PostgresTarget.from_params(server)
        with connected(target, application_name="easymo.deploy preflight_check") as session:
            version = session.server_version
        try:
            refuse_older_programs(
                server=version,
                pg_dump=results["pg_dump"].numbers,
                pg_restore=results["pg_restore"].numbers,
            )
        except InputError as exc:
            problems.append(str(exc))
    if problems:
        return failed(" ".join(dict.fromkeys(problems)))
    versions = ", ".join(f"{name} {result.version}" for name, result in results.items())
    return passed(f"{versions} are as new as the servers")


_ATTEMPTS = 2
"""A backup waits for an S3 that is slow; a check that only looks says soon that there is no answer."""


def look_backup_age(options: Options, ground: Ground) -> Finding:
    """How old the newest backup of each database is. Unless one is required, the database phase takes it itself."""
    bucket = S3Bucket.from_params(options, patience=ground.timeout, attempts=_ATTEMPTS)
    bucket.check()
    catalog = read_catalog(bucket, prefix=options["prefix"], name=None)
    # Of several of one name the newest comes last, and stays.
    oldest_first = reversed(newest_first(catalog.backups))
    ages = {backup.manifest.name: backup.age(ground.now) for backup in oldest_first}
    names, max_age = options["names"], options["max_age"]
    text = ", ".join(
        f"{name} {f'{ages[name] // 60} minutes old' if name in ages else 'none yet'}"
        for name in names
    )
    old = [name for name in names if ages.get(name, max_age) >= max_age]
    if old and options["required"]:
        return held(
            f"{text}; {', '.join(old)} needs one that is less than {max_age // 60} minutes old: take it"
        )
    consequence = "the database phase takes one unless this release's is recent"
    return passed(f"{text}; {consequence}" if old else text)


def look_bucket(options: Options, ground: Ground) -> Finding:
    """Whether the key of the backups may do in its prefix what backups do. Nothing is left there."""
    bucket = S3Bucket.from_params(options, patience=ground.timeout, attempts=_ATTEMPTS)
    try:
        bucket.check()
    except InputError as exc:
        return failed(str(exc))
    prefix = options["prefix"]
    refused = denials(bucket, prefix, f"{prefix}readiness-{secrets.token_hex(6)}")
    if refused:
        return failed("; ".join(f"it may not {what}: {why}" for what, why in refused.items()))
    return passed(
        f"s3://{bucket.name}/{prefix} may be listed, read, written to, and an upload aborted"
    )


def denials(bucket: S3Bucket, prefix: str, key: str) -> dict[str, str]:
    """What the key may not do, each with S3's own word. An upload that was begun is aborted whatever happens."""
    results: dict[str, str] = {}

    def attempt(what: str, act: t.Callable[[], t.Any]) -> t.Any:
        try:
            return act()
        except UnreachableError:
            raise
        except DeployError as exc:
            results[what] = str(exc)
            return None

    attempt("list", lambda: next(iter(bucket.list(prefix)), None))
    attempt("list unfinished uploads", lambda: next(iter(bucket.list_uploads(prefix)), None))
    attempt("get", lambda: _read_nothing(bucket, key))
    upload = attempt("put", lambda: bucket.start_upload(key))
    if upload:
        attempt("put", lambda: bucket.upload_part(key, upload, 1, b"readiness"))
        attempt("abort an upload", lambda: bucket.abort_upload(key, upload))
    return results


def _read_nothing(bucket: S3Bucket, key: str) -> None:
    """Of an object that is not there S3 says so only to who may get it."""
    try:
        next(iter(bucket.read(key)), None)
    except RefusedError as exc:
        if "NoSuchKey" not in str(exc):
            raise


BACKUP_AGE_OPTIONS = f"""  description: How old the newest backup of each database is.
  suboptions:
{nested(S3, 4, "checks[].backup_age")}    names:
      description: Names of the databases in the keys of their backups.
      type: list
      elements: str
      required: true
    max_age:
      description: Seconds from which on a backup is too old.
      type: int
      default: 3600
    required:
      description:
        - Whether one that is too old or missing holds. Else it is told, for the release takes backups itself.
      type: bool
      default: false
"""
PROGRAMS_OPTIONS = f"""  description:
    - Whether the programs of PostgreSQL on this machine are as new as the servers, and other programs are there.
  suboptions:
    pg_dump:
      description: Name or path of pg_dump.
      type: str
      default: pg_dump
    pg_restore:
      description: Name or path of pg_restore.
      type: str
      default: pg_restore
    psql:
      description: Name or path of psql.
      type: str
      default: psql
    servers:
      description: The databases.
      type: list
      elements: dict
      default: []
      suboptions:
{indent(DATABASE, " " * 8)}    others:
      description: Names or paths of other programs.
      type: list
      elements: str
      default: []
"""
_CONNECTION = """    connection:
      description: The database.
      type: dict
      required: true
      suboptions:
""" + indent(DATABASE, " " * 8)
QUERIES_OPTIONS = f"""  description:
    - Whether a database understands queries and lets this user run them, so that their tables and columns are there.
    - It only plans them (C(EXPLAIN)), read-only.
  suboptions:
{_CONNECTION}    queries:
      description: The queries by a name of each.
      type: dict
      required: true
    new_tables:
      description: Tables that only the release brings, so that they need not be there before it.
      type: list
      elements: str
      default: []
"""
PRISMA_HISTORY_OPTIONS = f"""  description:
    - Whether the next migrations of Prisma may begin in a database. One with tables and no history (C(P3005)) stops
      them, as does a failed migration that is not settled (C(P3009)).
    - It only reads. A folder that is not there yet is not read.
  suboptions:
{_CONNECTION}    directory:
      description: Folder with the migrations, a folder each with a C(migration.sql).
      type: path
      required: true
    schema:
      description: The schema Prisma is connected to.
      type: str
      default: public
"""
BUCKET_OPTIONS = f"""  description:
    - Whether the key may list, read and write in the prefix of a bucket, and abort uploads there.
    - It begins an upload and aborts it, and asks for an object that is not there. Nothing is left in the bucket.
  suboptions:
{nested(S3, 4, "checks[].bucket")}"""

KINDS: Kinds = {
    "queries": Kind(look_queries, QUERIES_OPTIONS, (PSYCOPG2,)),
    "prisma_history": Kind(look_prisma_history, PRISMA_HISTORY_OPTIONS, (PSYCOPG2,)),
    "programs": Kind(look_programs, PROGRAMS_OPTIONS, (PSYCOPG2,)),
    "backup_age": Kind(look_backup_age, BACKUP_AGE_OPTIONS, (BOTO3,)),
    "bucket": Kind(look_bucket, BUCKET_OPTIONS, (BOTO3,)),
}
