"""The real PostgreSQL behind the simulated databases: one server a process, on a socket in memory, gone with it.

Real, because what a lost connection, a lock or a rollback leaves is what the simulation is about. A database is made of
its template in 11 ms, a statement takes 0.03.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from multiprocessing.util import Finalize
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection

from sandbox.cache import cached
from sandbox.postgres import cluster
from sandbox.postgres.component import unpack

CACHE = Path(__file__).parents[2] / ".sandbox" / "cache"
ADMIN, USER = "simulation", "deployer"
START_WITHIN = 30.0
DATABASES = ("platform", "agent_core")
# Effects are counted apart from `public`, which is empty before the first migration, as each tool wants it.
SCHEMA = """
CREATE SCHEMA shop;
CREATE TABLE shop.users (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE shop.orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES shop.users);
INSERT INTO shop.users SELECT n, 'user ' || n FROM generate_series(1, 20) AS n;
INSERT INTO shop.orders SELECT n, n FROM generate_series(1, 20) AS n;
CREATE SCHEMA effects;
CREATE TABLE effects.applied (version text NOT NULL, at text NOT NULL);
"""
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "io_method": "sync",
    # In the folder, which goes as a whole.
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # Nothing happens but by a step of the world.
    "autovacuum": "off",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # At once, for a real second is an hour here.
    "deadlock_timeout": "1ms",
    "timezone": "UTC",
}
_INITDB = ("-U", ADMIN, "-N", "--no-locale", "-E", "UTF8", "-A", "trust", "--wal-segsize=1")

_PID_FILE = shutil.ignore_patterns("postmaster.pid")
_CHANGING = """
SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.objid
WHERE d.datname = %s AND l.classid = 'pg_database'::regclass AND l.mode = 'AccessExclusiveLock' AND l.granted
"""


class Server:
    """`of`: whose data it begins with, flushed and at rest."""

    def __init__(self, of: Server | None = None) -> None:
        self.programs = unpack(CACHE)
        self.folder = _own_folder()
        self._account = cluster.choose(self.programs, self.folder)
        self._account.own(self.folder)
        data = of.folder / "data" if of else self._built() / "data"
        shutil.copytree(data, self.folder / "data", ignore=_PID_FILE)
        self._account.own(self.folder)
        self._process = _begin(self._account, self.programs, self.folder)
        # Of this process alone, not of its forks.
        Finalize(None, self.stop, exitpriority=0)
        self.admin = self._await()

    def connect(self, database: str, user: str = ADMIN, **options: t.Any) -> connection:
        return psycopg2.connect(host=str(self.folder), user=user, dbname=database, **options)

    def ask(self, sql: str, *values: object) -> list[tuple[t.Any, ...]]:
        with self.admin.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def make(self, database: str) -> None:
        self.ask(f"CREATE DATABASE {database} TEMPLATE shop OWNER {USER} STRATEGY FILE_COPY")

    def drop_all(self) -> None:
        """Every database that a run made. Who is still in it goes first: to drop it by force would take 0.1 s more."""
        names = "NOT datistemplate AND datname NOT IN ('postgres', 'shop')"
        ended = f"""
            SELECT pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL) s
            JOIN pg_database d ON d.oid = s.datid WHERE {names}
        """
        while self.ask(ended):
            time.sleep(0.0002)
        for (name,) in self.ask(f"SELECT datname FROM pg_database WHERE {names}"):
            self.ask(f'DROP DATABASE "{name}"')

    def flush(self) -> None:
        """All that was written is in its files."""
        self.ask("CHECKPOINT")

    def place(self) -> str:
        """In the log of all writes: where it is the same, nothing was committed between."""
        return str(self.ask("SELECT pg_current_wal_insert_lsn()")[0][0])

    def is_changing(self, database: str) -> bool:
        """Whether a transaction renames it. Who connects waits for its end, in real time and without a timeout."""
        return bool(self.ask(_CHANGING, database))

    def waits(self, pid: int) -> bool:
        """Whether a session waits for a lock of another."""
        return bool(self.ask("SELECT pg_blocking_pids(%s)", pid)[0][0])

    def is_deadlocked(self, pid: int) -> bool:
        """Two who wait for each other, of whom the server ends one in a moment."""
        asked = (
            "SELECT %s = ANY (pg_blocking_pids(other)) FROM unnest(pg_blocking_pids(%s)) AS other"
        )
        return any(row[0] for row in self.ask(asked, pid, pid))

    def cancel(self, pid: int) -> None:
        self.ask("SELECT pg_cancel_backend(%s)", pid)

    def end(self, pid: int) -> None:
        """And what it held is free when this returns."""
        self.ask("SELECT pg_terminate_backend(%s)", pid)
        self.await_end(pid)

    def await_end(self, pid: int) -> None:
        while self.ask("SELECT 1 FROM pg_stat_get_activity(%s)", pid):
            time.sleep(0.0002)

    def _built(self) -> Path:
        ours = Path(__file__).read_bytes() + (self.programs.parent / "README.md").read_bytes()
        name = f"postgres-simulation-{hashlib.sha256(ours).hexdigest()[:16]}"
        return cached(CACHE, name, self._build)

    def _build(self, folder: Path) -> None:
        data = folder / "data"
        data.mkdir()
        self._account.own(folder)
        initdb = [str(self.programs / "initdb"), "-D", str(data), *_INITDB]
        subprocess.run([*self._account.prefix, *initdb], check=True, stdout=subprocess.DEVNULL)
        self._process = _begin(self._account, self.programs, folder, socket=self.folder)
        try:
            self.admin = self._await()
            self.ask(f"CREATE ROLE {USER} LOGIN CREATEDB")
            self.ask(f"CREATE DATABASE shop OWNER {USER}")
            made = self.connect("shop", USER)
            with made, made.cursor() as cursor:
                cursor.execute(SCHEMA)
            made.close()
            self.flush()
            self.admin.close()
        finally:
            self.stop()

    def _await(self) -> connection:
        deadline = time.monotonic() + START_WITHIN
        while True:
            try:
                opened = self.connect("postgres")
            except psycopg2.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                opened.autocommit = True
                return opened

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_WITHIN)
        if self._process.args and str(self.folder / "data") in t.cast(
            "list[str]", self._process.args
        ):
            shutil.rmtree(self.folder, ignore_errors=True)


def _begin(
    as_whom: cluster.Account, programs: Path, folder: Path, socket: Path | None = None
) -> subprocess.Popen[bytes]:
    settings = {**SETTINGS, "unix_socket_directories": str(socket or folder)}
    options = [f"--{name}={value}" for name, value in settings.items()]
    argv = [*as_whom.prefix, str(programs / "postgres"), "-D", str(folder / "data"), *options]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(argv, stdout=log, stderr=log)


def _own_folder() -> Path:
    """In TMPDIR, else in memory where there is such a place. What a killed process left there goes."""
    memory = Path("/dev/shm")
    wanted = "TMPDIR" not in os.environ and os.access(memory, os.W_OK)
    parent = memory if wanted else Path(tempfile.gettempdir())
    prefix = "easymo-simulation-"
    for left in parent.glob(f"{prefix}*"):
        if not Path("/proc", left.name.removeprefix(prefix)).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = parent / f"{prefix}{os.getpid()}"
    folder.mkdir(mode=0o755)
    return folder
