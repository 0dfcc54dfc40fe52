"""The real PgBouncer in front of a server: the one on PATH, or Debian's, unpacked into the cache."""

import os
import shutil
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from sandbox import cache
from sandbox.world import free_port
from tests.caches import SANDBOX_CACHE
from tests.waiting import until

NAME = "pgbouncer"


def program() -> tuple[str, dict[str, str]]:
    """The program, and what its environment needs. Raises SandboxError where there is none to be had."""
    if installed := shutil.which(NAME) or shutil.which(NAME, path="/usr/sbin"):
        return installed, {}
    root = cache.unpack(SANDBOX_CACHE, NAME, dependencies=True)
    return str(root / "usr/sbin" / NAME), {"LD_LIBRARY_PATH": cache.libraries(root)}


@contextmanager
def pooler(server_port: int, mode: str) -> t.Iterator[int]:
    """The port of one with `mode` as its pool_mode, by which everybody is let in as postgres."""
    argv, variables = program()
    # Root may not run it, and nobody may not enter pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    folder.chmod(0o755)
    port = free_port()
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server_port} user=postgres\n[pgbouncer]\nauth_type = any\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = {mode}\n"
    )
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    running = subprocess.Popen(
        [argv, *account, str(folder / "ini")],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    try:
        until(lambda: _answers(port))
        yield port
    finally:
        running.terminate()
        running.wait(20)
        shutil.rmtree(folder)


def _answers(port: int) -> bool:
    try:
        psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres").close()
    except psycopg2.OperationalError:
        return False
    return True
