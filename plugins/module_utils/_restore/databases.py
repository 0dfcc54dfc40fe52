# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change the databases of a server: their list, their clients, and copies with equal properties."""

from __future__ import annotations

import csv
import time
import typing as t
from contextlib import contextmanager

from .._errors import ConflictError, RefusedError
from .._postgres import (
    PostgresTarget,
    Session,
    SqlError,
    connected,
    lift_timeouts,
    refuse_pooler,
    transaction,
)
from .models import NEWBORN_LIMIT, DatabaseMark, Rights, ServerDatabase, ServerStatus, unmarked

APPLICATION = "easymo.deploy pg_restore"
CONTROL = f"{APPLICATION}, control"
"""Application name of sessions that control a restore. They may be connected to a database that is not restored."""

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
def administering(target: PostgresTarget) -> t.Iterator[Session]:
    """A session. The server's errors become RefusedError."""
    try:
        with connected(target, application_name=CONTROL) as session:
            refuse_pooler(session, target)
            lift_timeouts(session)
            yield session
    except SqlError as exc:
        raise RefusedError(f"PostgreSQL at {target.host}:{target.port} refused: {exc}.") from exc


def observe(session: Session, database: str) -> ServerStatus:
    return ServerStatus(
        version=session.server_version,
        databases=tuple(ServerDatabase(*row) for row in session.rows(_DATABASES)),
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
    """The other clients of the database, each in a few words."""
    return [
        f"{program or 'a program without a name'} as {user} from {address or 'a local socket'} (process {pid})"
        for pid, user, program, address in session.rows(_CLIENTS, (database,))
    ]


def end_sessions(session: Session, database: str, *, spare: str = "", only: str = "") -> None:
    """Ask every session to end, but for programs called `spare`, or those called `only`.

    Sessions of roles that we may not end stay; the next check finds them.
    """
    for pid, _user, program, _address in session.rows(_CLIENTS, (database,)):
        if (spare and program == spare) or (only and program != only):
            continue
        try:
            session.rows("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
        except SqlError:
            continue


def drop(session: Session, target: PostgresTarget) -> None:
    """Drop the target's database. `session` is connected to another one."""
    statement = "DROP DATABASE IF EXISTS %I WITH (FORCE)"
    try:
        change(session, statement, target.database)
    except SqlError as exc:
        if exc.sqlstate != IN_USE:
            raise
        _drop_subscriptions(target)
        change(session, statement, target.database)


def _drop_subscriptions(target: PostgresTarget) -> None:
    """A database with one cannot be dropped. Its slot at the publisher stays: that of a copy's is the original's."""
    with administering(target) as session:
        for (name,) in session.rows(_SUBSCRIPTIONS):
            for statement in _WITHOUT_SLOT:
                change(session, statement, name)


IN_USE = "55006"
_SUBSCRIPTIONS = """
SELECT s.subname FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()
"""
_WITHOUT_SLOT = (
    "ALTER SUBSCRIPTION %I DISABLE",
    "ALTER SUBSCRIPTION %I SET (slot_name = NONE)",
    "DROP SUBSCRIPTION %I",
)


@contextmanager
def only_one(session: Session, database: str, *, patience: float = 10) -> t.Iterator[None]:
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


# The settings whose value is a list of names, each quoted by itself (PostgreSQL's GUC_LIST_QUOTE).
_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)

_SETTINGS = """
SELECT COALESCE(r.rolname, ''), u.setting
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS u (setting)
WHERE d.datname = %s AND (s.setrole = 0 OR r.oid IS NOT NULL)
"""

_GRANTS = """
SELECT COALESCE(r.rolname, ''), a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE d.datname = %s AND (a.grantee = 0 OR r.oid IS NOT NULL)
"""


def create(session: Session, name: str, mark: DatabaseMark, like: ServerDatabase | None) -> None:
    """Empty, open, marked; sorted and encoded as `like`, else as the server's own. Known as ours at every moment."""
    likeness = [*_likeness(like)] if like else [(" TEMPLATE template0", "")]
    parts, values = zip(("CREATE DATABASE %I", name), *likeness, strict=True)
    statement = composed(session, "".join(parts), *values)
    session.execute(f"{statement} ALLOW_CONNECTIONS false CONNECTION LIMIT {NEWBORN_LIMIT}")
    with transaction(session):
        set_mark(session, name, mark)
        change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true CONNECTION LIMIT -1", name)


def _likeness(like: ServerDatabase) -> t.Iterator[tuple[str, str]]:
    yield " OWNER %I", like.owner
    yield " TEMPLATE template0 ENCODING %L", like.encoding
    # Naming even the default tablespace needs a superuser's right.
    if like.tablespace != "pg_default":
        yield " TABLESPACE %I", like.tablespace
    yield " LC_COLLATE %L", like.collate
    yield " LC_CTYPE %L", like.ctype
    if like.provider != "libc" and like.locale:
        yield " LOCALE_PROVIDER %I", like.provider
        yield f" {'ICU' if like.provider == 'icu' else 'BUILTIN'}_LOCALE %L", like.locale
        if like.icu_rules:
            yield " ICU_RULES %L", like.icu_rules


def dress(session: Session, name: str, like: ServerDatabase) -> None:
    """Give `name` the limit, settings, rights and comment that `like` has now."""
    limit = f"ALTER DATABASE %I CONNECTION LIMIT {like.connection_limit:d}"
    change(session, limit, name)
    dress_settings(session, name, like.name)
    _dress_rights(session, name, like)
    set_comment(session, name, unmarked(like.comment))


def dress_settings(session: Session, name: str, like: str) -> None:
    """Copy the settings of `like`: ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET."""
    for role, setting in session.rows(_SETTINGS, (like,)):
        variable, _equals, value = setting.partition("=")
        values = split_list(value) if variable.lower() in _LISTS else [value]
        subject = (
            ("ALTER ROLE %I IN DATABASE %I", role, name) if role else ("ALTER DATABASE %I", name)
        )
        to = ", ".join(["%L"] * len(values)) or "''"
        # A custom variable has a dot between its two names, so each part is quoted by itself.
        dotted = variable.split(".")
        change(
            session,
            f"{subject[0]} SET {'.'.join(['%I'] * len(dotted))} TO {to}",
            *subject[1:],
            *dotted,
            *values,
        )


def split_list(value: str) -> list[str]:
    """The names of a list as PostgreSQL stores it: separated by commas, quoted where they must be."""
    return next(csv.reader([value], skipinitialspace=True), [])


def _dress_rights(session: Session, name: str, like: ServerDatabase) -> None:
    grants = session.rows(_GRANTS, (like.name,))
    if not grants:
        return  # those that every database has
    change(session, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
    change(session, "REVOKE ALL ON DATABASE %I FROM %I", name, like.owner)
    for role, privilege, grantable in grants:
        option = " WITH GRANT OPTION" if grantable and role not in ("", like.owner) else ""
        grantee, who = ("%I", [role]) if role else ("PUBLIC", [])
        change(session, f"GRANT {privilege} ON DATABASE %I TO {grantee}{option}", name, *who)


def set_mark(session: Session, name: str, mark: DatabaseMark, before: str = "") -> None:
    set_comment(session, name, mark.comment(before))


def set_comment(session: Session, name: str, comment: str) -> None:
    change(session, "COMMENT ON DATABASE %I IS %L", name, comment)
