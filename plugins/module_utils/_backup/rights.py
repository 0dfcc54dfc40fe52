# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what of a database and who may do what with it: read, compared with a backup's moment, and given back.

pg_dump writes a grant only where it differs from PostgreSQL's built-in default, so objects that are made again in a
database with default privileges of its own get grants that they never had.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from .._decode import restored, restored_each
from .._errors import VerificationError
from .._formats import listed
from .._postgres import quote_name


class PrivilegeGrant(t.NamedTuple):
    """One privilege. Names are as in the catalog; a `grantee` of "" is PUBLIC, a `column` of "" the whole object."""

    grantee: str
    privilege: str
    grantor: str
    grantable: bool
    column: str


class RowPolicy(t.NamedTuple):
    name: str
    command: str
    permissive: bool
    roles: str
    using: str
    """An expression as the server prints it, and so is `check`."""
    check: str


@dataclass(frozen=True)
class ObjectRights:
    """Those of one object. Grants are kept by their difference from PostgreSQL's built-in default for its kind."""

    owner: str = ""
    granted: tuple[PrivilegeGrant, ...] = ()
    revoked: tuple[PrivilegeGrant, ...] = ()
    """What the built-in default grants and this object does not."""
    row_security: tuple[str, ...] = ()
    """Of ENABLE and FORCE, those that are set."""
    policies: tuple[RowPolicy, ...] = ()
    extension: bool = False
    """Whether it came with an extension, and so need not be on another server."""


class DatabaseObject(t.NamedTuple):
    """An object with rights. `name` is as SQL wants it, `schema` as in the catalog, "" for an object of none.

    Default privileges have the plural of what they are for as `kind`, and FOR ROLE … IN SCHEMA … as `name`.
    """

    kind: str
    schema: str
    name: str

    def __str__(self) -> str:
        default = self.kind in _DEFAULTS
        return (
            f"default privileges {self.name} ON {self.kind}"
            if default
            else f"{self.kind} {self.name}"
        )


@dataclass(frozen=True)
class EqualRights(ObjectRights):
    """Objects with equal rights, as a manifest has them: many objects and few rights."""

    kind: str = ""
    objects: tuple[tuple[str, str], ...] = ()
    """Schema and name of each."""


DatabaseRights = t.Mapping[DatabaseObject, ObjectRights]

_DEFAULTS = ("TABLES", "SEQUENCES", "ROUTINES", "TYPES", "SCHEMAS", "LARGE OBJECTS")
# Its right came with this version; a default or a GRANT ALL of an older server has it after a restore.
_NEW_PRIVILEGES = {"MAINTAIN": 17}

# One JSON object a row. Needs a search_path of pg_catalog, by which all other names are printed whole. Types of arrays,
# of multiranges and of tables have no rights of their own.
RIGHTS = """
WITH spaces AS (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
), objects (kind, nspname, name, owner, acl, builtin, classid, oid) AS (
    SELECT 'SCHEMA', s.nspname::text, quote_ident(s.nspname), s.nspowner, s.nspacl, acldefault('n', s.nspowner),
           'pg_namespace'::regclass, s.oid
    FROM spaces s
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, s.nspname, format('%I.%I', s.nspname, c.relname),
           c.relowner, c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner),
           'pg_class'::regclass, c.oid
    FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'ROUTINE', s.nspname, p.oid::regprocedure::text, p.proowner, p.proacl, acldefault('f', p.proowner),
           'pg_proc'::regclass, p.oid
    FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'TYPE', s.nspname, y.oid::regtype::text, y.typowner, y.typacl, acldefault('T', y.typowner),
           'pg_type'::regclass, y.oid
    FROM pg_type y JOIN spaces s ON s.oid = y.typnamespace LEFT JOIN pg_class c ON c.oid = y.typrelid
    WHERE y.typtype IN ('b', 'd', 'e', 'r', 'c') AND COALESCE(c.relkind, 'c') = 'c'
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = y.oid)
    UNION ALL
    SELECT 'LARGE OBJECT', '', l.oid::text, l.lomowner, l.lomacl, acldefault('L', l.lomowner),
           'pg_largeobject'::regclass, l.oid
    FROM pg_largeobject_metadata l
    UNION ALL
    SELECT CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES'
           WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END, COALESCE(n.nspname, ''),
           format('FOR ROLE %I', pg_get_userbyid(d.defaclrole))
           || COALESCE(' IN SCHEMA ' || quote_ident(n.nspname), ''), d.defaclrole, d.defaclacl,
           CASE WHEN n.oid IS NULL THEN acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END,
                                                   d.defaclrole) END,
           'pg_default_acl'::regclass, d.oid
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
), grants (classid, oid, given, grantor, grantee, privilege, grantable, attname) AS (
    SELECT o.classid, o.oid, e.given, e.grantor, e.grantee, e.privilege_type, e.is_grantable, ''
    FROM objects o CROSS JOIN LATERAL (
        SELECT true, g.* FROM (SELECT * FROM aclexplode(o.acl) EXCEPT SELECT * FROM aclexplode(o.builtin)) g
        UNION ALL
        SELECT false, r.* FROM (SELECT * FROM aclexplode(o.builtin) EXCEPT SELECT * FROM aclexplode(o.acl)) r
    ) e (given, grantor, grantee, privilege_type, is_grantable)
    WHERE o.acl IS NOT NULL
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, true, e.grantor, e.grantee, e.privilege_type, e.is_grantable, a.attname
    FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) e WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
), named AS (
    SELECT g.classid, g.oid, g.given, json_agg(json_build_array(
        CASE g.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(g.grantee) END, g.privilege, pg_get_userbyid(g.grantor),
        g.grantable, g.attname)) AS entries
    FROM grants g GROUP BY g.classid, g.oid, g.given
)
SELECT json_build_object(
    'kind', o.kind, 'schema', o.nspname, 'name', o.name, 'owner', pg_get_userbyid(o.owner),
    'granted', COALESCE(g.entries, '[]'), 'revoked', COALESCE(r.entries, '[]'),
    'row_security', array_remove(ARRAY[CASE WHEN c.relrowsecurity THEN 'ENABLE' END,
                                       CASE WHEN c.relforcerowsecurity THEN 'FORCE' END], NULL),
    'policies', COALESCE((
        SELECT json_agg(json_build_array(p.polname, p.polcmd, p.polpermissive, (
            SELECT string_agg(m.name, ',' ORDER BY m.name)
            FROM (SELECT CASE role WHEN 0 THEN '' ELSE pg_get_userbyid(role)::text END
                  FROM unnest(p.polroles) AS role) AS m (name)),
            COALESCE(pg_get_expr(p.polqual, p.polrelid), ''), COALESCE(pg_get_expr(p.polwithcheck, p.polrelid), ''))
            ORDER BY p.polname)
        FROM pg_policy p WHERE p.polrelid = c.oid), '[]'),
    'extension', EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.oid AND d.objsubid = 0
                                                   AND d.deptype = 'e'))::text
FROM objects o
LEFT JOIN named g ON g.classid = o.classid AND g.oid = o.oid AND g.given
LEFT JOIN named r ON r.classid = o.classid AND r.oid = o.oid AND NOT r.given
LEFT JOIN pg_class c ON o.classid = 'pg_class'::regclass AND c.oid = o.oid
"""


def parse_rights(lines: t.Iterable[str]) -> dict[DatabaseObject, ObjectRights]:
    """Of the rows of RIGHTS."""
    parsed: dict[DatabaseObject, ObjectRights] = {}
    for line in lines:
        body = json.loads(line)
        subject = DatabaseObject(body["kind"], body["schema"], body["name"])
        rights = restored(ObjectRights, body, str(subject))
        parsed[subject] = replace(
            rights, granted=tuple(sorted(rights.granted)), revoked=tuple(sorted(rights.revoked))
        )
    return parsed


def grouped(rights: DatabaseRights) -> tuple[EqualRights, ...]:
    """As a manifest has them."""
    groups: dict[tuple[str, ObjectRights], list[tuple[str, str]]] = {}
    for subject, held in rights.items():
        groups.setdefault((subject.kind, held), []).append((subject.schema, subject.name))
    return tuple(
        EqualRights(**{**vars(held), "kind": kind, "objects": tuple(objects)})
        for (kind, held), objects in groups.items()
    )


def read_groups(value: t.Any) -> tuple[EqualRights, ...]:
    """Of a manifest's JSON. Raises ValueError for anything else."""
    return tuple(restored_each(EqualRights, value, "rights"))


def ungrouped(groups: t.Iterable[EqualRights]) -> dict[DatabaseObject, ObjectRights]:
    return {
        DatabaseObject(group.kind, schema, name): group
        for group in groups
        for schema, name in group.objects
    }


@dataclass(frozen=True)
class ExpectedRights:
    """What a restore has to bring back: the rights of a backup, as far as it restores the objects."""

    rights: DatabaseRights
    covers: t.Callable[[DatabaseObject, str], bool]
    """Whether an object of this owner is restored."""
    roles: frozenset[str]
    """Those that we may act as."""
    backup_major: int
    """Major version of the server that was backed up."""
    present_major: int

    @property
    def compared(self) -> int:
        """How many objects."""
        return sum(self.covers(subject, held.owner) for subject, held in self.rights.items())

    def missing(
        self, now: DatabaseRights
    ) -> dict[DatabaseObject, tuple[ObjectRights, ObjectRights]]:
        """By object the rights that it should have and has, where they differ; without owner where it is not there."""
        wanted = {
            subject: held
            for subject, held in self.rights.items()
            if self.covers(subject, held.owner) and not (held.extension and subject not in now)
        }
        # Default privileges that were not set were the built-in ones.
        for subject, held in now.items():
            if subject.kind in _DEFAULTS and self.covers(subject, held.owner):
                wanted.setdefault(subject, ObjectRights(held.owner))
        pairs = {subject: (held, _at(now, subject, held)) for subject, held in wanted.items()}
        return {
            subject: (held, present)
            for subject, (held, present) in pairs.items()
            if self._plain(held) != self._plain(present)
        }

    def _plain(self, rights: ObjectRights) -> tuple[t.Any, ...]:
        """What two servers can be compared by. Another version may print the same expression in other words."""
        grants, revoked = (
            [
                grant
                for grant in entries
                if _NEW_PRIVILEGES.get(grant.privilege, 0) <= self.backup_major
            ]
            for entries in (rights.granted, rights.revoked)
        )
        same = self.present_major == self.backup_major
        policies = [policy if same else policy[:4] for policy in rights.policies]
        return rights.owner, grants, revoked, rights.row_security, policies


def _at(now: DatabaseRights, subject: DatabaseObject, held: ObjectRights) -> ObjectRights:
    return now.get(subject) or ObjectRights(held.owner if subject.kind in _DEFAULTS else "")


def give_back(
    expected: ExpectedRights,
    read: t.Callable[[], DatabaseRights],
    execute: t.Callable[[t.Sequence[str]], None],
) -> tuple[str, ...]:
    """The objects whose rights were not those of the backup and are now. Raises VerificationError for any that are not.

    An owner goes first, for the grants are his; and what REVOKE took along comes back in another round.
    """
    corrected: dict[str, None] = {}
    for _round in range(_ROUNDS):
        differing = expected.missing(read())
        statements = [
            statement
            for subject, (held, present) in sorted(differing.items(), key=_tables_first)
            for statement in corrections(subject, held, present, expected.roles)
        ]
        if not differing:
            return tuple(corrected)
        if not statements:
            break
        corrected |= dict.fromkeys(map(str, differing))
        execute(statements)
    differences = [
        f"{subject}: {'; '.join(describe(held, present))}"
        for subject, (held, present) in differing.items()
    ]
    raise VerificationError(
        "The rights in the restored database differ from the backup's, and this user cannot give them back: "
        f"{listed(differences, _SHOWN, '; ')}. Restore as the owner of these objects or as a superuser."
    )


_ROUNDS = 4
_SHOWN = 5


def _tables_first(entry: tuple[DatabaseObject, t.Any]) -> tuple[bool, DatabaseObject]:
    """A sequence of a column follows its table's owner."""
    return entry[0].kind == "SEQUENCE", entry[0]


def corrections(
    subject: DatabaseObject, held: ObjectRights, present: ObjectRights, roles: t.Collection[str]
) -> list[str]:
    """SQL that brings an object nearer to the rights it had; nothing where none can."""
    kind, _schema, name = subject
    if not present.owner:
        return []
    if present.owner != held.owner:
        return [f"ALTER {kind} {name} OWNER TO {quote_name(held.owner)}"]
    statements = [
        f"ALTER TABLE {name} {word if word in held.row_security else _NOT[word]} ROW LEVEL SECURITY"
        for word in sorted({*held.row_security} ^ {*present.row_security})
    ]
    for verb, grants in (("REVOKE", _more(present, held)), ("GRANT", _more(held, present))):
        # Of the owner first: others may grant by what they were granted.
        for grant in sorted(grants, key=lambda entry: (entry.grantor != held.owner, entry)):
            if grant.grantor not in roles:
                continue
            statement = _statement(verb, subject, grant)
            as_grantor = [f"SET LOCAL ROLE {quote_name(grant.grantor)}", statement, "RESET ROLE"]
            statements += [statement] if grant.grantor == held.owner else as_grantor
    return statements


def _more(some: ObjectRights, others: ObjectRights) -> set[PrivilegeGrant]:
    """What some grant and the others do not."""
    return {*some.granted} - {*others.granted} | {*others.revoked} - {*some.revoked}


_NOT = {"ENABLE": "DISABLE", "FORCE": "NO FORCE"}


def _statement(verb: str, subject: DatabaseObject, grant: PrivilegeGrant) -> str:
    kind, _schema, name = subject
    columns = f" ({quote_name(grant.column)})" if grant.column else ""
    grantee = quote_name(grant.grantee) if grant.grantee else "PUBLIC"
    to = f"TO {grantee}" if verb == "GRANT" else f"FROM {grantee}"
    option = {"GRANT": " WITH GRANT OPTION" if grant.grantable else "", "REVOKE": " CASCADE"}[verb]
    what = f"{verb} {grant.privilege}{columns} ON {kind}"
    if kind in _DEFAULTS:
        return f"ALTER DEFAULT PRIVILEGES {name} {what} {to}{option}"
    return f"{what} {name} {to}{option}"


def describe(held: ObjectRights, present: ObjectRights) -> list[str]:
    """The differences for people, each in a few words."""
    if not present.owner:
        return ["it is not there"]
    words = (
        [] if held.owner == present.owner else [f"{present.owner} owns it instead of {held.owner}"]
    )
    for verb, grants in (("has", _more(present, held)), ("lacks", _more(held, present))):
        words += [f"{each.grantee or 'PUBLIC'} {verb} {each.privilege}" for each in sorted(grants)]
    if held.row_security != present.row_security:
        words.append(f"row security is {' '.join(present.row_security) or 'off'}")
    if held.policies != present.policies:
        names = {policy.name for policy in {*held.policies} ^ {*present.policies}}
        words.append(f"policy {', '.join(sorted(names))} differs")
    return words
