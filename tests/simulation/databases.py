"""What stands in for psycopg2's connection: each statement a journey through the plan's faults to the real server.

All of the product's adapter is above it. Who waits for a lock is put aside until another step has let go of it; what a
lost connection, a killed process or a machine that is gone leaves in the server is what the real one makes of it.
"""

from __future__ import annotations

import functools
import random
import re
import select
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg2
import psycopg2.extensions
from greenlet import GreenletExit

from . import plan
from .postgres_server import DATABASES, USER, Server

if t.TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

    from .scheduler import Process, Step
    from .world import World

LATENCIES = (0.0005, 0.001, 0.002, 0.01, 0.05)
FORGOTTEN_AFTER = (1.0, 60.0, 900.0, 7200.0)
"""Seconds after which a server finds out that a peer is gone which did not say so."""
CHECKED = 1.0
"""Seconds after which it finds that out while it works, where client_connection_check_interval is set."""
_LOST = (
    "server closed the connection unexpectedly\n"
    "\tThis probably means the server terminated abnormally\n"
    "\tbefore or while processing the request.\n"
)
_WRITES = re.compile(
    r"\s*(?:INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|COMMIT|COMMENT|TRUNCATE|DO|CALL)\b",
    re.IGNORECASE,
)
_NEVER_WAITS = re.compile(
    r"\s*(?:SET|RESET|BEGIN|COMMIT|ROLLBACK|SHOW|SELECT (?:pg_catalog\.)?(?:set_config|pg_backend_pid))\b[^;]*\Z",
    re.IGNORECASE,
)
_SETS = re.compile(
    r"\b(?:SET|RESET|DISCARD|set_config|BEGIN|START|COMMIT|END|ROLLBACK|ABORT|RELEASE|DO|CALL)\b",
    re.IGNORECASE,
)
"""In what may change a setting, or bring back one that held for a transaction."""
_LOOKS_WHO = re.compile(r"\bpg_stat_activity\b|^(?:ALTER|DROP) DATABASE\b")
_DROPS = re.compile(r"DROP DATABASE IF EXISTS (\w+)")
_ENDS = re.compile(r"\bpg_terminate_backend\b")
_SETTINGS = """
SELECT current_setting('lock_timeout')::interval, current_setting('statement_timeout')::interval,
       current_setting('client_connection_check_interval') <> '0'
"""
Values = t.Sequence[t.Any] | None
Observer = t.Callable[[str, "Process | None"], None]


_SERVERS: list[Server] = []
"""The last is this process's own. The others are kept, for to close a connection here would end it for its process."""


def server() -> Server:
    """Begun when the first run needs one."""
    if not _SERVERS:
        begin_own_server()
    return _SERVERS[-1]


def begin_own_server() -> None:
    _SERVERS.append(Server())


@dataclass(eq=False)
class Waiting:
    pid: int
    step: Step
    ended: float | None = None
    """When the server was done with it, which a process that stands still learns later."""


@dataclass(eq=False)
class Peer:
    """One session of the server, and whose it is."""

    real: connection
    database: str
    process: Process | None
    pid: int
    settings: tuple[float, float, bool] = (0.0, 0.0, False)
    known: bool = False
    """Whether these are still its settings."""
    busy: bool = False
    gone: bool = False
    rows: list[tuple[t.Any, ...]] = field(default_factory=list)


class Databases:
    """Those of one run, and everybody's sessions in them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.server = server()
        self.over = False
        self.statements = 0
        self.observers: list[Observer] = []
        """Told of each database in which something may have been committed."""
        self.waited: list[t.Callable[[Process, float], None]] = []
        """Told who waited for another's lock, and how long."""
        self.dropping: list[Observer] = []
        """Told of each database that is there and is about to be dropped."""
        self.done: dict[tuple[str, str], float] = {}
        """When each process, by its name, was done with its last statement in each database."""
        self._eyes: dict[str, connection] = {}
        self._peers: list[Peer] = []
        self._waiting: list[Waiting] = []
        self._draw = random.Random(f"databases {world.plan.seed}")
        for name in DATABASES:
            self.server.make(name)
        world.ends.append(self._process_ended)

    def close(self) -> None:
        self.over = True
        for real in [*(peer.real for peer in self._peers), *self._eyes.values()]:
            real.close()
        self.server.drop_all()

    def can_be_copied(self) -> bool:
        """Whether nobody has a session, so that a fork can have a server of its own with all that is in this one."""
        if self._peers:
            return False
        self._close_eyes()
        self.server.flush()
        return True

    def copy_server(self) -> Server:
        """In a fork."""
        self.server = Server(self.server)
        _SERVERS.append(self.server)
        return self.server

    @property
    def at_rest(self) -> bool:
        """Whether no statement is on its way to an end."""
        return not any(peer.busy for peer in self._peers)

    def eye(self, database: str) -> connection:
        """Of somebody who only looks, and waits for nobody."""
        if database not in self._eyes:
            if self.server.is_changing(database):
                raise psycopg2.OperationalError(f'database "{database}" is being renamed')
            eye = self._eyes[database] = self.server.connect(database)
            eye.autocommit = True
            eye.cursor().execute("SET lock_timeout = '5ms'")
        return self._eyes[database]

    def _close_eyes(self) -> None:
        """Who only looks is no client of whom anybody has to know."""
        for eye in self._eyes.values():
            pid = eye.info.backend_pid
            eye.close()
            self.server.await_end(pid)
        self._eyes.clear()

    def connect(self, *, dbname: str, application_name: str, **_options: t.Any) -> Connection:
        """psycopg2.connect"""
        if self.over:
            raise GreenletExit
        kind, seconds = self.world.trouble(writes=False)
        self.world.sleep(self.draw.choice(LATENCIES))
        if kind in _CUT_BEFORE or kind in _CUT_AFTER or kind == plan.LATE:
            raise psycopg2.OperationalError(
                'connection to server at "db.example.com" (10.0.0.5), port 5432 failed: Connection refused'
            )
        peer = self._open(dbname, application_name, self.world.scheduler.process)
        opened = Connection(self, peer)
        self.world.trouble_after(kind, seconds)
        return opened

    @property
    def draw(self) -> random.Random:
        return self.world.draw_of(self.world.scheduler.process)

    def _open(self, database: str, application: str, process: Process | None) -> Peer:
        while self.server.is_changing(database):
            self.world.sleep(LATENCIES[-1])
        real = self.server.connect(database, USER, async_=1, application_name=application)
        while not answered(real, 1.0):
            pass
        peer = Peer(real, database, process, real.info.backend_pid)
        self._peers.append(peer)
        return peer

    @contextmanager
    def held(self, database: str, application: str) -> t.Iterator[t.Callable[..., list[t.Any]]]:
        """A session that no fault befalls, of whoever runs now."""
        peer = self._open(database, application, self.world.scheduler.process)
        try:
            yield lambda sql, values=None: self.carry_out(peer, sql, values)
        finally:
            if not self.over:
                self.drop(peer)

    # Sessions

    def carry_out(self, peer: Peer, sql: str, values: Values) -> list[tuple[t.Any, ...]]:
        """One statement, for as long as it takes, on the step that calls."""
        self.statements += 1
        asks = not peer.known and not _NEVER_WAITS.match(sql)
        if asks and peer.real.info.transaction_status in (0, 2):
            limits = self._complete(peer, _SETTINGS, None)[0]
            peer.settings = (limits[0].total_seconds(), limits[1].total_seconds(), limits[2])
            peer.known = True
        if _SETS.search(sql):
            peer.known = False
        if dropped := _DROPS.match(sql):
            for told in self.dropping:
                told(dropped[1], peer.process)
        if _LOOKS_WHO.search(sql):
            self._close_eyes()
        peer.busy = True
        try:
            rows = self._complete(peer, sql, values)
            if _ENDS.search(sql) and values:
                self.server.await_end(values[0])
            return rows
        finally:
            peer.busy = False
            if _WRITES.match(sql) or self._waiting:
                self._moved(peer)
            if peer.process is not None:
                self.done[peer.process.name, peer.database] = self.world.scheduler.now

    def drop(self, peer: Peer) -> None:
        """The server knows at once that it is gone."""
        if peer.gone:
            return
        peer.gone = True
        self._peers.remove(peer)
        peer.real.close()
        self.server.await_end(peer.pid)
        self._moved(peer)

    def forget(self, peer: Peer) -> None:
        """The server finds out after a while, or at once."""
        if self._draw.random() < 0.5:
            self.drop(peer)
        else:
            peer.process = None
            after = self.world.scheduler.now + self._draw.choice(FORGOTTEN_AFTER)
            self.world.scheduler.at(after, lambda: self._end(peer))

    def terminate(self, peer: Peer) -> None:
        """By an administrator, or because the server restarts."""
        self.server.end(peer.pid)
        self._moved(peer)

    def late(self, peer: Peer, sql: str, values: Values, after: float) -> None:
        """It arrives when nobody waits for it any more."""
        peer.process = None

        def arrive() -> None:
            with suppress(psycopg2.Error):
                self.carry_out(peer, sql, values)
            self.drop(peer)

        self.world.by_itself("network", arrive, after)

    def _end(self, peer: Peer) -> None:
        if not peer.gone:
            if peer.busy:
                self.server.end(peer.pid)
            self.drop(peer)

    def _process_ended(self, process: Process, lost: bool) -> None:
        for peer in [one for one in self._peers if one.process is process]:
            self._waiting = [one for one in self._waiting if one.pid != peer.pid]
            if lost:
                self.forget(peer)
            elif not peer.busy:
                self.drop(peer)
            elif peer.settings[2]:
                self.world.scheduler.at(
                    self.world.scheduler.now + CHECKED, functools.partial(self._end, peer)
                )
            else:
                self.world.by_itself("network", functools.partial(self._see_off, peer), 0.0)

    def _see_off(self, peer: Peer) -> None:
        """Nobody looks for its peer while it works, so the statement is carried out to its end."""
        with suppress(psycopg2.Error):
            self._await(peer)
        self.drop(peer)

    # Waiting

    def _complete(self, peer: Peer, sql: str, values: Values) -> list[tuple[t.Any, ...]]:
        asked: cursor = peer.real.cursor()
        asked.execute(sql, values)
        self._await(peer)
        return asked.fetchall() if asked.description else []

    def _await(self, peer: Peer) -> None:
        limits = [one for one in peer.settings[:2] if one]
        began = self.world.scheduler.now
        until = began + min(limits) if limits else None
        waited, cancelled, patience = 0.0, False, 0.001
        try:
            while not answered(peer.real, patience):
                if not self.server.waits(peer.pid) or self.server.is_deadlocked(peer.pid):
                    patience *= 2
                    continue
                waiting = Waiting(peer.pid, self.world.scheduler.step)
                self._waiting.append(waiting)
                if until is not None:
                    self.world.scheduler.at(until, functools.partial(self._time_out, waiting))
                self.world.scheduler.park()
                waited = (waiting.ended or self.world.scheduler.now) - began
                cancelled = until is not None and waiting.ended == until
        except psycopg2.extensions.QueryCanceledError as exc:
            if not cancelled:
                raise
            raise _timed_out(peer) from exc
        finally:
            if waited and peer.process is not None:
                for told in self.waited:
                    told(peer.process, waited)

    def _time_out(self, waiting: Waiting) -> None:
        """In virtual time, and whether or not its process goes on meanwhile."""
        if waiting in self._waiting:
            self._go_on(waiting)
            self.server.cancel(waiting.pid)

    def _go_on(self, waiting: Waiting) -> None:
        self._waiting.remove(waiting)
        waiting.ended = self.world.scheduler.now
        self.world.scheduler.wake(waiting.step)

    def _moved(self, peer: Peer) -> None:
        """Something may be free now, or committed."""
        for one in [*self._waiting]:
            if not self.server.waits(one.pid):
                self._go_on(one)
        if peer.gone or peer.real.closed or peer.real.info.transaction_status == 0:
            for observer in self.observers:
                observer(peer.database, peer.process)


_CUT_BEFORE = (plan.LOST, plan.ERROR)
_CUT_AFTER = (plan.ANSWER_LOST, plan.ERROR_DONE, plan.CONFLICT)


class Connection:
    """psycopg2's, as far as the product uses it."""

    autocommit = False

    def __init__(self, databases: Databases, peer: Peer) -> None:
        self._databases = databases
        self._world = databases.world
        self._peer = peer
        self._lost = False

    def cursor(self) -> Cursor:
        if self._lost:
            raise psycopg2.InterfaceError("connection already closed")
        return Cursor(self)

    @property
    def info(self) -> t.Any:
        return self._peer.real.info

    @property
    def server_version(self) -> int:
        return self._peer.real.server_version

    def cancel(self) -> None:
        self._databases.server.cancel(self._peer.pid)

    def close(self) -> None:
        if not self._lost and not self._databases.over:
            self._databases.drop(self._peer)
        self._lost = True

    def carry_out(self, sql: str, values: Values) -> list[tuple[t.Any, ...]]:
        databases, world, peer = self._databases, self._world, self._peer
        if databases.over:
            raise GreenletExit
        kind, seconds = world.trouble(writes=bool(_WRITES.match(sql)))
        world.sleep(databases.draw.choice(LATENCIES))
        if kind in _CUT_BEFORE:
            self._cut(peer)
        if kind == plan.THROTTLED:
            databases.terminate(peer)
        if kind == plan.LATE:
            self._lost = True
            patience = databases.draw.choice((0.1, 60.0))
            databases.late(peer, sql, values, patience + seconds)
            world.sleep(patience)
            raise psycopg2.OperationalError(_LOST)
        try:
            rows = databases.carry_out(peer, sql, values)
        except psycopg2.OperationalError as exc:
            if not exc.pgcode or exc.pgcode.startswith("57P"):
                self._lost = True
                databases.drop(peer)
            raise
        if kind == plan.SLOW:
            world.sleep(seconds)
        if kind in _CUT_AFTER:
            self._cut(peer)
        world.trouble_after(kind, seconds)
        return rows

    def _cut(self, peer: Peer) -> t.NoReturn:
        self._lost = True
        self._databases.forget(peer)
        self._world.sleep(self._databases.draw.choice((0.0, 0.1, 60.0)))
        raise psycopg2.OperationalError(_LOST)


class Cursor:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[t.Any, ...]] = []

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_exception: object) -> None:
        return

    def execute(self, sql: str, values: Values = None) -> None:
        self._rows = self._connection.carry_out(sql, values)

    def fetchall(self) -> list[tuple[t.Any, ...]]:
        return self._rows


def _timed_out(peer: Peer) -> psycopg2.Error:
    """What the server says by itself after so many seconds."""
    lock, statement, _checked = peer.settings
    if lock and (not statement or lock <= statement):
        text = "canceling statement due to lock timeout"
        return said(psycopg2.OperationalError, "55P03", text)
    text = "canceling statement due to statement timeout"
    return said(psycopg2.extensions.QueryCanceledError, "57014", text)


def told(exc: psycopg2.Error) -> str:
    """Without where this process has its server."""
    return str(exc).rpartition(" failed: ")[2].strip()


def answered(real: connection, seconds: float) -> bool:
    """Whether what it was asked is done; raises what the server says. Real seconds, for the server is real."""
    while True:
        state = real.poll()
        if state == psycopg2.extensions.POLL_OK:
            return True
        reading = state == psycopg2.extensions.POLL_READ
        ready = select.select(
            [real.fileno()] if reading else [], [] if reading else [real.fileno()], [], seconds
        )
        if not any(ready):
            return False


def said(kind: type[psycopg2.Error], sqlstate: str, message: str) -> psycopg2.Error:
    error = kind(message)
    error.__setstate__({"pgcode": sqlstate, "pgerror": f"ERROR:  {message}\n"})
    return error
