"""Child processes of the product in the world: the real programs, each one step, whose pg_dump waits as it would.

What the same program says of the same input is asked once a process: 46 ms for a dump are a third of a run.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
import subprocess
import typing as t
from contextlib import contextmanager, suppress

import psycopg2

from . import plan
from .databases import server, told
from .postgres_server import USER
from .psql import Psql

if t.TYPE_CHECKING:
    from .databases import Databases
    from .scheduler import Process
    from .world import World

_TABLES = """
SELECT c.oid, format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema' ORDER BY 2
"""
_SHAPE = """
SELECT md5(string_agg(concat_ws(' ', attrelid, attname, atttypid, attnum), '|' ORDER BY attrelid, attnum))
FROM pg_attribute WHERE attrelid = ANY (%s)
"""
_INDEXES = "SELECT md5(string_agg(indexdef, '|' ORDER BY indexdef)) FROM pg_indexes WHERE left(schemaname, 3) <> 'pg_'"
TAKES = (0.2, 1.0, 10.0, 90.0)
"""Seconds of a dump, and of what restores it."""
_MADE = re.compile(r"^\d+; \d+ \d+ ((?:FK )?CONSTRAINT|INDEX) (\S+) (.+) \S+$", re.MULTILINE)
_CUT = (plan.LOST, plan.ERROR, plan.ANSWER_LOST, plan.ERROR_DONE, plan.THROTTLED)


class Ended(t.NamedTuple):
    rc: int
    stdout: str
    stderr: str


class Child:
    """_child_process.Child, as far as the product uses it."""

    timed_out = False

    def __init__(
        self, rc: int, output: bytes, errors: str, failure: Exception | None = None
    ) -> None:
        self.stdout = io.BytesIO(output)
        self._rc = rc
        self._errors = errors
        self._failure = failure

    def wait(self) -> int:
        if self._failure is not None:
            raise self._failure
        return self._rc

    def stderr(self) -> str:
        return self._errors


class _Input:
    """What a program is given while its writer runs."""

    timed_out = False

    def __init__(self) -> None:
        self.given = b""

    def give(self, chunk: bytes) -> bool:
        self.given += chunk
        return True


class Programs:
    def __init__(self, world: World, databases: Databases) -> None:
        self._world = world
        self._databases = databases

    def find(self, name: str) -> str:
        return str(server().programs / name)

    def run(self, argv: t.Sequence[str]) -> Ended:
        self._world.sleep(0.05)
        return _said(tuple(argv))

    @contextmanager
    def child(
        self, argv: t.Sequence[str], env: t.Mapping[str, str], write: t.Any
    ) -> t.Iterator[Child]:
        if argv[0].endswith("psql"):
            running = Psql(self._world, env["PGDATABASE"], write)
            try:
                yield running
            finally:
                running.close()
        elif write is not None:
            yield self._fed([*argv], env.get("PGDATABASE", ""), write)
        else:
            yield self._dumping([*argv], env["PGDATABASE"])

    def _fed(self, argv: list[str], database: str, write: t.Callable[[_Input], None]) -> Child:
        taken = _Input()
        try:
            write(taken)
        except Exception as exc:  # raised by `wait`, as the real one does
            return Child(1, b"", "", exc)
        if any(one.startswith("--dbname") for one in argv):
            return self._restoring(argv, database, taken.given)
        self._world.sleep(0.1)
        return Child(*_listed(tuple(argv), taken.given))

    def _restoring(self, argv: list[str], database: str, given: bytes) -> Child:
        """Cut off, it has made the tables and left them empty."""
        kind, seconds = self._world.trouble(writes=True)
        cut = kind in _CUT
        try:
            with self._databases.held(database, "easymo.deploy pg_restore") as session:
                part = ["--section=pre-data"] if cut else []
                ended = subprocess.run(
                    [*argv, *part],
                    env=_place(database),
                    input=given,
                    capture_output=True,
                    check=False,
                )
                self._world.sleep(self._databases.draw.choice(TAKES))
                session("SELECT 1")
                self._world.trouble_after(kind, seconds)
        except psycopg2.Error as exc:
            return Child(1, b"", f"pg_restore: error: {told(exc)}")
        if cut:
            return Child(1, b"", "pg_restore: error: server closed the connection unexpectedly")
        return Child(ended.returncode, b"", ended.stderr.decode())

    def _dumping(self, argv: list[str], database: str) -> Child:
        kind, seconds = self._world.trouble(writes=False)
        options = dict(one.partition("=")[::2] for one in argv)
        draw = self._databases.draw
        with self._databases.held(database, "pg_dump") as session:
            try:
                session("BEGIN ISOLATION LEVEL REPEATABLE READ")
                session(f"SET TRANSACTION SNAPSHOT '{options['--snapshot']}'")
                session(f"SET lock_timeout = {options['--lock-wait-timeout']}")
                tables = [(oid, name) for oid, name in session(_TABLES)]
                if tables:
                    session(
                        f"LOCK TABLE {', '.join(name for _oid, name in tables)} IN ACCESS SHARE MODE"
                    )
                parts = [
                    str(session(_SHAPE, ([oid for oid, _name in tables],))),
                    str(session(_INDEXES)),
                ]
                for oid, name in tables:
                    rows = f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"
                    parts.append(f"{oid} {name} {session(rows)[0][0]}")
            except psycopg2.Error as exc:
                return Child(1, b"", f"pg_dump: error: query failed: {exc}")
            content = hashlib.sha256("\n".join(parts).encode()).hexdigest()
            output = _dumped(self._real_dump, argv, database, content)
            self._world.sleep(draw.choice(TAKES))
            if kind in _CUT:
                # Anywhere, or among the rows, which come last: what is in it can be listed all the same.
                at = draw.randrange(len(output))
                cut = output[: at if at % 2 else len(output) - 1 - at // 12]
                return Child(1, cut, "pg_dump: error: server closed the connection unexpectedly")
            self._world.trouble_after(kind, seconds)
        return Child(0, output, "")

    def _real_dump(self, argv: list[str], database: str) -> bytes:
        place = _place(database)
        return subprocess.run(argv, env=place, stdout=subprocess.PIPE, check=True).stdout


def _place(database: str) -> dict[str, str]:
    return {"PGHOST": str(server().folder), "PGUSER": USER, "PGDATABASE": database}


_DUMPS: dict[tuple[str, ...], bytes] = {}


def _dumped(
    dump: t.Callable[[list[str], str], bytes], argv: list[str], database: str, content: str
) -> bytes:
    known = (database, content, *(one for one in argv if not one.startswith("--snapshot")))
    if known not in _DUMPS:
        _DUMPS[known] = dump(argv, database)
    return _DUMPS[known]


@functools.cache
def _said(argv: tuple[str, ...]) -> Ended:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@functools.cache
def _listed(argv: tuple[str, ...], given: bytes) -> tuple[int, bytes, str]:
    ended = subprocess.run(argv, input=given, capture_output=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr.decode()


def content_of(dump: bytes) -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """The rows of each table as COPY writes them, in order; and the constraints and indexes that it makes."""
    listed = _listed((str(server().programs / "pg_restore"), "--list"), dump)[1].decode()
    made = _MADE.findall(listed)
    objects = frozenset(f"{kind} {schema} {name.split()[-1]}" for kind, schema, name in made)
    return {table: tuple(sorted(rows)) for table, rows in (rows_in(dump) or {}).items()}, objects


def rows_in(dump: bytes) -> dict[str, list[str]] | None:
    """Those of each table that a dump gives when it is read to its end; None when it cannot be."""
    argv = (str(server().programs / "pg_restore"), "--data-only", "--file=-")
    code, output, _errors = _listed(argv, dump)
    if code:
        return None
    found: dict[str, list[str]] = {}
    table = ""
    for line in output.decode().splitlines():
        if line.startswith("COPY "):
            table = line.split()[1]
            found[table] = []
        elif line == "\\.":
            table = ""
        elif table:
            found[table].append(line)
    return found


class CleanupNotes:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.left = False

    def note(self, text: str) -> None:
        self.lines.append(text)

    def leave_it(self) -> None:
        self.left = True


@contextmanager
def cleanup_process(
    world: World, execute: t.Callable[[t.Sequence[str]], None]
) -> t.Iterator[CleanupNotes]:
    """_cleanup_process.cleanup_process: begun at once, it acts when its parent is no more."""
    notes, parent = CleanupNotes(), world.scheduler.step.process

    def act() -> None:
        world.start(
            f"{parent.name}.cleanup",
            parent.machine,
            lambda: execute(notes.lines),
            rate=parent.rate,
            ahead=parent.ahead,
        )

    def ended(process: Process, lost: bool) -> None:
        if process is parent:
            world.ends.remove(ended)
            if not lost:
                act()

    world.ends.append(ended)
    try:
        yield notes
    finally:
        with suppress(ValueError):
            world.ends.remove(ended)
        if notes.left:
            act()
