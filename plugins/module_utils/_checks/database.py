# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the databases and of what keeps them: tables, programs of PostgreSQL, backups and their bucket."""

from __future__ import annotations

import secrets
import typing as t
from pathlib import Path

from .. import _child_process
from .._backup import programs
from .._backup.catalog import read_catalog
from .._backup.plan import newest_first, refuse_older_programs
from .._errors import ConflictError, DeployError, InputError, RefusedError, UnreachableError
from .._migration.prisma_history import read_folder, read_history, refuse_unsettled
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


KINDS: Kinds = {
    "queries": Kind(look_queries, (PSYCOPG2,)),
    "prisma_history": Kind(look_prisma_history, (PSYCOPG2,)),
    "programs": Kind(look_programs, (PSYCOPG2,)),
    "backup_age": Kind(look_backup_age, (BOTO3,)),
    "bucket": Kind(look_bucket, (BOTO3,)),
}
