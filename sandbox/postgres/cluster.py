# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL data folder: built and seeded once, copied for each run, given the run's passwords."""

from __future__ import annotations

import errno
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
import typing as t
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from sandbox import seed
from sandbox.errors import SandboxError
from sandbox.names import AGENT_CORE_DATABASE, AGENT_CORE_USER, SUPABASE_ADMIN
from sandbox.processes import setpriv
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from psycopg2.extensions import connection

START_WITHIN = 30.0
# Stand-ins for extensions that the server was not built with.
EXTENSIONS = Path(__file__).parent / "extensions"

# Throw-away data: durability is off, memory lean; locks that block a migration are logged.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "48MB",
    # In its folder: what a killed server has in /dev/shm stays there for ever.
    "dynamic_shared_memory_type": "mmap",
    "io_method": "sync",
    "jit": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # Old WAL goes at once: each run copies the whole folder.
    "wal_recycle": "off",
    "min_wal_size": "2MB",
    "max_wal_size": "512MB",
    "max_logical_replication_workers": "0",
    "password_encryption": "scram-sha-256",
    # Of the 4096 usual ones each client that connects would count all again: half of what it costs it.
    "scram_iterations": "1",
    "log_lock_waits": "on",
    "deadlock_timeout": "1s",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_INITDB = (
    "-U",
    SUPABASE_ADMIN,
    "-N",
    "--no-locale",
    "-E",
    "UTF8",
    "-A",
    "scram-sha-256",
    "--wal-segsize=1",
)


@dataclass(frozen=True)
class Account:
    prefix: tuple[str, ...]
    """Stands before the argv of every PostgreSQL server program."""
    owner: tuple[int, int] | None
    """uid and gid its files must have; None when they already do."""

    def own(self, path: Path) -> None:
        """Give `path`, a file or a folder with all in it, to the account."""
        if self.owner is None:
            return
        os.chown(path, *self.owner)
        for folder, folders, files in path.walk() if path.is_dir() else ():
            for name in (*folders, *files):
                os.chown(folder / name, *self.owner)


def choose(programs: Path, folder: Path) -> Account:
    """The account for a server with its `programs` there and its data in `folder`."""
    if os.geteuid() != 0:
        return Account(setpriv(), None)
    user = pwd.getpwnam("nobody")
    identity = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    as_nobody = Account(setpriv(*identity), (user.pw_uid, user.pw_gid))
    if _reaches(as_nobody, programs, folder):
        return as_nobody
    # Root under another name: reaches what root reaches, and needs no change of owner.
    unshare = shutil.which("unshare") or "unshare"
    mapped = (f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
    as_mapped = Account((unshare, "--user", *mapped, *setpriv()), (0, 0))
    if _reaches(as_mapped, programs, folder):
        return as_mapped
    raise SandboxError(
        f"PostgreSQL does not run as root, the user nobody cannot enter {folder}, and this kernel "
        "allows no user namespaces: give --state a folder that others may enter, or run as a "
        "normal user."
    )


def _reaches(account: Account, programs: Path, folder: Path) -> bool:
    checks = ["test", "-x", str(programs / "postgres"), "-a", "-x", str(folder)]
    answer = subprocess.run([*account.prefix, *checks], capture_output=True, check=False)
    return answer.returncode == 0


@dataclass(frozen=True)
class Cluster:
    """Programs, account and folder; `folder` holds postgresql.conf, pg_hba.conf and data/."""

    programs: Path
    account: Account
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def argv(self, *options: str) -> tuple[str, ...]:
        return (
            *self.account.prefix,
            str(self.programs / "postgres"),
            *options,
            "-D",
            str(self.data),
            "-c",
            f"config_file={self.folder / 'postgresql.conf'}",
        )

    def configure(self, port: int, settings: t.Mapping[str, str], access: str) -> None:
        """Write the two files the server reads; `access` is how pg_hba.conf calls the connection."""
        rules = self.folder / "pg_hba.conf"
        rules.write_text(f"{access} all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
        extensions = self.folder / EXTENSIONS.name
        shutil.copytree(EXTENSIONS, extensions, dirs_exist_ok=True)
        self.account.own(extensions)
        values = {
            **SETTINGS,
            **settings,
            "port": str(port),
            "hba_file": str(rules),
            "extension_control_path": f"$system:{extensions}",
        }
        (self.folder / "postgresql.conf").write_text(
            "".join(f"{name} = '{value}'\n" for name, value in values.items()), encoding="utf-8"
        )

    def set_passwords(self, passwords: t.Mapping[str, str]) -> None:
        """In single-user mode, before anybody can connect; on stdin, for argv is public."""
        statements = (
            f"ALTER ROLE {role} PASSWORD '{password}'\n" for role, password in passwords.items()
        )
        _run([*self.argv("--single"), "postgres"], "".join(statements))


def fingerprint(megabytes: int, version: str) -> str:
    """Names what `build` makes: the seed, the server's version and how the folder is made."""
    files = (Path(__file__), *sorted(EXTENSIONS.rglob("*.*")))
    ours = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(f"{seed.fingerprint(megabytes)} {version}".encode() + ours).hexdigest()[
        :16
    ]


def build(cluster: Cluster, megabytes: int, port: int) -> None:
    """Make the data folder, both databases and their seed, with passwords nobody keeps.

    The server that does it listens on `port`.
    """
    password = secrets.token_hex(20)
    cluster.data.mkdir()
    cluster.account.own(cluster.data)
    password_file = cluster.folder / "password"
    write_private(password_file, password.encode())
    cluster.account.own(password_file)
    initdb = [*cluster.account.prefix, str(cluster.programs / "initdb"), "-D", str(cluster.data)]
    _run([*initdb, *_INITDB, f"--pwfile={password_file}"])
    password_file.unlink()
    cluster.configure(port, {}, "host")
    with (cluster.folder / "build.log").open("wb") as log:
        server = subprocess.Popen(cluster.argv(), stdout=log, stderr=log, cwd=cluster.folder)
    try:

        def connect(database: str) -> connection:
            # PGSSLMODE may be set: by `sandbox env` of a shell, for the server that this one is made for.
            return psycopg2.connect(
                host="127.0.0.1",
                port=port,
                user=SUPABASE_ADMIN,
                password=password,
                dbname=database,
                sslmode="disable",
            )

        _await_server(server, connect)
        _create_databases(connect)
        seed.seed(connect, megabytes)
        _tidy(connect)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(START_WITHIN)


def copy(source: Path, cluster: Cluster) -> None:
    """A copy of a built data folder, sharing its blocks where the file system can."""
    shutil.rmtree(cluster.data, ignore_errors=True)
    _run(["cp", "-a", "--reflink=auto", str(source / "data"), str(cluster.data)])
    cluster.account.own(cluster.data)


def _create_databases(connect: t.Callable[[str], connection]) -> None:
    _execute(
        connect("postgres"),
        f"CREATE ROLE {AGENT_CORE_USER} LOGIN CREATEDB",
        f"CREATE DATABASE {AGENT_CORE_DATABASE} OWNER {AGENT_CORE_USER}",
    )


def _tidy(connect: t.Callable[[str], connection]) -> None:
    """Statistics as a database in use has them, and little WAL to copy."""
    for database in ("postgres", AGENT_CORE_DATABASE):
        _execute(connect(database), "VACUUM (ANALYZE)", "CHECKPOINT")


def _execute(connection: connection, *statements: str) -> None:
    connection.autocommit = True  # None of them can be inside a transaction.
    with closing(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _await_server(server: subprocess.Popen[bytes], connect: t.Callable[[str], connection]) -> None:
    deadline = time.monotonic() + START_WITHIN
    while True:
        try:
            connect("postgres").close()
        except psycopg2.OperationalError as exc:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SandboxError(f"PostgreSQL did not start to be seeded: {exc}") from exc
            time.sleep(0.03)
        else:
            return


def _run(argv: t.Sequence[str], stdin: str = "") -> None:
    answer = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        # libpq and initdb look into HOME, which need not be theirs to enter.
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "LANG": "C.UTF-8"},
    )
    if answer.returncode != 0 or "ERROR:" in answer.stderr:
        raise SandboxError(_complaint(argv, answer.stderr))


def _complaint(argv: t.Sequence[str], output: str) -> str:
    """What failed and why, out of what may be a page of log."""
    if os.strerror(errno.ENOSPC) in output:
        return "No space is left for PostgreSQL's data: free some or choose another --state folder."
    program = next((Path(word).name for word in reversed(argv) if "/bin/" in word), argv[0])
    lines = output.strip().splitlines()
    marks = ("PANIC:", "FATAL:", "ERROR:", "error:")
    first = next(
        (line for line in lines if any(mark in line for mark in marks)), lines[-1] if lines else ""
    )
    return f"PostgreSQL could not be prepared, for {program} failed: {first}"
