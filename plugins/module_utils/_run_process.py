# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes behind a deploy lock: which run this is, whether another lives, and a companion that outlives a task.

Tasks are short processes; a run is the ansible-playbook that forks them. Nothing here needs more than os and /proc."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import select
import signal
import time
import typing as t
import warnings
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """A process of one machine: an ansible-playbook, or the keeper of its lock.

    `machine` tells boot and process namespace apart, so that the same pid elsewhere is another
    process; empty where the system can't tell, and then the run must not be taken for dead.
    `started` is the system's own count, only good to compare; empty where there is none.
    """

    machine: str
    pid: int
    started: str = ""

    def to_text(self) -> str:
        return f"{self.pid} {self.started or '-'} {self.machine or '-'}"

    @classmethod
    def from_text(cls, text: str) -> Run | None:
        parts = text.split()
        if len(parts) != 3 or not re.fullmatch(r"[0-9]{1,18}", parts[0]):
            return None
        started, machine = ("" if part == "-" else part for part in parts[1:])
        return cls(machine=machine, pid=int(parts[0]), started=started)


Alive = t.Callable[[Run], "bool | None"]
"""Whether a run still runs; None when that can't be told from this machine."""


def never_alive(_run: Run) -> bool | None:
    """For a caller that does not look at processes."""
    return None


FIRST = 3
"""The first descriptor after the standard ones."""
_STARTED = 19
"""The field `starttime` of /proc/<pid>/stat, counted behind the command's closing parenthesis."""


def current_run() -> Run:
    """The process that forked this task's worker, or this one when it is no worker."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent is not None and parent.pid else os.getpid()
    return identified(pid)


def identified(pid: int) -> Run:
    return Run(machine=_machine(), pid=pid, started=_started(pid))


def alive(run: Run) -> bool | None:
    """None for a run of another machine, boot or process namespace."""
    if not run.machine or run.machine != _machine():
        return None
    return _is_here(run)


def wait_for_end(run: Run, seconds: float) -> bool:
    """Whether a run of this machine ended within so many seconds; noticed at once where the system can."""
    try:
        descriptor = os.pidfd_open(run.pid)
    except (AttributeError, OSError):
        return _poll_for_end(run, seconds)
    try:
        if not _is_here(run):
            return True  # the pid was another's already
        # Unlike select, it knows descriptors above 1023, which a process with many connections has.
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        return bool(ended.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def detach(work: t.Callable[[], None], descriptor: int | None = None) -> None:
    """Run `work` in a process of its own session that holds nothing of ours open, but `descriptor` as FIRST.

    Forked and not executed, so that the connection's secrets reach it in memory alone.
    """
    with warnings.catch_warnings():
        # Python warns of a fork beside threads. The child takes none of their locks: it begins anew.
        warnings.simplefilter("ignore", DeprecationWarning)
        first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            _let_go(descriptor)
            work()
    finally:
        os._exit(0)


def end(run: Run) -> None:
    """End a companion of ours, if it is still that process."""
    if alive(run) is True and run.started:
        try:
            os.kill(run.pid, signal.SIGTERM)
        except OSError:
            return


def _let_go(descriptor: int | None) -> None:
    """A reader that waits for the end of our output must not wait for a companion."""
    # What is collected later may not close its old number again.
    gc.freeze()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(FIRST):
        os.dup2(nothing, standard)
    if descriptor is not None:
        os.dup2(descriptor, FIRST)
    os.closerange(FIRST if descriptor is None else FIRST + 1, 65536)


def _poll_for_end(run: Run, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _is_here(run):
        if time.monotonic() >= deadline:
            return False
        time.sleep(min(0.5, seconds))
    return True


def _is_here(run: Run) -> bool:
    """Whether a run of this machine lives; works without /proc too, but then trusts the number."""
    try:
        os.kill(run.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is another user's, so it is there
    started = _started(run.pid)
    return not (started and run.started and started != run.started) and not _zombie(run.pid)


def _machine() -> str:
    """This boot and process namespace; "" where there is no such thing to read."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - it is no path
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[_STARTED] if len(fields) > _STARTED else ""


def _zombie(pid: int) -> bool:
    return _stat(pid)[:1] in (["Z"], ["X"])
