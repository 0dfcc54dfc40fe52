# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a migration on filled tables, takes it back, and tells what each statement did to what was there before."""

from __future__ import annotations

import typing as t
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg2.extensions import connection, cursor

_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
# What running code may rely on, a line each; of a table by its number, for only its name goes when it is renamed. What is only wider or may be more is the same line: varchar as text, a
# function by each number of arguments that it can be called with, an index or policy by its name.
_FACTS = f"""
WITH rel AS (
  SELECT c.*, CASE WHEN relkind IN ('r', 'p') THEN c.oid::text ELSE format('%I.%I', n.nspname, c.relname) END AS named,
    format('%I.%I', n.nspname, c.relname) AS shown
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
), fn AS (
  SELECT p.*, format('%I.%I', n.nspname, p.proname) AS named FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS}
)
SELECT concat_ws(' ', 'relation', shown, relkind) FROM rel
UNION ALL SELECT concat_ws(' ', 'same', shown, oid) FROM rel WHERE relkind IN ('r', 'p', 'm', 'S', 'f')
UNION ALL SELECT concat_ws(' ', 'state', named, relrowsecurity, relforcerowsecurity, relpersistence, relreplident = 'n', relispartition)
  FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL SELECT concat_ws(' ', 'options of', named, reloptions) FROM rel WHERE relkind = 'v'
UNION ALL SELECT concat_ws(' ', 'column', rel.named, quote_ident(attname), CASE WHEN atttypid = 'varchar'::regtype THEN 'text' ELSE atttypid::regtype::text END)
  FROM pg_attribute a JOIN rel ON rel.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
UNION ALL SELECT concat_ws(' ', 'nullable', rel.named, quote_ident(attname))
  FROM pg_attribute a JOIN rel ON rel.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND NOT attnotnull AND relkind IN ('r', 'p')
UNION ALL SELECT concat_ws(' ', 'default', rel.named, quote_ident(attname), attidentity, attgenerated)
  FROM pg_attribute a JOIN rel ON rel.oid = attrelid WHERE attnum > 0 AND NOT attisdropped AND (atthasdef OR attidentity <> '') AND relkind IN ('r', 'p')
UNION ALL SELECT concat_ws(' ', 'constraint', rel.named, quote_ident(conname), contype) FROM pg_constraint k JOIN rel ON rel.oid = conrelid WHERE contype <> 'n'
UNION ALL SELECT concat_ws(' ', 'child', inhrelid::regclass, inhparent::regclass, inhdetachpending) FROM pg_inherits
UNION ALL SELECT concat_ws(' ', 'no parent', rel.named) FROM rel WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = rel.oid)
UNION ALL SELECT concat_ws(' ', 'callable', named, k, array_to_string((proargtypes::oid[])[0 : k - 1], ','), prorettype, proretset, prokind, proargnames[1 : k])
  FROM fn, generate_series((pronargs - pronargdefaults)::int, pronargs::int) k
UNION ALL SELECT concat_ws(' ', 'result', named, proallargtypes::text, CASE WHEN proallargtypes IS NOT NULL THEN proargnames::text END) FROM fn WHERE proallargtypes IS NOT NULL
UNION ALL SELECT concat_ws(' ', 'policy', rel.named, polname) FROM pg_policy p JOIN rel ON rel.oid = polrelid
UNION ALL SELECT concat_ws(' ', 'no restriction', rel.named) FROM rel WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = rel.oid AND NOT polpermissive)
UNION ALL SELECT concat_ws(' ', 'trigger', rel.named, tgname, tgenabled) FROM pg_trigger t JOIN rel ON rel.oid = tgrelid WHERE NOT tgisinternal
UNION ALL SELECT concat_ws(' ', 'rule', rel.named, rulename, ev_enabled) FROM pg_rewrite JOIN rel ON rel.oid = ev_class
UNION ALL SELECT concat_ws(' ', 'no rule', rel.named) FROM rel WHERE relkind IN ('r', 'p') AND NOT relhasrules
UNION ALL SELECT concat_ws(' ', 'type', t.oid::regtype, typtype, typnotnull) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE {_OURS} AND typtype IN ('e', 'd', 'r')
UNION ALL SELECT concat_ws(' ', 'same type', t.oid::regtype, t.oid) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE {_OURS} AND typtype IN ('e', 'd', 'r')
UNION ALL SELECT concat_ws(' ', 'label', enumtypid, enumlabel) FROM pg_enum
UNION ALL SELECT concat_ws(' ', 'domain checks', t.oid::regtype, array(SELECT conname FROM pg_constraint WHERE contypid = t.oid ORDER BY 1)) FROM pg_type t WHERE typtype = 'd'
UNION ALL SELECT concat_ws(' ', 'schema', nspname, nspowner) FROM pg_namespace n WHERE {_OURS}
UNION ALL SELECT concat_ws(' ', 'extension', extname) FROM pg_extension
UNION ALL SELECT concat_ws(' ', 'collation', collnamespace::regnamespace, collname) FROM pg_collation
UNION ALL SELECT concat_ws(' ', 'operator', oprnamespace::regnamespace, oprname, oprleft, oprright) FROM pg_operator
UNION ALL SELECT concat_ws(' ', 'cast', castsource, casttarget) FROM pg_cast
UNION ALL SELECT concat_ws(' ', 'statistics', stxnamespace::regnamespace, stxname) FROM pg_statistic_ext
UNION ALL SELECT concat_ws(' ', 'published', pubname, schemaname, tablename, rowfilter) FROM pg_publication_tables JOIN rel ON rel.shown = format('%I.%I', schemaname, tablename)
UNION ALL SELECT concat_ws(' ', 'sequence', s.seqrelid, seqincrement, seqmax, seqmin, seqstart, seqcycle) FROM pg_sequence s
UNION ALL SELECT concat_ws(' ', 'granted', oid, 'owner', relowner) FROM rel
UNION ALL SELECT concat_ws(' ', 'granted', rel.oid, (x).grantee, (x).privilege_type)
  FROM (SELECT oid, aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) AS x FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'S')) rel
UNION ALL SELECT concat_ws(' ', 'granted', attrelid, attnum, (x).grantee, (x).privilege_type) FROM (SELECT attrelid, attnum, aclexplode(attacl) AS x FROM pg_attribute WHERE attacl IS NOT NULL) a
UNION ALL SELECT concat_ws(' ', 'granted', fn.oid, (x).grantee, (x).privilege_type) FROM (SELECT oid, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS x FROM fn) fn
UNION ALL SELECT concat_ws(' ', 'role', rolname, rolsuper, rolcanlogin, rolbypassrls, rolconfig) FROM pg_roles WHERE rolname !~ '^pg_'
UNION ALL SELECT concat_ws(' ', 'member', roleid, member) FROM pg_auth_members
UNION ALL SELECT concat_ws(' ', 'default privileges', d.oid, (x).grantee, (x).privilege_type) FROM (SELECT oid, aclexplode(defaclacl) AS x FROM pg_default_acl) d
UNION ALL SELECT concat_ws(' ', 'setting', name, setting) FROM pg_settings WHERE name IN ('session_replication_role', 'row_security')
"""
_RELATIONS = f"""
SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind, pg_relation_filenode(c.oid),
  ARRAY(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
  ARRAY(SELECT attnum::int FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 'i', 'S') AND {_OURS}
"""
_READ = """
SELECT c.oid, pg_stat_get_xact_tuples_returned(c.oid) FROM pg_class c WHERE c.relkind IN ('r', 'm', 't')
"""
_LOCKED = """
SELECT relation FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode = ANY (%s)
"""
_EXCLUSIVE = ["AccessExclusiveLock"]
_NO_WRITERS = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", *_EXCLUSIVE]


@dataclass(frozen=True)
class Effect:
    """`kind` is gone, rows, rewrite, scan or kept; `lasting` when making the thing again takes it back."""

    kind: str
    what: str
    lasting: bool = False


@dataclass
class Happened:
    """What each statement did, those that ran; `error` why the next one did not."""

    effects: list[list[Effect]] = field(default_factory=list)
    idle: list[bool] = field(default_factory=list)
    """Of each statement whether nothing of before the file is otherwise in any way that was looked at."""
    back: set[str] = field(default_factory=set)
    """Facts that a statement took away and that hold again at the end."""
    error: str = ""

    @property
    def lasts(self) -> bool:
        """Whether something is gone when all have run."""
        return any(each.lasting for index in range(len(self.effects)) for each in self.of(index))

    def of(self, index: int) -> list[Effect]:
        """Without what the file itself made good."""
        return [each for each in self.effects[index] if each.what not in self.back]


class _Snapshot(t.NamedTuple):
    facts: set[str]
    files: Mapping[int, int]
    rows: Mapping[int, str]
    positions: Mapping[int, str]


class Witness:
    """Of a server's database, as a superuser; every file is rolled back."""

    def __init__(self, port: int, database: str) -> None:
        self._where = {"host": "127.0.0.1", "port": port, "user": "postgres", "dbname": database}

    def watch(self, statements: Sequence[str]) -> Happened:
        with closing(psycopg2.connect(**self._where)) as session, session.cursor() as rows:
            rows.execute("SET statement_timeout = '20s'")
            session.commit()
            return _watch(session, rows, statements)


def _watch(session: connection, rows: cursor, statements: Sequence[str]) -> Happened:
    happened = Happened()
    old = _relations(rows)
    start = before = _look(rows, old)
    contents = {oid: _contents(rows, old[oid]) for oid in before.rows}
    for statement in statements:
        held = _locked(rows, _EXCLUSIVE) & old.keys()
        blocked = _locked(rows, _NO_WRITERS)
        read = _read(rows)
        try:
            rows.execute(statement)
            now_read = _read(rows)
            locked = _locked(rows, _NO_WRITERS) & old.keys()
            after = _look(rows, old)
            lost = _lost(rows, old, before, after, contents)
        except psycopg2.Error as exc:
            happened.error = f"{exc}".partition("\n")[0]
            session.rollback()
            return happened
        scanned = {oid for oid, count in now_read.items() if count > read.get(oid, 0)} & old.keys()
        effects = [Effect("gone", each, lasting=True) for each in sorted(before.facts - after.facts)]
        effects = [each for each in effects if each.what in start.facts and not _is_moot(each, after)]
        effects += [Effect("rows", old[oid].named) for oid in lost]
        rewritten = {oid for oid in before.files.keys() & after.files.keys() if before.files[oid] != after.files[oid]}
        effects += [Effect("rewrite", old[oid].named) for oid in rewritten]
        effects += [Effect("scan", old[oid].named) for oid in scanned & locked]
        effects += [Effect("kept", old[oid].named) for oid in scanned if held]
        happened.effects.append(effects)
        explicit = statement.lstrip().upper().startswith("LOCK") and locked - blocked
        moved = any(before.positions.get(oid) != at for oid, at in after.positions.items())
        happened.idle.append(not (effects or explicit or moved))
        before = after
    happened.back = {
        each.what for of in happened.effects for each in of if each.lasting and each.what in before.facts
    }
    session.rollback()
    return happened


class _Relation(t.NamedTuple):
    named: str
    kind: str
    file: int | None
    columns: Mapping[int, str]


def _relations(rows: cursor) -> dict[int, _Relation]:
    rows.execute(_RELATIONS)
    return {
        oid: _Relation(named, kind, file, dict(zip(numbers, names, strict=True)))
        for oid, named, kind, file, names, numbers in rows.fetchall()
    }


def _look(rows: cursor, old: Mapping[int, _Relation]) -> _Snapshot:
    rows.execute(_FACTS)
    facts = {line for (line,) in rows.fetchall()}
    now = _relations(rows)
    there = {oid: now[oid] for oid in old.keys() & now.keys()}
    queries: list[str] = []
    for oid, relation in there.items():
        if relation.kind == "r" and old[oid].columns.keys() <= relation.columns.keys():
            queries.append(_select(f"{oid}, {_HASH}", old[oid], relation))
        elif relation.kind == "S":
            queries.append(f"SELECT {oid}, concat(last_value, is_called) FROM {relation.named}")
    rows.execute(" UNION ALL ".join(queries))
    looked: dict[int, str] = dict(rows.fetchall())
    hashed = {oid: what for oid, what in looked.items() if there[oid].kind == "r"}
    positions = {oid: what for oid, what in looked.items() if there[oid].kind == "S"}
    files = {oid: each.file for oid, each in there.items() if each.file and each.kind in "rmi"}
    return _Snapshot(facts, files, hashed, positions)


_HASH = "md5(coalesce(string_agg(r::text, chr(10) ORDER BY r::text), ''))"


def _select(what: str, before: _Relation, now: _Relation) -> str:
    columns = ", ".join(now.columns[number] for number in before.columns)
    return f"SELECT {what} FROM (SELECT {columns} FROM ONLY {now.named}) r"


def _contents(rows: cursor, relation: _Relation) -> Counter[str]:
    rows.execute(_select("r::text", relation, relation))
    return Counter(line for (line,) in rows.fetchall())


def _lost(
    rows: cursor,
    old: Mapping[int, _Relation],
    before: _Snapshot,
    after: _Snapshot,
    contents: dict[int, Counter[str]],
) -> list[int]:
    """Tables that have not all of the rows that they had before the file; more may have come."""
    lost = []
    now = _relations(rows)
    for oid in before.rows.keys() & after.rows.keys():
        if before.rows[oid] != after.rows[oid]:
            rows.execute(_select("r::text", old[oid], now[oid]))
            there = Counter(line for (line,) in rows.fetchall())
            if contents[oid] - there:
                lost.append(oid)
                contents[oid] &= there
    return lost


def _is_moot(effect: Effect, after: _Snapshot) -> bool:
    """A privilege on what is gone itself, which is told by its name, or was made again."""
    word, oid, *_more = effect.what.split(" ")
    granted = word == "granted"
    return granted and not any(line.startswith(f"granted {oid} ") for line in after.facts)


def _read(rows: cursor) -> dict[int, int]:
    rows.execute(_READ)
    return dict(rows.fetchall())


def _locked(rows: cursor, modes: list[str]) -> set[int]:
    rows.execute(_LOCKED, (modes,))
    return {oid for (oid,) in rows.fetchall()}
