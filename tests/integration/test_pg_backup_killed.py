"""Killed by SIGKILL at the worst moments, a backup leaves nothing, and the next run is as if nothing had happened."""

import contextlib
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from ansible_collections.easymo.deploy.plugins.modules import pg_backup
from tests.fakes.tcp_proxy import TcpProxy, passing
from tests.integration.backups import keys, nothing_is_left, s3_through, unfinished
from tests.integration.module_process import started
from tests.integration.running import bucket, stand_in
from tests.module_runner import run_module
from tests.waiting import until


class Holding:
    """Holds the requests that begin so, or their answers, until it is released."""

    def __init__(self, proxy: TcpProxy, begins: bytes, has: bytes, *, answer: bool = False) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()
        self._begins, self._has, self._answer = begins, has, answer
        self._proxy = proxy
        proxy.up = self._up

    def release(self) -> None:
        self._proxy.up = self._proxy.down = passing
        self._released.set()

    def _up(self, chunk: bytes) -> bytes:
        first = chunk.partition(b"\r\n")[0]
        if first.startswith(self._begins) and self._has in first:
            if self._answer:
                self._proxy.down = self._down
            else:
                self._hold()
        return chunk

    def _down(self, chunk: bytes) -> bytes:
        # "100 Continue" only asks for the rest of the request.
        if not chunk.startswith(b"HTTP/1.1 100 "):
            self._hold()
        return chunk

    def _hold(self) -> None:
        self.reached.set()
        self._released.wait(60)


# The request, and whether it is its answer that never comes.
MOMENTS = {
    "before-the-number-of-the-upload-is-known": (b"POST", b"uploads", True),
    "in-the-first-part": (b"PUT", b"partNumber=1", False),
    "in-the-last-part": (b"PUT", b"partNumber=2", False),
    "before-the-completion": (b"POST", b"uploadId=", False),
    "after-the-completion-and-before-we-know": (b"POST", b"uploadId=", True),
    "reading-back": (b"GET", b".dump ", False),
    "before-the-manifest": (b"PUT", b".manifest.json", False),
}
AFTER_THE_MANIFEST = (b"PUT", b".manifest.json", True)


@pytest.fixture(scope="module")
def scenes(world, backup_database) -> dict[str, dict[str, t.Any]]:
    """One for each moment. What tidies up takes its time, so they are played side by side."""
    moments = {**MOMENTS, "after-the-manifest": AFTER_THE_MANIFEST}
    made = {
        name: {**backup_database, **bucket(world, f"{backup_database['prefix']}{name}/")}
        for name in moments
    }
    with ThreadPoolExecutor(len(made)) as pool:
        for done in [pool.submit(play, made[name], *moments[name]) for name in moments]:
            done.result()
    return made


def play(options: dict[str, t.Any], method: bytes, has: bytes, answer: bool) -> None:
    with s3_through(options) as (proxy, through):
        holding = Holding(proxy, method, has, answer=answer)
        with started("pg_backup", through) as process:
            assert holding.reached.wait(180), f"still running: {process.running}"
            family = process.family()
            process.kill()
            holding.release()
            until(lambda: not any(map(alive, family)))


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_left_and_the_next_run_makes_one_valid_backup(scenes, moment):
    options = scenes[moment]
    assert nothing_is_left(options)
    backup = run_module(pg_backup, **options)["backup"]
    assert keys(options) == [backup["key"], backup["key"] + ".manifest.json"]
    assert unfinished(options) == []


def test_killed_after_the_manifest_the_backup_stands(scenes):
    options = scenes["after-the-manifest"]
    again = run_module(pg_backup, **options)
    assert again["changed"] is False


def test_killed_while_pg_dump_waits_nothing_is_left(options, tmp_path):
    """A dump that has sent a part and hangs; it must not outlive us for long."""
    version = f'[ "$1" = --version ] && exec {options["pg_dump"]} "$@"'
    sends = "head -c 9000000 /dev/zero; while sleep 0.1; do echo more; done"
    hanging = stand_in(tmp_path, "pg_dump", f"{version}\n{sends}")
    with started("pg_backup", {**options, "pg_dump": hanging}) as process:
        until(lambda: bool(unfinished(options)))
        family = process.family()
        process.kill()
        until(lambda: not any(map(alive, family)))
    assert nothing_is_left(options)


def test_no_secret_is_in_anybodys_arguments(options):
    """Of the module, its children and the process that waits beside it, until the middle of an upload."""
    lines: set[str] = set()
    with s3_through(options) as (proxy, through):
        holding = Holding(proxy, b"PUT", b"partNumber=1")
        with started("pg_backup", through) as process:
            # pg_dump may have ended by then.
            while not holding.reached.wait(0.01):
                lines |= {*map(command_line, process.family())}
            holding.release()
            assert process.result()["changed"]
    assert any("--format=custom" in line for line in lines)
    assert len(lines - {""}) > 1
    for secret in ("login_password", "secret_key", "access_key"):
        assert not any(options[secret] in line for line in lines)


def test_two_runs_at_once_make_two_backups_that_are_both_whole(options):
    # On a busy machine the second might otherwise begin when the first is done, and find its backup.
    both_began = threading.Barrier(2)

    def hook(chunk: bytes) -> bytes:
        first = chunk.partition(b"\r\n")[0]
        if first.startswith(b"POST") and b"uploads" in first:
            both_began.wait(60)
        return chunk

    with s3_through(options) as (proxy, through):
        proxy.up = hook
        with started("pg_backup", through) as one, started("pg_backup", through) as other:
            backups = [one.result()["backup"], other.result()["backup"]]
    assert len(keys(options)) == 4
    newest = max(backups, key=lambda backup: backup["started"])
    assert run_module(pg_backup, **options)["backup"] == newest


def command_line(process: psutil.Process) -> str:
    """Nothing of one that has ended meanwhile."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
