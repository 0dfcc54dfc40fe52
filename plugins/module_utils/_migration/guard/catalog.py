# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database has before the migrations run, but for what is the system's or an extension's own."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._postgres import SqlError
from .names import Name, signature
from .signatures import Signature, to_options

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..._postgres import Session

_LOCK_NOT_AVAILABLE = "55P03"

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


class RowSecurity(t.NamedTuple):
    enabled: bool
    forced: bool


@dataclass(frozen=True)
class Catalog:
    """Keys are schema and name, or schema, table and name; of a function schema, name and signature."""

    search_path: tuple[str, ...] = ("public",)
    user: str = ""
    schemas: frozenset[str] = frozenset({"public"})
    relations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """To pg_class.relkind."""
    system_relations: frozenset[str] = frozenset()
    """Names of the server's own, and of what is temporary."""
    foreign_relations: frozenset[tuple[str, str]] = frozenset()
    """Those whose owner the session's user is not, nor a member of."""
    granted: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """Of each relation the roles that have a privilege on it or on a column of it; "" is PUBLIC."""
    view_options: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """Of each view those that are on: security_invoker, security_barrier, check_option=<which>."""
    fired: Mapping[tuple[str, str], tuple[Fired, ...]] = field(default_factory=dict)
    """Of each table what its statements run, on tables that inherit from it too."""
    columns: Mapping[tuple[str, str, str], Column] = field(default_factory=dict)
    scanned_columns: frozenset[tuple[str, str, str]] = frozenset()
    """With another type their indexes are built again, and their rows are checked again, under ACCESS EXCLUSIVE."""
    constraints: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """To pg_constraint.contype."""
    types: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """To pg_type.typtype, 'e' for an enum and 'd' for a domain."""
    domains: Mapping[tuple[str, str], Domain] = field(default_factory=dict)
    """Those of information_schema too."""
    functions: Mapping[tuple[str, str], tuple[Signature, ...]] = field(default_factory=dict)
    volatile: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """Of each name of functions, those of the system and of extensions too, whether one of them is volatile."""
    row_security: Mapping[tuple[str, str], RowSecurity] = field(default_factory=dict)
    policies: frozenset[tuple[str, str, str]] = frozenset()
    triggers: Mapping[tuple[str, str, str], TriggerFunction] = field(default_factory=dict)
    swallowing: frozenset[tuple[str, str]] = frozenset()
    """Functions of triggers with a RETURN NULL in them."""
    sizes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """In bytes, with TOAST; of the tables that were asked for, as far as nobody had them locked."""
    rules: frozenset[tuple[str, str, str]] = frozenset()
    extensions: frozenset[str] = frozenset()

    def has(self, kind: str, *key: str) -> bool | None:
        """None when objects of this kind are not known."""
        if kind == "schema":
            return key[0] in self.schemas
        if kind == "extension":
            return key[0] in self.extensions
        if kind == "function":
            there = self.functions.get((key[0], key[1]), ())
            return key[2] in {signature(each.types) for each in there}
        return key in self.keys(kind) if kind in _KINDS else None

    def keys(self, kind: str) -> Collection[tuple[str, ...]]:
        """All that there are of one of the kinds that belong to a schema or to a table."""
        return t.cast("Collection[tuple[str, ...]]", getattr(self, _KINDS[kind]))

    @property
    def function_names(self) -> frozenset[str]:
        return frozenset(name for _schema, name in self.functions)


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
_RELATIONS = f"""
SELECT n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
"""  # noqa: S608 - constants
_VIEW_OPTIONS = f"""
SELECT n.nspname, c.relname, coalesce(c.reloptions, '{{}}')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND {_OURS}
"""  # noqa: S608 - constants
_SYSTEM_RELATIONS = f"""
SELECT DISTINCT c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT ({_OURS})
"""  # noqa: S608 - constants
_FOREIGN_RELATIONS = f"""
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') AND {_OURS}
"""  # noqa: S608 - constants
# Without a list of its own a relation has its owner's privileges alone (acldefault in src/backend/utils/adt/acl.c).
_GRANTED = f"""
SELECT n.nspname, c.relname, ARRAY(
  SELECT coalesce(r.rolname, '')::text FROM (
    SELECT (pg_catalog.aclexplode(c.relacl)).grantee UNION SELECT c.relowner UNION
    SELECT (pg_catalog.aclexplode(a.attacl)).grantee FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL) g
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND {_OURS}
"""  # noqa: S608 - constants
_COLUMNS = f"""
SELECT n.nspname, c.relname, a.attname, t.typname, a.atttypmod, a.attnotnull, a.atthasdef OR a.attidentity <> ''
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND {_OURS}
"""  # noqa: S608 - constants
# PostgreSQL keeps an index through a change of type only if it has no expression and no condition (CheckIndexCompatible
# in src/backend/commands/indexcmds.c), and checks a CHECK again (ATPostAlterTypeCleanup in tablecmds.c).
# A new type brings its own collation, and a column that had another one is sorted anew.
_SCANNED_COLUMNS = f"""
SELECT n.nspname, c.relname, a.attname
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid
WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND {_OURS}
AND ((k.contype = 'c' AND k.convalidated) OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
UNION SELECT n.nspname, c.relname, a.attname
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attcollation <> t.typcollation AND c.relkind IN ('r', 'p') AND {_OURS}
"""  # noqa: S608 - constants
_CONSTRAINTS = f"""
SELECT n.nspname, c.relname, k.conname, k.contype
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
"""  # noqa: S608 - constants
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
  p.proargmodes::text[], p.proargnames, p.pronargdefaults
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE {_OURS} AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""  # noqa: S608 - constants
_VOLATILE = """
SELECT n.nspname, p.proname, bool_or(p.provolatile = 'v')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace GROUP BY n.nspname, p.proname
"""
_ROW_SECURITY = f"""
SELECT n.nspname, c.relname, c.relrowsecurity, c.relforcerowsecurity
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {_OURS}
"""  # noqa: S608 - constants
_POLICIES = f"""
SELECT n.nspname, c.relname, p.polname FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
"""  # noqa: S608 - constants
_TRIGGERS = f"""
SELECT n.nspname, c.relname, t.tgname, f.nspname, p.proname, t.tgtype & 3 = 3
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND {_OURS}
"""  # noqa: S608 - constants
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
_SIZES = f"""
SELECT n.nspname, c.relname, pg_catalog.pg_table_size(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relname = ANY (%s) AND {_OURS}
"""  # noqa: S608 - constants
_RULES = f"""
SELECT n.nspname, c.relname, r.rulename FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND {_OURS}
"""  # noqa: S608 - constants


def read_catalog(session: Session, sized: Collection[str] = ()) -> Catalog:
    """Of the session's database, with the session's user and search path, and the sizes of tables of these names."""
    path = session.rows("SELECT pg_catalog.current_schemas(false)::text[], session_user::text")
    functions: dict[tuple[str, str], list[Signature]] = {}
    for schema, name, *described in session.rows(_FUNCTIONS):
        functions.setdefault((schema, name), []).append(_to_signature(*described))
    schemas = session.rows("SELECT nspname FROM pg_catalog.pg_namespace")
    extensions = session.rows("SELECT extname FROM pg_catalog.pg_extension")
    return Catalog(
        search_path=tuple(path[0][0]) if path else ("public",),
        user=str(path[0][1]) if path else "",
        schemas=frozenset(str(row[0]) for row in schemas),
        relations={(row[0], row[1]): row[2] for row in session.rows(_RELATIONS)},
        system_relations=frozenset(str(row[0]) for row in session.rows(_SYSTEM_RELATIONS)),
        foreign_relations=frozenset((row[0], row[1]) for row in session.rows(_FOREIGN_RELATIONS)),
        granted={(row[0], row[1]): frozenset(row[2]) for row in session.rows(_GRANTED)},
        view_options={
            (row[0], row[1]): to_options(tuple(each.split("=", 1)) for each in row[2])
            for row in session.rows(_VIEW_OPTIONS)
        },
        fired=_read_fired(session),
        columns={
            (row[0], row[1], row[2]): Column(row[3], row[4], row[5], row[6])
            for row in session.rows(_COLUMNS)
        },
        scanned_columns=frozenset(
            (row[0], row[1], row[2]) for row in session.rows(_SCANNED_COLUMNS)
        ),
        constraints={(row[0], row[1], row[2]): row[3] for row in session.rows(_CONSTRAINTS)},
        types={(row[0], row[1]): row[2] for row in session.rows(_TYPES)},
        domains={(row[0], row[1]): Domain(row[2], row[3]) for row in session.rows(_DOMAINS)},
        functions={name: tuple(each) for name, each in functions.items()},
        volatile={(row[0], row[1]): row[2] for row in session.rows(_VOLATILE)},
        row_security={
            (row[0], row[1]): RowSecurity(row[2], row[3]) for row in session.rows(_ROW_SECURITY)
        },
        policies=frozenset((row[0], row[1], row[2]) for row in session.rows(_POLICIES)),
        triggers={
            (row[0], row[1], row[2]): TriggerFunction((row[3], row[4]), row[5])
            for row in session.rows(_TRIGGERS)
        },
        swallowing=frozenset((row[0], row[1]) for row in session.rows(_SWALLOWING)),
        sizes=_read_sizes(session, sized),
        rules=frozenset((row[0], row[1], row[2]) for row in session.rows(_RULES)),
        extensions=frozenset(str(row[0]) for row in extensions),
    )


def _read_fired(session: Session) -> dict[tuple[str, str], tuple[Fired, ...]]:
    fired: dict[tuple[str, str], list[Fired]] = {}
    for schema, table, *trigger in session.rows(_FIRED):
        fired.setdefault((schema, table), []).append(Fired(*trigger))
    return {table: tuple(each) for table, each in fired.items()}


def _read_sizes(session: Session, names: Collection[str]) -> dict[tuple[str, str], int]:
    """Empty when somebody holds one of them exclusively: it is not waited for."""
    if not names:
        return {}
    session.execute("BEGIN")
    try:
        session.execute("SET LOCAL lock_timeout = '500ms'")
        rows = session.rows(_SIZES, (sorted(names),))
    except SqlError as exc:
        if exc.sqlstate != _LOCK_NOT_AVAILABLE:
            raise
        rows = []
    finally:
        session.execute("ROLLBACK")
    return {(row[0], row[1]): row[2] for row in rows if row[2] is not None}


def _to_signature(
    kind: str,
    returns_set: bool,
    result: str | None,
    types: list[str],
    modes: list[str] | None,
    names: list[str] | None,
    defaults: int,
) -> Signature:
    """Of a row of pg_proc; without modes all are inputs, without names none has one."""
    parameters = list(
        zip(
            modes or ["i"] * len(types),
            names or [""] * len(types),
            map(_to_type, types),
            strict=True,
        )
    )
    inputs = [each for each in parameters if each[0] in "ibv"]
    columns = tuple((name, of) for mode, name, of in parameters if mode in "bot")
    return Signature(
        types=tuple(of for _mode, _name, of in inputs),
        names=tuple(name for _mode, name, _of in inputs),
        optional=defaults,
        variadic=any(mode == "v" for mode, _name, _of in inputs),
        procedure=kind == "p",
        returns_set=returns_set,
        columns=columns or (() if result is None or kind == "p" else (("", _to_type(result)),)),
    )


def _to_type(text: str) -> Name:
    schema, _dot, name = text.partition(".")
    return Name(schema or None, name)
