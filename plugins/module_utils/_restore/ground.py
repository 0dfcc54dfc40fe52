# SPDX-License-Identifier: GPL-3.0-or-later
"""Query what a role without superuser rights may restore, and the objects of other roles' schemas that depend on it."""

from __future__ import annotations

import typing as t

from .._backup.tables import find_others
from .._errors import RefusedError
from .._postgres import SqlError
from .selection import RestoreTarget

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .._postgres import Session
    from .contents import DumpEntries
    from .models import RestoreRequest


_AVAILABLE = "SELECT e.name::text FROM pg_catalog.pg_available_extensions e"


def refuse_missing_extensions(
    session: Session, order: RestoreRequest, needed: Sequence[str]
) -> None:
    available = {name for (name,) in session.rows(_AVAILABLE)}
    missing = sorted(set(needed) - available)
    if missing:
        raise RefusedError(
            f"{order.backup.uri} needs extensions that the server at "
            f"{order.target.host}:{order.target.port} lacks: {', '.join(missing)}: install them "
            "there, or restore on a server that has them. "
            "Nothing was touched."
        )


_ROLES = "SELECT rolname FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(oid, 'USAGE')"
_SCHEMAS = "SELECT nspname FROM pg_catalog.pg_namespace"
_EXTENSIONS = "SELECT extname FROM pg_catalog.pg_extension"
_PUBLICATIONS = "SELECT pubname FROM pg_catalog.pg_publication"

# Triggers that people put on tables of others, such as auth.users. When their function is ours, it is made anew, and
# they with it, which takes no more than the privilege TRIGGER.
_TRIGGERS = """
SELECT pg_catalog.concat_ws(' ', n.nspname, c.relname, g.tgname),
       pn.nspname, pg_catalog.pg_has_role(p.proowner, 'USAGE'),
       pg_catalog.has_table_privilege(c.oid, 'TRIGGER'),
       pg_catalog.format('DROP FUNCTION IF EXISTS %%s CASCADE', p.oid::regprocedure)
FROM pg_catalog.pg_trigger g
JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
WHERE NOT g.tgisinternal AND n.nspname = ANY (%s::text[])
"""

# Only a table's owner creates its policies, so a policy that is dropped with our objects could not be restored.
_POLICIES = """
SELECT DISTINCT pg_catalog.format('%%I on %%I.%%I', p.polname, n.nspname, c.relname), o.nspname
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
LEFT JOIN pg_catalog.pg_proc f ON d.refclassid = 'pg_catalog.pg_proc'::regclass AND f.oid = d.refobjid
LEFT JOIN pg_catalog.pg_class r
       ON d.refclassid = 'pg_catalog.pg_class'::regclass AND r.oid = d.refobjid AND r.oid <> c.oid
JOIN pg_catalog.pg_namespace o ON o.oid = COALESCE(f.pronamespace, r.relnamespace)
WHERE n.nspname = ANY (%s::text[]) AND o.nspname <> 'pg_catalog'
  AND pg_catalog.pg_has_role(COALESCE(f.proowner, r.relowner), 'USAGE')
ORDER BY 1
"""


def find_ground(
    session: Session, order: RestoreRequest, contents: DumpEntries
) -> tuple[RestoreTarget | None, tuple[str, ...]]:
    """The target of a restore in place, and the SQL to execute first; None for a superuser, who restores everything.

    Needs an empty search_path. Refuses a restore that cannot succeed.
    """
    if is_superuser(session):
        return None, ()
    others = find_others(session).schemas
    goes: list[tuple[str, bool, str]] = []
    stays: list[str] = []
    for name, schema, ours, allowed, drop in session.rows(_TRIGGERS, (list(others),)):
        if ours and schema not in others and contents.has_schema(schema):
            goes.append((name, allowed, drop))
        else:
            stays.append(name)
    if closed := [name for name, allowed, _drop in goes if not allowed]:
        raise RefusedError(
            f"Trigger {', '.join(closed)} goes with its function, and user {order.target.user!r} "
            "lacks the privilege TRIGGER to make it again: grant it. Nothing was touched."
        )
    _refuse_lost_policies(session, others, contents)
    ground = RestoreTarget(
        roles=roles_of(session),
        others=frozenset(others),
        schemas=_names(session, _SCHEMAS),
        extensions=_names(session, _EXTENSIONS),
        publications=_names(session, _PUBLICATIONS),
        triggers=frozenset(stays),
    )
    return ground, tuple(sorted({drop for _name, _allowed, drop in goes}))


def _refuse_lost_policies(session: Session, others: Sequence[str], contents: DumpEntries) -> None:
    policies = session.rows(_POLICIES, (list(others),))
    lost = [
        policy
        for policy, schema in policies
        if schema not in others and contents.has_schema(schema)
    ]
    if lost:
        raise RefusedError(
            f"Policy {', '.join(lost)} uses what is to be restored, and only the owner of its "
            "table can make it again: drop it, restore, and make it again. Nothing was touched."
        )


def is_superuser(session: Session) -> bool:
    return bool(session.rows("SHOW is_superuser")[0][0] == "on")


def roles_of(session: Session) -> frozenset[str]:
    """Those that we may act as."""
    return _names(session, _ROLES)


def try_extensions(session: Session, names: Sequence[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Which of them cannot be made in this database, each with why; and the tables, as `schema table`, that the rest
    brings along with rows. Nothing of it stays."""
    impossible: dict[str, str] = {}
    session.execute("BEGIN")
    try:
        for name in names:
            session.execute("SAVEPOINT attempt")
            try:
                session.execute(_creating(session, name))
            except SqlError as exc:
                session.execute("ROLLBACK TO SAVEPOINT attempt")
                impossible[name] = exc.message
        return impossible, _names(session, _CONFIGURED)
    finally:
        session.execute("ROLLBACK")


_CONFIGURED = """
SELECT pg_catalog.concat_ws(' ', n.nspname, c.relname)
FROM pg_catalog.pg_extension x CROSS JOIN LATERAL pg_catalog.unnest(x.extconfig) AS u (relation)
JOIN pg_catalog.pg_class c ON c.oid = u.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""


def _creating(session: Session, name: str) -> str:
    sql = "SELECT pg_catalog.format('CREATE EXTENSION IF NOT EXISTS %%I CASCADE', %s)"
    return str(session.rows(sql, (name,))[0][0])


def _names(session: Session, sql: str) -> frozenset[str]:
    return frozenset(name for (name,) in session.rows(sql))
