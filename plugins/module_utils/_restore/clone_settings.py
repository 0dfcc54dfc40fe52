# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Make a database as another one is: where rows sort alike, and in the end with its settings and its rights."""

from __future__ import annotations

import typing as t

from .databases import change, composed
from .models import NEWBORN_LIMIT, Database, DatabaseMark, unmarked

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .._postgres import Session

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


def create(session: Session, name: str, mark: DatabaseMark, like: Database | None) -> None:
    """Empty, open, marked; sorted and encoded as `like`, else as the server's own. Known as ours at every moment."""
    if like is None:
        statement = composed(session, "CREATE DATABASE %I TEMPLATE template0", name)
    else:
        parts = [
            ("CREATE DATABASE %I", name),
            (" OWNER %I", like.owner),
            (" TEMPLATE template0 ENCODING %L", like.encoding),
            *_tablespace(like),
            *_locale(like),
        ]
        template, values = (
            "".join(part for part, _value in parts),
            [value for _part, value in parts],
        )
        statement = composed(session, template, *values)
    session.execute(f"{statement} ALLOW_CONNECTIONS false CONNECTION LIMIT {NEWBORN_LIMIT}")
    with transaction(session):
        set_mark(session, name, mark)
        change(session, "ALTER DATABASE %I ALLOW_CONNECTIONS true CONNECTION LIMIT -1", name)


def _tablespace(like: Database) -> Iterator[tuple[str, str]]:
    # To name even the default one takes a right that only superusers have.
    if like.tablespace != "pg_default":
        yield " TABLESPACE %I", like.tablespace


def _locale(like: Database) -> Iterator[tuple[str, str]]:
    yield " LC_COLLATE %L", like.collate
    yield " LC_CTYPE %L", like.ctype
    if like.provider != "libc" and like.locale:
        yield " LOCALE_PROVIDER %I", like.provider
        yield f" {'ICU' if like.provider == 'icu' else 'BUILTIN'}_LOCALE %L", like.locale
        if like.icu_rules:
            yield " ICU_RULES %L", like.icu_rules


def dress(session: Session, name: str, like: Database) -> None:
    """Give `name` the limit, settings, rights and comment that `like` has now."""
    limit = f"ALTER DATABASE %I CONNECTION LIMIT {like.connection_limit:d}"
    change(session, limit, name)
    dress_settings(session, name, like.name)
    _dress_rights(session, name, like)
    set_comment(session, name, unmarked(like.comment))


def dress_settings(session: Session, name: str, like: str) -> None:
    """What ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET say of `like`."""
    for role, setting in session.rows(_SETTINGS, (like,)):
        variable, _equals, value = setting.partition("=")
        values = split_list(value) if variable.lower() in _LISTS else [value]
        whom = ("ALTER ROLE %I IN DATABASE %I", role, name) if role else ("ALTER DATABASE %I", name)
        to = ", ".join(["%L"] * len(values)) or "''"
        # A custom variable has a dot between its two names, so each part is quoted by itself.
        dotted = variable.split(".")
        change(
            session,
            f"{whom[0]} SET {'.'.join(['%I'] * len(dotted))} TO {to}",
            *whom[1:],
            *dotted,
            *values,
        )


def split_list(value: str) -> list[str]:
    """The names of a list as PostgreSQL stores it: separated by commas, quoted where they must be."""
    found: list[str] = []
    name, quoted, kept = "", False, False
    for char in value:
        if char == '"':
            # A doubled quote closes and opens again; the one that reopens stands for itself.
            if not quoted and kept:
                name += char
            quoted, kept = not quoted, True
        elif char == "," and not quoted:
            found.append(name)
            name, kept = "", False
        elif quoted or not char.isspace():
            name += char
    return [*found, name] if value.strip() else []


def _dress_rights(session: Session, name: str, like: Database) -> None:
    grants = session.rows(_GRANTS, (like.name,))
    if not grants:
        return  # those that every database has
    change(session, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
    change(session, "REVOKE ALL ON DATABASE %I FROM %I", name, like.owner)
    for role, privilege, grantable in grants:
        option = " WITH GRANT OPTION" if grantable and role not in ("", like.owner) else ""
        whom, who = ("%I", [role]) if role else ("PUBLIC", [])
        change(session, f"GRANT {privilege} ON DATABASE %I TO {whom}{option}", name, *who)


def set_mark(session: Session, name: str, mark: DatabaseMark, before: str = "") -> None:
    set_comment(session, name, mark.comment(before))


def set_comment(session: Session, name: str, comment: str) -> None:
    change(session, "COMMENT ON DATABASE %I IS %L", name, comment)


class transaction:  # noqa: N801 - read as a word: with transaction(session)
    """BEGIN and COMMIT, or ROLLBACK when the block fails."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> None:
        self._session.execute("BEGIN")

    def __exit__(self, kind: object, *_rest: object) -> None:
        self._session.execute("COMMIT" if kind is None else "ROLLBACK")
