"""Runs a migration on filled tables, takes it back, and tells what each statement did to what was there before."""

import re
import time
import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psycopg2
from psycopg2.extensions import connection, cursor

_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_FACTS = Path(__file__).with_suffix(".sql").read_text()
_RELATIONS = f"""
SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind, pg_relation_filenode(c.oid),
  ARRAY(SELECT quote_ident(attname) FROM pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
  ARRAY(SELECT attnum::int FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 'i', 'S') AND {_OURS}
"""
_READ = """
SELECT c.oid, pg_stat_get_xact_tuples_returned(c.oid) FROM pg_class c WHERE c.relkind IN ('r', 'm', 't')
"""
_WRITTEN = """
SELECT oid, pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
  + pg_stat_get_xact_tuples_deleted(oid)
FROM pg_class WHERE relkind IN ('r', 'm')
"""
_OURS_FROM = 16384
"""Numbers below it are the server's own: its catalogs."""
_LOCKED = """
SELECT relation FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND granted AND mode = ANY (%s)
"""
_EXCLUSIVE = ["AccessExclusiveLock"]
_NO_WRITERS = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", *_EXCLUSIVE]
_ALONE = re.compile(
    r"(?i)(CREATE (UNIQUE )?INDEX CONCURRENTLY|DROP INDEX CONCURRENTLY|REINDEX .*CONCURRENTLY) "
)
"""What PostgreSQL refuses in a transaction."""
_EVERY = 0.002
_LOCKS = re.compile(r"(?i)^\s*LOCK\b|\bLOCK\s+TABLE\b")
_NAMES = re.compile(r"(?i)\s*ALTER\s+(TRIGGER|POLICY)\s[^;]*\sRENAME\s+TO\s")
"""No code uses these names."""


@dataclass(frozen=True)
class Effect:
    """`kind` is gone, rows, rewrite, scan, kept or locked; `lasting` when making the thing again takes it back."""

    kind: str
    what: str
    lasting: bool = False


@dataclass
class Happened:
    """What each statement did, those that ran; `error` why the next one did not."""

    effects: list[list[Effect]] = field(default_factory=list)
    idle: list[bool] = field(default_factory=list)
    """Of each statement whether nothing of before the file is otherwise in any way that was looked at."""
    empty: list[bool] = field(default_factory=list)
    """Of each statement whether it did nothing and locked a table without rows, where there is nothing to read."""
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
    written: Mapping[int, int]
    """Rows of tables and catalogs that the transaction has written by now."""


class Witness:
    """Of a server's database, as a superuser; a file is rolled back unless it `stays`."""

    def __init__(self, port: int, database: str) -> None:
        self._where = {"host": "127.0.0.1", "port": port, "user": "postgres", "dbname": database}

    def watch(self, statements: Sequence[str]) -> Happened:
        with closing(psycopg2.connect(**self._where)) as session, session.cursor() as rows:
            rows.execute("SET statement_timeout = '20s'")
            session.commit()
            session.autocommit = self.stays(statements)
            return _watch(session, rows, statements)

    @staticmethod
    def stays(statements: Sequence[str]) -> bool:
        """A file with a statement that commits by itself. Of its locks `watch` sees none, `time_locks` does."""
        return any(_ALONE.match(each) for each in statements)

    def time_locks(self, statements: Sequence[str]) -> list[float]:
        """Of each statement the seconds in which nobody could write to some table of before; as many as ran."""
        seconds = []
        with closing(psycopg2.connect(**self._where)) as session, session.cursor() as rows:
            session.autocommit = self.stays(statements)
            old = _relations(rows).keys()
            for statement in statements:
                before = _locked(rows, _NO_WRITERS) & old
                with self._sampled(session.info.backend_pid, old) as sampled:
                    began = time.monotonic()
                    try:
                        rows.execute(statement)
                    except psycopg2.Error:
                        break
                    whole = time.monotonic() - began
                if session.autocommit:
                    seconds.append(sampled[0])
                else:
                    seconds.append(whole if before or _locked(rows, _NO_WRITERS) & old else 0.0)
            session.rollback()
        return seconds

    @contextmanager
    def _sampled(self, pid: int, old: t.Collection[int]) -> t.Iterator[list[float]]:
        """The seconds in which another session saw `pid` hold such a lock, summed up in a list of length one."""
        seconds, done, began = [0.0], Event(), Event()

        def sample() -> None:
            with closing(psycopg2.connect(**self._where)) as session, session.cursor() as rows:
                session.autocommit = True
                last = time.monotonic()
                began.set()
                while not done.wait(_EVERY):
                    rows.execute(_LOCKED, (pid, _NO_WRITERS))
                    now = time.monotonic()
                    if any(oid in old for (oid,) in rows.fetchall()):
                        seconds[0] += now - last
                    last = now

        thread = Thread(target=sample)
        thread.start()
        began.wait()
        try:
            yield seconds
        finally:
            done.set()
            thread.join()


def _watch(session: connection, rows: cursor, statements: Sequence[str]) -> Happened:
    happened = Happened()
    old = _relations(rows)
    start = before = _look(rows, old)
    contents = {oid: _contents(rows, old[oid]) for oid in before.rows}
    for statement in statements:
        held = _locked(rows, _EXCLUSIVE) & old.keys()
        blocked = _locked(rows, _NO_WRITERS)
        had_locked = _locks_rows(rows, statement, old)
        read = _read(rows)
        try:
            # So that a constraint reads its table where the planner would read an index of a few rows.
            altering = statement.upper().count("ALTER TABLE") > 0
            for method in ("indexscan", "indexonlyscan", "bitmapscan"):
                rows.execute(f"SET enable_{method} = {'off' if altering else 'on'}")
            rows.execute(statement)
            now_read = _read(rows)
            locked = _locked(rows, _NO_WRITERS) & old.keys()
            # Each is a transaction of its own where they commit. A setting is in no catalog, and another type may write
            # the same rows otherwise.
            whole = session.autocommit or bool(re.search(r"(?i)set|\btype\b", statement))
            after = _look(rows, old, None if whole else before)
            lost = _lost(rows, old, before, after, contents)
        except psycopg2.Error as exc:
            happened.error = f"{exc}".partition("\n")[0]
            session.rollback()
            return happened
        scanned = {oid for oid, count in now_read.items() if count > read.get(oid, 0)} & old.keys()
        effects = [
            # What ran under another setting stays as it was written.
            Effect("gone", each, lasting=not each.startswith("setting"))
            for each in sorted(before.facts - after.facts)
        ]
        effects = [each for each in effects if each.what in start.facts]
        if _NAMES.search(statement):
            effects = []
        effects += [Effect("rows", old[oid].named) for oid in lost]
        rewritten = {
            oid
            for oid in before.files.keys() & after.files.keys()
            if before.files[oid] != after.files[oid]
        }
        effects += [Effect("rewrite", old[oid].named) for oid in rewritten]
        effects += [Effect("scan", old[oid].named) for oid in scanned & locked]
        effects += [Effect("kept", old[oid].named) for oid in scanned if held]
        rows_locked = {*_locks_rows(rows, statement, old)}.difference(had_locked)
        effects += [Effect("locked", old[oid].named) for oid in sorted(rows_locked)]
        happened.effects.append(effects)
        explicit = bool(_LOCKS.search(statement)) and locked - blocked
        moved = any(before.positions.get(oid) != at for oid, at in after.positions.items())
        happened.idle.append(not (effects or explicit or moved))
        happened.empty.append(happened.idle[-1] and _is_empty(rows, locked))
        before = after
    happened.back = {
        each.what
        for of in happened.effects
        for each in of
        if each.lasting and (each.what in before.facts or _is_moot(each, start, before))
    }
    for index, effects in enumerate(happened.effects):
        happened.idle[index] |= bool(effects) and not happened.of(index)
    session.rollback()
    return happened


class _Relation(t.NamedTuple):
    named: str
    kind: str
    file: int | None
    columns: Mapping[int, str]


def _is_empty(rows: cursor, locked: set[int]) -> bool:
    tables = [
        each.named for oid, each in _relations(rows).items() if oid in locked and each.kind == "r"
    ]
    exist = [f"EXISTS (SELECT FROM {named})" for named in tables]
    rows.execute(f"SELECT {' AND '.join(['true', *exist])}")
    return not rows.fetchall()[0][0]


_FOR = re.compile(r"(?i)\bFOR\s+(NO\s+KEY\s+UPDATE|UPDATE|SHARE)\b")


def _locks_rows(rows: cursor, statement: str, old: Mapping[int, _Relation]) -> list[int]:
    """Tables with rows that a SELECT locked: their xmax is of this transaction."""
    locked = []
    for oid in old if _FOR.search(statement) else ():
        if old[oid].kind == "r":
            mine = "xmax::text = pg_current_xact_id_if_assigned()::text"
            rows.execute(f"SELECT count(*) FROM ONLY {old[oid].named} WHERE {mine}")
            locked += [oid] * (rows.fetchall()[0][0] > 0)
    return locked


def _relations(rows: cursor) -> dict[int, _Relation]:
    rows.execute(_RELATIONS)
    return {
        oid: _Relation(named, kind, file, dict(zip(numbers, names, strict=True)))
        for oid, named, kind, file, names, numbers in rows.fetchall()
    }


def _look(rows: cursor, old: Mapping[int, _Relation], before: _Snapshot | None = None) -> _Snapshot:
    """What a transaction has not written since `before` is taken from there."""
    rows.execute(_WRITTEN)
    written: dict[int, int] = dict(rows.fetchall())
    same = written.items() & before.written.items() if before else set()
    unchanged = {oid for oid, _count in same}
    facts = (
        before.facts if before and all(o in unchanged for o in written if o < _OURS_FROM) else None
    )
    if facts is None:
        # Types are shown with their schema, whatever the migration set.
        rows.execute("SELECT current_setting('search_path'), set_config('search_path', '', false)")
        ((path, _none),) = rows.fetchall()
        rows.execute(_FACTS)
        facts = {line for (line,) in rows.fetchall()}
        rows.execute("SELECT set_config('search_path', %s, false)", (path,))
    now = _relations(rows)
    there = {oid: now[oid] for oid in old.keys() & now.keys()}
    queries: list[str] = []
    kept: dict[int, str] = {}
    for oid, relation in there.items():
        known = before.rows.get(oid) if before and relation.file == before.files.get(oid) else None
        if known is not None and oid in unchanged:
            kept[oid] = known
        elif relation.kind == "r" and old[oid].columns.keys() <= relation.columns.keys():
            queries.append(_select(f"{oid}, {_HASH}", old[oid], relation))
        elif relation.kind == "S":
            queries.append(f"SELECT {oid}, concat(last_value, is_called) FROM {relation.named}")
    rows.execute(" UNION ALL ".join([*queries, "SELECT 0, ''"]))
    looked: dict[int, str] = {**kept, **dict(rows.fetchall())}
    looked.pop(0)
    hashed = {oid: what for oid, what in looked.items() if there[oid].kind == "r"}
    positions = {oid: what for oid, what in looked.items() if there[oid].kind == "S"}
    files = {oid: each.file for oid, each in there.items() if each.file and each.kind in "rmi"}
    return _Snapshot(facts, files, hashed, positions, written)


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


def _is_moot(effect: Effect, start: _Snapshot, end: _Snapshot) -> bool:
    """Of what is gone itself, which is told by its name; or who may call a function that is still the old one."""
    word, named, *more = effect.what.split(" ")
    if word == "closed":
        which = " ".join(["made", named, *more, ""])
        made = {line for line in start.facts if line.startswith(which)}
        of_name = [line.split(" ") for line in end.facts if line.startswith(f"made {named} ")]
        closed = all(
            f"closed {named} {types}" in end.facts for _made, _name, types, _oid in of_name
        )
        return made <= end.facts or closed
    granted = word == "granted" and not any(
        line.startswith(f"granted {named} ") for line in end.facts
    )
    return granted or word == "made"


def _read(rows: cursor) -> dict[int, int]:
    rows.execute(_READ)
    return dict(rows.fetchall())


def _locked(rows: cursor, modes: list[str]) -> set[int]:
    rows.execute(_LOCKED, (rows.connection.info.backend_pid, modes))
    return {oid for (oid,) in rows.fetchall()}
