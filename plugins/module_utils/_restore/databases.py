# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read and change the databases of a server: what there is and who is connected."""

from __future__ import annotations

import time
import typing as t
from contextlib import contextmanager

from .._backup.poolers import refuse_pooler
from .._errors import ConflictError, RefusedError
from .._postgres import PostgresSession, PostgresTarget, Session, SqlError, connected, lift_timeouts
from .models import Database, Rights, ServerStatus

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APPLICATION = "easymo.deploy pg_restore"
CONTROL = f"{APPLICATION}, control"
"""Sessions that steer a restore, perhaps of another database: this one may be where they found room to connect."""

# Columns came with versions (datlocprovider 15, daticurules 16, datlocale 17): read through JSON they may be absent.
_DATABASES = """
SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
       CASE j->>'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
       d.datcollate, d.datctype, COALESCE(j->>'datlocale', j->>'daticulocale'), j->>'daticurules',
       s.spcname, d.datconnlimit, d.datallowconn, pg_catalog.shobj_description(d.oid, 'pg_database')
FROM pg_catalog.pg_database d
JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d)) AS as_json (j)
WHERE NOT d.datistemplate
ORDER BY d.datname
"""

_RIGHTS = """
SELECT r.rolsuper, r.rolcreatedb, COALESCE((
    SELECT pg_catalog.pg_has_role(d.datdba, 'USAGE') FROM pg_catalog.pg_database d WHERE d.datname = %s), false)
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""

_READ_ONLY = """
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'a standby, which only its primary writes to: connect to that'
            WHEN pg_catalog.current_setting('transaction_read_only')::bool
            THEN 'read-only for this user (default_transaction_read_only): set that off for the user or the database'
            ELSE '' END
"""

_CLIENTS = """
SELECT a.pid, COALESCE(a.usename, a.backend_type, 'nobody'), a.application_name, pg_catalog.host(a.client_addr)
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = %s AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
ORDER BY a.pid
"""


@contextmanager
def administering(target: PostgresTarget) -> Iterator[PostgresSession]:
    """A session; what the server refuses is a RefusedError."""
    try:
        with connected(target, application_name=CONTROL) as session:
            refuse_pooler(session, target)
            lift_timeouts(session)
            yield session
    except SqlError as exc:
        raise RefusedError(f"PostgreSQL at {target.host}:{target.port} refused: {exc}.") from exc


def observe(session: Session, version: tuple[int, str], database: str) -> ServerStatus:
    return ServerStatus(
        version=version,
        databases=tuple(Database(*row) for row in session.rows(_DATABASES)),
        rights=Rights(*session.rows(_RIGHTS, (database,))[0]),
        read_only=str(session.rows(_READ_ONLY)[0][0]),
    )


def composed(session: Session, template: str, *values: str) -> str:
    """SQL with its identifiers (%I) and literals (%L) quoted by the server."""
    return str(
        session.rows("SELECT pg_catalog.format(%s, VARIADIC %s::text[])", (template, list(values)))[
            0
        ][0]
    )


def change(session: Session, template: str, *values: str) -> None:
    session.execute(composed(session, template, *values))


def clients(session: Session, database: str) -> list[str]:
    """Who is connected to it beside us, each in a few words."""
    return [
        f"{program or 'a program without a name'} as {user} from {address or 'a local socket'} (process {pid})"
        for pid, user, program, address in session.rows(_CLIENTS, (database,))
    ]


def end_sessions(session: Session, database: str, *, spare: str = "", only: str = "") -> None:
    """Ask every session to end, but for programs called `spare`, or those called `only`.

    Those of roles that we may not end stay, and are seen by who looks next.
    """
    for pid, _user, program, _address in session.rows(_CLIENTS, (database,)):
        if (spare and program == spare) or (only and program != only):
            continue
        try:
            session.rows("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
        except SqlError:
            continue


def drop(session: Session, name: str) -> None:
    change(session, "DROP DATABASE IF EXISTS %I WITH (FORCE)", name)


@contextmanager
def only_one(session: Session, database: str, *, patience: float = 10) -> Iterator[None]:
    """Hold the restore of this database to ourselves; a run that was killed may need a moment to be gone."""
    key = f"{APPLICATION} {database}"
    deadline = time.monotonic() + patience
    while not _try_lock(session, key):
        if time.monotonic() >= deadline:
            raise ConflictError(
                f"Another restore of database {database!r} is running: wait for its end, then "
                "check again."
            )
        time.sleep(0.2)
    # Closing the session gives it back.
    yield


def _try_lock(session: Session, key: str) -> bool:
    sql = "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(%s, 0))"
    return bool(session.rows(sql, (key,))[0][0])


def names(listed: Sequence[str]) -> str:
    return ", ".join(listed) or "nobody"
