# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the entries of a dump that a role without superuser rights may restore.

Ownership decides: an entry is ours when its owner is a role that we may act as. The server tells what there is, and
the objects of other roles' schemas that depend on it.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._backup.plan import LISTED_ENTRY, parse_program_version
from .._backup.rights import ExpectedRights, ungrouped
from .._backup.tables import find_others
from .._errors import RefusedError
from .._postgres import Session, SqlError
from . import databases
from .contents import DumpEntries, any_begins
from .models import RestoreRequest

_KIND = re.compile(
    r"(?P<kind>(?:TEXT SEARCH [A-Z]+|FOREIGN DATA WRAPPER|PUBLICATION TABLES IN SCHEMA|MATERIALIZED VIEW DATA"
    r"|SEQUENCE OWNED BY|(?:MATERIALIZED|FOREIGN|PROCEDURAL|USER|EVENT|ROW|SECURITY|DEFAULT|FK|CHECK|SHELL|ACCESS"
    r"|OPERATOR|TABLE|INDEX|SEQUENCE|PUBLICATION|SUBSCRIPTION|STATISTICS|BLOB)"
    r" (?:VIEW|TABLE|LANGUAGE|MAPPING|TRIGGER|SECURITY|LABEL|ACL|CONSTRAINT|TYPE|METHOD|CLASS|FAMILY|DATA|ATTACH|SET"
    r"|METADATA)|[A-Z]+)) (?P<rest>.+)$"
)
_NAME = re.compile(r'("(?:[^"]|"")*"|[^."]*)\.(.*)', re.DOTALL)
_OBJECTS = (
    "AGGREGATE",
    "DOMAIN",
    "FOREIGN TABLE",
    "FUNCTION",
    "MATERIALIZED VIEW",
    "PROCEDURE",
    "SEQUENCE",
    "TABLE",
    "TYPE",
    "VIEW",
)
# Only a superuser makes these.
_FOR_SUPERUSERS = ("EVENT TRIGGER", "FOREIGN DATA WRAPPER")


@dataclass(frozen=True)
class DumpEntry:
    """A line of `pg_restore --list`: `rest` is schema (or a hyphen), name and owner, with blanks between them."""

    line: str
    kind: str
    rest: str

    @property
    def name(self) -> str:
        """For people, as `auth.users`."""
        schema, _blank, rest = self.rest.rpartition(" ")[0].partition(" ")
        return rest if schema == "-" else f"{schema}.{rest}"

    def belongs_to(self, roles: t.Collection[str]) -> bool:
        return any(self.rest.endswith(f" {role}") for role in roles)

    def stands_in(self, schemas: t.Collection[str]) -> bool:
        return any(self.rest.startswith(f"{schema} ") for schema in schemas)

    def names(self, objects: t.Collection[str]) -> bool:
        """Whether it is one of these objects, which belong to no schema."""
        return any(self.rest.startswith(f"- {name} ") for name in objects)

    def remarks_on(self, kind: str) -> bool:
        """Whether it is a comment on, or a grant of, an object of that kind."""
        return self.kind in ("COMMENT", "ACL", "SECURITY LABEL") and f"- {kind} " in self.rest


@dataclass(frozen=True)
class DumpSelection:
    """`lines`: for `pg_restore --use-list`, None for all. `left_out`: the missing parts, a few words each."""

    lines: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()

    def expected(self, rows: t.Mapping[str, int]) -> t.Mapping[str, int]:
        """Those of the manifest's rows that are restored."""
        if self.lines is None:
            return rows
        data = sorted(entry.rest for entry in parse(self.lines) if entry.kind == "TABLE DATA")
        restored = (name for name in rows if any_begins(data, f"{_printed(name)} "))
        return {name: rows[name] for name in restored}


@dataclass(frozen=True)
class RestoreTarget:
    """The present database of a restore in place. Names are as in the catalog."""

    roles: frozenset[str]
    """Those that we may act as."""
    others: frozenset[str]
    """Schemas of other roles."""
    schemas: frozenset[str]
    extensions: frozenset[str]
    publications: frozenset[str]
    triggers: frozenset[str]
    """Triggers on tables in schemas of others that stay, each as `schema table trigger`."""


def parse(lines: t.Iterable[str]) -> t.Iterator[DumpEntry]:
    """The entries of these lines. Comments and unreadable lines are skipped."""
    for line in lines:
        entry = LISTED_ENTRY.match(line)
        known = _KIND.match(entry["what"]) if entry else None
        if known:
            yield DumpEntry(line, known["kind"], known["rest"])


def select_in_place(lines: t.Sequence[str], ground: RestoreTarget) -> DumpSelection:
    """Select our objects in our schemas. Present schemas, extensions and publications stay as they are."""

    def keeps(entry: DumpEntry) -> bool:
        if entry.kind == "TRIGGER" and entry.stands_in(ground.others):
            return not any(entry.rest.startswith(f"{stays} ") for stays in ground.triggers)
        if entry.kind == "EXTENSION":
            return not entry.names(ground.extensions)
        if entry.kind in _FOR_SUPERUSERS or entry.remarks_on("EXTENSION"):
            return False
        if entry.kind == "SCHEMA" and entry.names(ground.schemas):
            return False
        if entry.kind == "PUBLICATION" and entry.names(ground.publications):
            return False
        return entry.belongs_to(ground.roles) and not entry.stands_in(ground.others)

    whole = [f"schemas of other roles: {', '.join(sorted(ground.others))}"] if ground.others else []
    return _select(
        lines,
        keeps,
        whole,
        lambda entry: entry.kind in _OBJECTS and not entry.stands_in(ground.others),
    )


def select_for_scratch(
    lines: t.Sequence[str],
    roles: t.Collection[str],
    impossible: t.Mapping[str, str],
    configured: t.Collection[str],
) -> DumpSelection:
    """Select all entries but those that need other roles.

    `impossible`: extensions with the reason each. `configured`: tables that the other extensions create, each as
    `schema table`.
    """
    entries = tuple(parse(lines))
    tables = {entry.rest for entry in entries if entry.kind in ("TABLE", "SEQUENCE")}

    def keeps(entry: DumpEntry) -> bool:
        if entry.kind == "EXTENSION":
            return not entry.names(impossible)
        if entry.kind in ("ACL", "DEFAULT ACL", "PUBLICATION", "PUBLICATION TABLE", "SUBSCRIPTION"):
            return entry.belongs_to(roles)
        if entry.kind in ("TABLE DATA", "SEQUENCE SET") and entry.rest not in tables:
            return any(entry.rest.startswith(f"{name} ") for name in configured)
        return not (
            entry.kind in _FOR_SUPERUSERS
            or any(entry.remarks_on(kind) for kind in ("EXTENSION", *_FOR_SUPERUSERS))
        )

    left_out = [f"extension {name} ({why})" for name, why in sorted(impossible.items())]
    if any(not entry.belongs_to(roles) and entry.kind != "EXTENSION" for entry in entries):
        left_out.append("owners and grants of other roles")
    return _select(lines, keeps, left_out, lambda _entry: False)


def extensions_of(lines: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(
        entry.rest.removeprefix("- ").strip() for entry in parse(lines) if entry.kind == "EXTENSION"
    )


def _select(
    lines: t.Sequence[str],
    keeps: t.Callable[[DumpEntry], bool],
    left_out: t.Sequence[str],
    tells: t.Callable[[DumpEntry], bool],
) -> DumpSelection:
    selected: list[str] = []
    named: dict[str, list[str]] = {}
    for entry in parse(lines):
        if keeps(entry):
            selected.append(entry.line)
        elif entry.kind in _FOR_SUPERUSERS or tells(entry):
            named.setdefault(entry.kind, []).append(entry.name)
    by_kind = (f"{kind.lower()}s: {', '.join(names)}" for kind, names in named.items())
    return DumpSelection(tuple(selected), (*left_out, *by_kind))


def _printed(name: str) -> str:
    """`schema.table` of a manifest as the list of a dump prints it, without quotes and with a blank between them."""
    match = _NAME.fullmatch(name)
    if match is None:
        return name
    parts = (
        part[1:-1].replace('""', '"') if part.startswith('"') else part for part in match.groups()
    )
    return " ".join(parts)


_AVAILABLE = "SELECT e.name::text FROM pg_catalog.pg_available_extensions e"


def refuse_missing_extensions(
    session: Session, order: RestoreRequest, needed: t.Sequence[str]
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

    def is_restored(schema: str) -> bool:
        return schema not in others and contents.has_schema(schema)

    triggers = session.rows(_TRIGGERS, (list(others),))
    goes = {
        name: (allowed, drop)
        for name, schema, ours, allowed, drop in triggers
        if ours and is_restored(schema)
    }
    if closed := [name for name, (allowed, _drop) in goes.items() if not allowed]:
        raise RefusedError(
            f"Trigger {', '.join(closed)} goes with its function, and user {order.target.user!r} "
            "lacks the privilege TRIGGER to make it again: grant it. Nothing was touched."
        )
    policies = session.rows(_POLICIES, (list(others),))
    if lost := [policy for policy, schema in policies if is_restored(schema)]:
        raise RefusedError(
            f"Policy {', '.join(lost)} uses what is to be restored, and only the owner of its "
            "table can make it again: drop it, restore, and make it again. Nothing was touched."
        )
    ground = RestoreTarget(
        roles=roles_of(session),
        others=frozenset(others),
        schemas=_names(session, _SCHEMAS),
        extensions=_names(session, _EXTENSIONS),
        publications=_names(session, _PUBLICATIONS),
        triggers=frozenset(name for name, *_rest in triggers if name not in goes),
    )
    return ground, tuple(sorted({drop for _allowed, drop in goes.values()}))


def expected_rights(
    session: Session, order: RestoreRequest, foreign: t.Collection[str] = ()
) -> ExpectedRights | None:
    """None where there is nothing to compare. What stands in `foreign` schemas, or belongs to roles that we may not act
    as, is not restored."""
    manifest = order.backup.manifest
    if not order.restores_owners or not manifest.rights:
        return None
    roles = roles_of(session)
    return ExpectedRights(
        ungrouped(manifest.rights),
        lambda subject, owner: subject.schema not in foreign and owner in roles,
        roles,
        backup_major=parse_program_version(f"version {manifest.server_version}")[0],
        present_major=session.server_version[0],
    )


def is_superuser(session: Session) -> bool:
    return bool(session.rows("SHOW is_superuser")[0][0] == "on")


def roles_of(session: Session) -> frozenset[str]:
    """Those that we may act as."""
    return _names(session, _ROLES)


def try_extensions(
    session: Session, names: t.Sequence[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Which of them cannot be made in this database, each with why; and the tables, as `schema table`, that the rest
    brings along with rows. Nothing of it stays."""
    impossible: dict[str, str] = {}
    session.execute("BEGIN")
    try:
        for name in names:
            session.execute("SAVEPOINT attempt")
            try:
                databases.change(session, "CREATE EXTENSION IF NOT EXISTS %I CASCADE", name)
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


def _names(session: Session, sql: str) -> frozenset[str]:
    return frozenset(name for (name,) in session.rows(sql))
