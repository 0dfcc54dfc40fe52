# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database has before the migrations run, but for what is the system's or an extension's own."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ..._postgres import LOCK_NOT_AVAILABLE, Session, SqlError
from ..execution import session_role
from .parser import Name, signature, to_options
from .routines import Signature

Key: t.TypeAlias = "tuple[str, ...]"
"""A kind of object, then its schema, its table where it belongs to one, and its name."""


@dataclass(frozen=True)
class Column:
    """`modifier` as in pg_attribute.atttypmod, -1 without one."""

    type: str
    modifier: int
    not_null: bool
    has_default: bool = True


@dataclass(frozen=True)
class Domain:
    """`rewrites` when it, or a domain below it, has a CHECK or NOT NULL; `default` is SQL."""

    rewrites: bool
    default: str | None = None


class TriggerFunction(t.NamedTuple):
    """`before_row` when it is asked before each row is written, and may have it left out."""

    function: tuple[str, str]
    before_row: bool


class Fired(t.NamedTuple):
    """A trigger or a rule. `events` as in pg_trigger.tgtype: 4 insert, 8 delete, 16 update, 32 truncate."""

    name: str
    events: int
    function: str
    """As it was made; empty where it is one of PostgreSQL's own."""


class Grant(t.NamedTuple):
    """PUBLIC has no name; OWNER stands for what only an owner may."""

    role: str
    privilege: str


class Policy(t.NamedTuple):
    """`command` as in pg_policy.polcmd, * for all of them; the empty role is PUBLIC."""

    command: str
    roles: frozenset[str]
    permissive: bool


class RowSecurity(t.NamedTuple):
    enabled: bool
    forced: bool


@dataclass(frozen=True)
class Catalog:
    """Keys are schema and name, or schema, table and name; of a function schema, name and signature."""

    search_path: tuple[str, ...] = ("public",)
    user: str = ""
    maker: str = ""
    """The role that owns what Supabase's migrations make."""
    schemas: frozenset[str] = frozenset({"public"})
    relations: t.Mapping[tuple[str, str], str] = field(default_factory=dict)
    """To pg_class.relkind."""
    system_relations: frozenset[str] = frozenset()
    """Names of the server's own, and of what is temporary."""
    foreign_relations: frozenset[tuple[str, str]] = frozenset()
    """Those whose owner the session's user is not, nor a member of."""
    granted: t.Mapping[Key, frozenset[Grant]] = field(default_factory=dict)
    """Of each relation, function, schema and type by its kind and key, those of its columns too."""
    default_granted: t.Mapping[Key, frozenset[Grant]] = field(default_factory=dict)
    """What a new relation or function of the user gets, by kind and schema; "" is any schema."""
    view_options: t.Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """Of each view those that are on: security_invoker, security_barrier, check_option=<which>."""
    fired: t.Mapping[tuple[str, str], tuple[Fired, ...]] = field(default_factory=dict)
    """Of each table what its statements run, on tables that inherit from it too."""
    columns: t.Mapping[tuple[str, str, str], Column] = field(default_factory=dict)
    scanned_columns: frozenset[tuple[str, str, str]] = frozenset()
    """With another type their indexes are built again, and their rows are checked again, under ACCESS EXCLUSIVE."""
    constraints: t.Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """To their SQL, as ADD CONSTRAINT has it behind the name."""
    index_columns: t.Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Of unique indexes."""
    default_partitions: t.Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Of partitioned tables."""
    types: t.Mapping[tuple[str, str], str] = field(default_factory=dict)
    """To pg_type.typtype, 'e' for an enum and 'd' for a domain."""
    domains: t.Mapping[tuple[str, str], Domain] = field(default_factory=dict)
    """Those of information_schema too."""
    functions: t.Mapping[tuple[str, str], tuple[Signature, ...]] = field(default_factory=dict)
    volatile: t.Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """Of each name of functions, those of the system and of extensions too, whether one of them is volatile."""
    calls: t.Mapping[tuple[str, str], frozenset[Name]] = field(default_factory=dict)
    """Functions that defaults, CHECKs and views run."""
    definitions: t.Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """As they were made, of those functions, and of those that were asked for with all that they call."""
    row_security: t.Mapping[tuple[str, str], RowSecurity] = field(default_factory=dict)
    policies: t.Mapping[tuple[str, str, str], Policy] = field(default_factory=dict)
    triggers: t.Mapping[tuple[str, str, str], TriggerFunction] = field(default_factory=dict)
    swallowing: frozenset[tuple[str, str]] = frozenset()
    """Functions of triggers with a RETURN NULL in them."""
    sizes: t.Mapping[tuple[str, str], int] = field(default_factory=dict)
    """In bytes, with TOAST; of the tables that were asked for, unless they were locked."""
    rules: frozenset[tuple[str, str, str]] = frozenset()
    extensions: frozenset[str] = frozenset()

    def has(self, kind: str, *key: str) -> bool | None:
        """None when objects of this kind are not known."""
        if kind == "function":
            there = self.functions.get((key[0], key[1]), ())
            return key[2] in {signature(each.types) for each in there}
        return key in self.keys(kind) if kind in (*_KINDS, "schema", "extension") else None

    def keys(self, kind: str) -> t.Collection[tuple[str, ...]]:
        """All that there are of a kind."""
        if kind in ("schema", "extension"):
            return {(name,) for name in (self.schemas if kind == "schema" else self.extensions)}
        return t.cast("t.Collection[tuple[str, ...]]", getattr(self, _KINDS[kind]))


_KINDS: t.Final = {
    "relation": "relations",
    "column": "columns",
    "constraint": "constraints",
    "type": "types",
    "policy": "policies",
    "trigger": "triggers",
    "rule": "rules",
}
_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_CLASS = "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"


def _of_relations(columns: str = "", *, joins: str = "", where: str = "true") -> str:
    """Schema and name of each relation that is not the system's, and these columns."""
    return f"SELECT n.nspname, c.relname{columns} FROM {_CLASS} {joins} WHERE {where} AND {_OURS}"  # noqa: S608 - constants


_RELATIONS = _of_relations(", c.relkind")
_VIEW_OPTIONS = _of_relations(", coalesce(c.reloptions, '{}')", where="c.relkind = 'v'")
_SYSTEM_RELATIONS = f"SELECT DISTINCT c.relname FROM {_CLASS} WHERE NOT ({_OURS})"  # noqa: S608 - constants
_FOREIGN_RELATIONS = _of_relations(where="NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')")


def _acl(granted: str, owner: str, kind: str = "NULL") -> str:
    """Pairs of role and privilege. Without a list of its own an object has acldefault's (utils/adt/acl.c)."""
    return f"""ARRAY(
  SELECT ARRAY[coalesce(r.rolname, ''), g.privilege] FROM (
    SELECT x.grantee, x.privilege_type
    FROM pg_catalog.aclexplode(coalesce({granted}, pg_catalog.acldefault({kind}, {owner}))) x
    UNION SELECT {owner}, 'OWNER') g (role, privilege) LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.role)"""  # noqa: S608 - constants


_ACL_OF_RELATION = _acl(
    "c.relacl", "c.relowner", "CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END"
)
_OF_COLUMNS = """ARRAY(
  SELECT ARRAY[coalesce(r.rolname, ''), x.privilege_type] FROM pg_catalog.pg_attribute a,
    pg_catalog.aclexplode(a.attacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
  WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)"""
_GRANTED_ON_RELATIONS = _of_relations(
    f", 'relation', {_ACL_OF_RELATION} || {_OF_COLUMNS}",
    where="c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')",
)
_GRANTED = f"""
{_GRANTED_ON_RELATIONS}
UNION ALL SELECT n.nspname, '', 'schema', {_acl("n.nspacl", "n.nspowner", "'n'")}
FROM pg_catalog.pg_namespace n WHERE {_OURS}
UNION ALL SELECT n.nspname, t.typname, 'type', {_acl("t.typacl", "t.typowner", "'T'")}
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'c', 'r') AND {_OURS}
"""  # noqa: S608 - constants
# Those of a schema come on top of the others, which stand in for acldefault.
_DEFAULT_GRANTED = f"""
SELECT coalesce(n.nspname, ''), '', CASE d.defaclobjtype WHEN 'f' THEN 'function' ELSE 'relation' END,
  {_acl("d.defaclacl", "d.defaclrole")}
FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole WHERE r.rolname = %s AND d.defaclobjtype IN ('r', 'f')
"""  # noqa: S608 - constants
_COLUMNS = _of_relations(
    """, a.attname, t.typname, a.atttypmod, a.attnotnull AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint k
  WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum AND NOT k.convalidated
), a.atthasdef OR a.attidentity <> ''""",
    joins="""JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid""",
    where="a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm')",
)
# PostgreSQL keeps an index through a change of type only if it has no expression and no condition (CheckIndexCompatible
# in src/backend/commands/indexcmds.c), and checks a CHECK again (ATPostAlterTypeCleanup in tablecmds.c).
# A new type brings its own collation, and a column that had another one is sorted anew.
_SCANNED_COLUMNS = " UNION ".join(
    _of_relations(
        ", a.attname",
        joins=f"JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid {joins}",
        where=where,
    )
    for joins, where in (
        (
            """JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.refobjsubid > 0
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid""",
            "((k.contype = 'c' AND k.convalidated) OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)",
        ),
        (
            "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid",
            "a.attcollation <> t.typcollation AND c.relkind IN ('r', 'p')",
        ),
    )
)
_CONSTRAINTS = _of_relations(
    ", k.conname, pg_catalog.pg_get_constraintdef(k.oid)",
    joins="JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid",
)
_INDEX_COLUMNS = _of_relations(
    """, ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))""",
    joins="JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid",
    where="i.indisunique",
)
_DEFAULT_PARTITIONS = _of_relations(
    ", dn.nspname, d.relname",
    joins="""JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
JOIN pg_catalog.pg_class d ON d.oid = p.partdefid JOIN pg_catalog.pg_namespace dn ON dn.oid = d.relnamespace""",
)
_TYPES = f"""
SELECT n.nspname, t.typname, t.typtype
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'c', 'r') AND {_OURS}
"""  # noqa: S608 - constants
_DOMAINS = """
WITH RECURSIVE below (oid, place, base) AS (
  SELECT oid, 0, oid FROM pg_catalog.pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT b.oid, b.place + 1, t.typbasetype FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.base
  WHERE t.typtype = 'd'
)
SELECT n.nspname, d.typname,
  bool_or(t.typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid)),
  (array_agg(t.typdefault ORDER BY b.place) FILTER (WHERE t.typdefault IS NOT NULL))[1]
FROM below b JOIN pg_catalog.pg_type t ON t.oid = b.base AND t.typtype = 'd'
JOIN pg_catalog.pg_type d ON d.oid = b.oid JOIN pg_catalog.pg_namespace n ON n.oid = d.typnamespace
GROUP BY n.nspname, d.typname
"""
_FUNCTIONS = f"""
WITH named (oid, name) AS (
  SELECT t.oid, CASE WHEN e.oid IS NULL THEN replace(tn.nspname, 'pg_catalog', '') || '.' || t.typname
    ELSE replace(en.nspname, 'pg_catalog', '') || '.' || e.typname || '[]' END
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
  LEFT JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace
)
SELECT n.nspname, p.proname, p.prokind::text, p.proretset,
  (SELECT named.name FROM named WHERE named.oid = p.prorettype),
  ARRAY(
    SELECT named.name FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS u (oid, place)
    JOIN named ON named.oid = u.oid ORDER BY u.place),
  p.proargmodes::text[], p.proargnames, p.pronargdefaults, {_acl("p.proacl", "p.proowner", "'f'")}
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE {_OURS} AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""  # noqa: S608 - constants
_NO_EXTENSION = """p.prokind IN ('f', 'p') AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend e
  WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')"""
_CALLED = _of_relations(
    ", pn.nspname, p.proname",
    joins=f"""JOIN (
  SELECT adrelid AS relation, 'pg_catalog.pg_attrdef'::regclass AS class, oid FROM pg_catalog.pg_attrdef
  UNION ALL SELECT conrelid, 'pg_catalog.pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint WHERE contype = 'c'
  UNION ALL SELECT ev_class, 'pg_catalog.pg_rewrite'::regclass, oid FROM pg_catalog.pg_rewrite WHERE ev_type = '1'
) x ON x.relation = c.oid
JOIN pg_catalog.pg_depend d ON d.classid = x.class AND d.objid = x.oid AND d.refclassid = 'pg_catalog.pg_proc'::regclass
JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid AND {_NO_EXTENSION}
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace""",  # noqa: S608 - constants
)
_DEFINITIONS = f"""
SELECT n.nspname, p.proname, pg_catalog.pg_get_functiondef(p.oid)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname = ANY (%s) AND {_OURS} AND {_NO_EXTENSION}
"""  # noqa: S608 - constants
_VOLATILE = """
SELECT n.nspname, p.proname, bool_or(p.provolatile = 'v')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace GROUP BY n.nspname, p.proname
"""
_ROW_SECURITY = _of_relations(
    ", c.relrowsecurity, c.relforcerowsecurity", where="c.relkind IN ('r', 'p')"
)
_POLICIES = _of_relations(
    """, p.polname, p.polcmd, ARRAY(
  SELECT coalesce(r.rolname, '')::text FROM unnest(p.polroles) role LEFT JOIN pg_catalog.pg_roles r ON r.oid = role
), p.polpermissive""",
    joins="JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid",
)
_TRIGGERS = _of_relations(
    ", t.tgname, f.nspname, p.proname, t.tgtype & 3 = 3",
    joins="""JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace""",
    where="NOT t.tgisinternal",
)
# What a rule does is not told: '?' can be read as no function.
_FIRED = f"""
WITH RECURSIVE family (below, above) AS (
  SELECT oid, oid FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'f', 'v')
  UNION SELECT f.below, i.inhparent FROM family f JOIN pg_catalog.pg_inherits i ON i.inhrelid = f.above
), fires (relation, name, events, function) AS (
  SELECT f.above, t.tgname, t.tgtype::int,
    CASE WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN '' ELSE pg_catalog.pg_get_functiondef(p.oid) END
  FROM family f JOIN pg_catalog.pg_trigger t ON t.tgrelid = f.below
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal
  UNION ALL
  SELECT r.ev_class, r.rulename, CASE r.ev_type WHEN '2' THEN 16 WHEN '3' THEN 4 ELSE 8 END, '?'
  FROM pg_catalog.pg_rewrite r WHERE r.ev_type <> '1'
)
SELECT DISTINCT n.nspname, c.relname, fires.name, fires.events, fires.function
FROM fires JOIN pg_catalog.pg_class c ON c.oid = fires.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} ORDER BY 1, 2, 3
"""  # noqa: S608 - constants
_SWALLOWING = f"""
SELECT n.nspname, p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype AND p.prosrc ~* '\\mreturn\\s+null\\s*;' AND {_OURS}
"""  # noqa: S608 - constants
_SIZES = _of_relations(
    ", pg_catalog.pg_table_size(c.oid)",
    where="""c.relkind IN ('r', 'm') AND (c.relname = ANY (%s)
  OR EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partdefid = c.oid))""",
)
_RULES = _of_relations(
    ", r.rulename",
    joins="JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid",
    where="r.rulename <> '_RETURN'",
)


_CALL = re.compile(r"(\w+)\"?\s*\(")


def names_called(text: str) -> set[str]:
    """What may be the name of a function."""
    return {name for word in _CALL.findall(text) for name in (word, word.lower())}


def _read_definitions(
    session: Session, wanted: t.Collection[str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Of functions of these names, and of those that they call in turn."""
    definitions: dict[tuple[str, str], tuple[str, ...]] = {}
    queried: set[str] = set()
    while names := {*wanted} - queried:
        rows = session.rows(_DEFINITIONS, (sorted(names),))
        for schema, name, text in rows:
            definitions[schema, name] = (*definitions.get((schema, name), ()), text)
        queried |= names
        wanted = {name for _schema, _name, text in rows for name in names_called(text)}
    return definitions


def read_catalog(
    session: Session, sized: t.Collection[str] = (), called: t.Collection[str] = ()
) -> Catalog:
    """Of the session's database, user and search path; with the sizes of tables and the text of functions so named."""
    [(path, user)] = session.rows(
        "SELECT pg_catalog.current_schemas(false)::text[], session_user::text"
    )

    def names(sql: str) -> frozenset[str]:
        return frozenset(str(row[0]) for row in session.rows(sql))

    def by_place(sql: str, parts: int = 2) -> dict[t.Any, t.Any]:
        """From schema and name, or those of a table and a name at it, to what else is in the row."""
        rows = ((tuple(row[:parts]), tuple(row[parts:])) for row in session.rows(sql))
        return {place: more[0] if len(more) == 1 else more for place, more in rows}

    def grouped(sql: str, made: t.Callable[..., t.Any]) -> dict[tuple[str, str], tuple[t.Any, ...]]:
        groups: dict[tuple[str, str], tuple[t.Any, ...]] = {}
        for schema, name, *more in session.rows(sql):
            groups[schema, name] = (*groups.get((schema, name), ()), made(*more))
        return groups

    maker = session_role(str(user)) or str(user)
    calls: dict[tuple[str, str], frozenset[Name]] = {}
    for schema, name, *function in session.rows(_CALLED):
        calls[schema, name] = calls.get((schema, name), frozenset()) | {Name(*function)}
    hidden = {each.name for of in calls.values() for each in of}
    same: dict[frozenset[Grant], frozenset[Grant]] = {}

    def grants(pairs: t.Iterable[t.Sequence[str]]) -> frozenset[Grant]:
        """One object for equal ones: thousands of objects have the same privileges."""
        listed = frozenset(Grant(*pair) for pair in pairs)
        return same.setdefault(listed, listed)

    functions: dict[tuple[str, str], tuple[Signature, ...]] = {}
    granted: dict[Key, frozenset[Grant]] = {}
    for schema, name, *described, listed in session.rows(_FUNCTIONS):
        made = _to_signature(*described)
        functions[schema, name] = (*functions.get((schema, name), ()), made)
        granted["function", schema, name, signature(made.types)] = grants(listed)
    for schema, name, kind, listed in session.rows(_GRANTED):
        granted[(kind, schema, name) if name else (kind, schema)] = grants(listed)
    return Catalog(
        search_path=tuple(path),
        user=str(user),
        maker=maker,
        schemas=names("SELECT nspname FROM pg_catalog.pg_namespace"),
        relations=by_place(_RELATIONS),
        system_relations=names(_SYSTEM_RELATIONS),
        foreign_relations=frozenset(by_place(_FOREIGN_RELATIONS)),
        granted=granted,
        default_granted={
            (kind, schema): grants(listed)
            for schema, _name, kind, listed in session.rows(_DEFAULT_GRANTED, (maker,))
        },
        view_options={
            place: to_options(tuple(each.split("=", 1)) for each in options)
            for place, options in by_place(_VIEW_OPTIONS).items()
        },
        fired=grouped(_FIRED, Fired),
        columns={place: Column(*of) for place, of in by_place(_COLUMNS, 3).items()},
        scanned_columns=frozenset(by_place(_SCANNED_COLUMNS, 3)),
        constraints=by_place(_CONSTRAINTS, 3),
        index_columns={place: tuple(names) for place, names in by_place(_INDEX_COLUMNS).items()},
        default_partitions=by_place(_DEFAULT_PARTITIONS),
        types=by_place(_TYPES),
        domains={place: Domain(*of) for place, of in by_place(_DOMAINS).items()},
        functions=functions,
        volatile=by_place(_VOLATILE),
        calls=calls,
        definitions=_read_definitions(session, hidden.union(called)),
        row_security={place: RowSecurity(*of) for place, of in by_place(_ROW_SECURITY).items()},
        policies={
            place: Policy(command, frozenset(roles), permissive)
            for place, (command, roles, permissive) in by_place(_POLICIES, 3).items()
        },
        triggers={
            place: TriggerFunction((schema, name), before_row)
            for place, (schema, name, before_row) in by_place(_TRIGGERS, 3).items()
        },
        swallowing=frozenset(by_place(_SWALLOWING)),
        sizes=_read_sizes(session, sized),
        rules=frozenset(by_place(_RULES, 3)),
        extensions=names("SELECT extname FROM pg_catalog.pg_extension"),
    )


def _read_sizes(session: Session, names: t.Collection[str]) -> dict[tuple[str, str], int]:
    """Empty when somebody holds one of them exclusively: it is not waited for."""
    if not names:
        return {}
    session.execute("BEGIN")
    try:
        session.execute("SET LOCAL lock_timeout = '500ms'")
        rows = session.rows(_SIZES, (sorted(names),))
    except SqlError as exc:
        if exc.sqlstate != LOCK_NOT_AVAILABLE:
            raise
        rows = []
    finally:
        session.execute("ROLLBACK")
    return {(row[0], row[1]): row[2] for row in rows if row[2] is not None}


def _to_signature(*described: t.Any) -> Signature:
    """Of a row of pg_proc; without modes all are inputs, without names none has one."""
    kind, returns_set, result, types, modes, names, defaults = described
    modes, names = modes or ["i"] * len(types), names or [""] * len(types)
    parameters = list(zip(modes, names, map(_to_type, types), strict=True))
    columns = tuple((name, of) for mode, name, of in parameters if mode in "bot")
    if not columns and result is not None and kind != "p":
        columns = (("", _to_type(result)),)
    return Signature(
        types=tuple(of for mode, _name, of in parameters if mode in "ibv"),
        names=tuple(name for mode, name, _of in parameters if mode in "ibv"),
        optional=defaults,
        variadic="v" in modes,
        procedure=kind == "p",
        returns_set=returns_set,
        columns=columns,
    )


def _to_type(text: str) -> Name:
    schema, _dot, name = text.partition(".")
    return Name(schema or None, name)
