"""psql as a restore in place feeds it: its input becomes statements of a session, each a journey through faults.

A program of its own would wait for a lock in real time; what it does with a script is little. The rows of a COPY go in
by INSERT.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections import deque

import psycopg2

from .databases import told
from .scheduler import Event

if t.TYPE_CHECKING:
    from .world import World

_COPY = re.compile(r"^COPY (\S+) (\(.*\)) FROM stdin;$")
_LOST = "psql: error: connection to server was lost"


class SimpleQueue:
    """queue.SimpleQueue, in the world's time."""

    def __init__(self, world: World) -> None:
        self._put = Event(world.scheduler)
        self._given: deque[t.Any] = deque()

    def put(self, item: t.Any) -> None:
        self._given.append(item)
        self._put.set()

    def get(self) -> t.Any:
        while not self._given:
            self._put.clear()
            self._put.wait()
        return self._given.popleft()


class Psql:
    """_child_process.Child of a psql, as far as the product uses it."""

    timed_out = False

    def __init__(self, world: World, database: str, write: t.Callable[[Psql], None]) -> None:
        self._said: list[bytes] = []
        self._errors = ""
        self._rc: int | None = None
        self._failure: Exception | None = None
        self._statement: list[str] = []
        self._copy: tuple[str, list[str]] | None = None
        self._silent = False
        self._more = Event(world.scheduler)
        assert world.stores is not None
        try:
            self._opened = world.stores.databases.connect(
                dbname=database, application_name="easymo.deploy pg_restore"
            )
        except psycopg2.Error as exc:
            self._end(2, f"psql: error: {told(exc)}")
            return
        world.spawn(lambda: self._write(write))

    def _write(self, write: t.Callable[[Psql], None]) -> None:
        try:
            write(self)
        except Exception as exc:  # raised by `wait`, as the real one does
            self._failure = exc
            self._end(-9, "")
        else:
            self._execute()
            self._end(0, "")

    def _end(self, rc: int, errors: str) -> None:
        if self._rc is None:
            self._rc, self._errors = rc, errors
            if rc != 2:
                self._opened.close()
        self._more.set()

    def close(self) -> None:
        self._end(-9, "")

    # What the writer does

    def give(self, chunk: bytes) -> bool:
        for line in chunk.decode().splitlines():
            self._read(line)
        self._execute()
        return self._rc is None

    def _read(self, line: str) -> None:
        if self._copy is not None:
            into, rows = self._copy
            if line != "\\.":
                rows.append(line)
                return
            self._copy = None
            if rows:
                self._statement.append(f"INSERT INTO {into} VALUES {', '.join(map(_row, rows))};")
        elif found := _COPY.match(line):
            self._copy = f"{found[1]} {found[2]}", []
        elif line.endswith("\\gexec"):
            self._statement.append(line.removesuffix("\\gexec"))
            for (statement,) in self._execute():
                self._tell(self._ask(statement))
        elif line.startswith("\\echo "):
            self._tell(self._execute())
            if self._rc is None:
                self._tell([(line.removeprefix("\\echo "),)])
        elif line.startswith("\\o"):
            self._execute()
            self._silent = line != "\\o"
        elif not line.startswith(("\\", "--")):
            self._statement.append(line)

    def _execute(self) -> list[tuple[t.Any, ...]]:
        statement, self._statement = "\n".join(self._statement).strip(), []
        return self._ask(statement) if statement else []

    def _ask(self, statement: str) -> list[tuple[t.Any, ...]]:
        if self._rc is not None:
            return []
        try:
            return self._opened.carry_out(statement, None)
        except psycopg2.Error as exc:
            lost = not exc.pgcode or exc.pgcode.startswith("57P")
            self._end(2 if lost else 3, _LOST if lost else f"psql:<stdin>:1: ERROR:  {exc}")
            return []

    def _tell(self, rows: list[tuple[t.Any, ...]]) -> None:
        if not self._silent:
            self._said += [f"{_text(row[0])}\n".encode() for row in rows]
            self._more.set()

    # What the block does

    @property
    def stdout(self) -> Psql:
        return self

    def __iter__(self) -> t.Iterator[bytes]:
        while True:
            while not self._said and self._rc is None:
                self._more.clear()
                self._more.wait()
            if not self._said:
                return
            yield self._said.pop(0)

    def read(self) -> bytes:
        return b"".join(self)

    def wait(self) -> int:
        self.read()
        if self._failure is not None:
            raise self._failure
        return t.cast("int", self._rc)

    def stderr(self) -> str:
        return self._errors


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _row(line: str) -> str:
    """Of COPY's text format, for rows without escapes."""
    values = ("NULL" if one == "\\N" else f"'{one.replace("'", "''")}'" for one in line.split("\t"))
    return f"({', '.join(values)})"
