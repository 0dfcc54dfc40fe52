# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of a test's own, that it may crash."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from contextlib import closing
from pathlib import Path

import psycopg2

from sandbox.postgres.account import choose

_STARTS_WITHIN = 20.0
_USER = "postgres"


class ThrowawayServer:
    """Without passwords and TLS, on loopback. Its folder is gone when it is stopped."""

    def __init__(self, programs: Path, *more: str) -> None:
        """`more` settings of the server, as `name=value`."""
        # Not below pytest's own folder: each new session of pytest closes that to everybody else again.
        folder = self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
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
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port: int = free.getsockname()[1]
        settings = (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=16MB",
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

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        with closing(self._connect()) as session, session.cursor() as cursor:
            session.autocommit = True
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def crash_and_restart(self) -> None:
        """Without a checkpoint: what was committed comes back from the log."""
        self._stop(signal.SIGQUIT)
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
        deadline = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                self._connect().close()
            except psycopg2.OperationalError:
                assert process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)
            else:
                return process

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(host="127.0.0.1", port=self.port, user=_USER, dbname="postgres")
