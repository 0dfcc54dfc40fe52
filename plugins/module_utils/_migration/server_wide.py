# SPDX-License-Identifier: GPL-3.0-or-later
"""What a migration changes for all databases of a server: a rehearsal on a copy of one database changes it as well."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import RefusedError
from .._postgres import Session, SqlError, quote_name

# Of a role all that everybody may read; passwords are not.
_ROLES = """
SELECT rolname::text, row(r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
  r.rolbypassrls, r.rolconnlimit, r.rolvaliduntil, r.rolconfig)::text FROM pg_catalog.pg_roles r
"""
# Since PostgreSQL 16 several may have given the same one, each with options.
_MEMBERS = """
SELECT r.rolname::text, m.rolname::text, g.rolname::text, (pg_catalog.to_jsonb(a) - 'oid')::text
FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles m ON m.oid = a.member JOIN pg_catalog.pg_roles g ON g.oid = a.grantor
"""


@dataclass(frozen=True)
class ServerWide:
    """Roles, and by role, member and grantor who is a member of what; each with its options as text."""

    roles: t.Mapping[str, str]
    members: t.Mapping[tuple[str, str, str], str]

    @classmethod
    def read(cls, session: Session) -> ServerWide:
        members = {(role, member, by): of for role, member, by, of in session.rows(_MEMBERS)}
        return cls(dict(session.rows(_ROLES)), members)

    def take_back(self, session: Session, sql: str) -> list[str]:
        """Drop the roles that `sql` made since, and end the memberships. Sentences on what else is otherwise.

        RefusedError for what cannot be taken back.
        """
        now = ServerWide.read(session)
        made = sorted(now.roles.keys() - self.roles.keys())
        # Somebody else may have made others meanwhile.
        ours = {
            role for role in now.roles if re.search(rf"(?i)(?<!\w){re.escape(role)}(?!\w)", sql)
        }
        for role in made:
            if role in ours:
                _run(session, f"DROP ROLE {quote_name(role)}", f"made the role {role}")
        for role, member, grantor in sorted(now.members.keys() - self.members.keys()):
            if {role, member} <= self.roles.keys() & ours:
                by = f" GRANTED BY {quote_name(grantor)}" if session.server_version[0] > 15 else ""
                revoke = f"REVOKE {quote_name(role)} FROM {quote_name(member)}{by}"
                _run(session, revoke, f"made {member} a member of {role}")
        left = ServerWide.read(session)
        remarks = [
            f"The role {role} came meanwhile, and the migrations do not name it: if they made it, drop it."
            for role in made
            if role in left.roles
        ]
        changed = {role for role, of in self.roles.items() if left.roles.get(role) != of}
        changed |= {key[0] for key, _of in self.members.items() ^ left.members.items()}
        return remarks + [
            f"The role {role} is not as it was before the rehearsal, for all databases of the server: look at it."
            for role in sorted(changed & self.roles.keys())
        ]


def _run(session: Session, sql: str, what: str) -> None:
    try:
        session.execute(sql)
    except SqlError as exc:
        raise RefusedError(
            f"The rehearsal {what} for all databases of the server, and it cannot take that back: {exc}. Do it by "
            f"hand ({sql}), for otherwise the migrations meet it in the release."
        ) from exc
