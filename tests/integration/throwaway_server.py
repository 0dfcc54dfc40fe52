"""A PostgreSQL server of a test's own, that it may crash."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from sandbox.postgres.cluster import choose
from sandbox.world import free_port

_STARTS_WITHIN = 20.0
_USER = "postgres"
_MEMORY = Path("/dev/shm")
_ROOM = 2 * 1024**3


def _folder() -> str | None:
    """For its data: TMPDIR, else memory where there is room: each database made and dropped is 300 files."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return None
    return str(_MEMORY) if shutil.disk_usage(_MEMORY).free > _ROOM else None


class ThrowawayServer:
    """Without passwords and TLS, on loopback. Its folder is gone when it is stopped."""

    def __init__(self, programs: Path, *more: str) -> None:
        """`more` settings of the server, as `name=value`."""
        # Not below pytest's own folder: each new session of pytest closes that to everybody else again.
        folder = self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_folder()))
        folder.chmod(0o755)
        account = choose(programs, folder)
        account.own(folder)
        data = folder / "data"
        initdb = [*account.prefix, str(programs / "initdb"), "-D", str(data)]
        made = subprocess.run(
            [*initdb, "-N", "-U", _USER, "-A", "trust", "--no-locale", "-E", "UTF8"],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env={"HOME": "/", "LANG": "C.UTF-8"},
        )
        assert made.returncode == 0, made.stderr
        self._account, self._programs = account, programs
        self.port = free_port()
        settings = (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=16MB",
            "dynamic_shared_memory_type=mmap",
            *more,
        )
        self._argv = [
            *account.prefix,
            str(programs / "postgres"),
            "-D",
            str(data),
            "-p",
            str(self.port),
        ]
        for setting in settings:
            self._argv += ["-c", setting]
        self._log = folder / "log"
        self._process = self._start()

    @property
    def options(self) -> dict[str, t.Any]:
        """Of the doc fragment _postgres."""
        return {
            "login_host": "127.0.0.1",
            "login_port": self.port,
            "login_user": _USER,
            "login_db": "postgres",
            "ssl_mode": "disable",
        }

    @contextmanager
    def standby(self) -> t.Iterator[int]:
        """A hot standby of it; the port it listens on."""
        data, port = self._folder / "standby", free_port()
        copying = [str(self._programs / "pg_basebackup"), "-R", "-c", "fast", "-D", str(data)]
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", _USER]
        subprocess.run(
            [*self._account.prefix, *copying, *where],
            check=True,
            capture_output=True,
            cwd="/",
            env={"HOME": "/"},
        )
        argv = list(self._argv)
        argv[argv.index("-D") + 1], argv[argv.index("-p") + 1] = str(data), str(port)
        with self._log.open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/")
        try:
            self._await(process, port)
            yield port
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(_STARTS_WITHIN)

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        with closing(self._connect()) as session, session.cursor() as cursor:
            session.autocommit = True
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def crash_and_restart(self) -> None:
        """Without a checkpoint: what was committed comes back from the log."""
        self._stop(signal.SIGQUIT)
        self._process = self._start()

    def become_standby(self) -> None:
        """Of a primary that it never hears of: it only reads from now on."""
        self._stop(signal.SIGINT)
        (self._folder / "data" / "standby.signal").touch()
        self._process = self._start()

    def stop(self) -> None:
        self._stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def _stop(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        self._process.wait(_STARTS_WITHIN)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(self._argv, stdout=log, stderr=log, cwd="/")
        self._await(process, self.port)
        return process

    def _await(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                self._connect(port).close()
            except psycopg2.OperationalError:
                assert process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def _connect(self, port: int | None = None) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1", port=port or self.port, user=_USER, dbname="postgres"
        )
