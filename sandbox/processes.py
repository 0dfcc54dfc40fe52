# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: identity, start under the supervisor, signals to process trees."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.component import Process
from sandbox.errors import SandboxError
from sandbox.world import CACHE_VARIABLE

RUN_VARIABLE = "EASYMO_SANDBOX_RUN"
"""In the environment of every process of a sandbox: its run folder."""

MANY_FILES = 65_536

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ProcessId:
    """A pid and when the process started, in clock ticks since boot: a pid alone may be used again."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        return cls(pid, start_ticks(pid) or 0)

    def alive(self) -> bool:
        return start_ticks(self.pid) == self.started


def start_ticks(pid: int) -> int | None:
    """When `pid` started; None when there is no such process or only its exit status is left."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Behind the name, which may itself hold blanks and brackets: state is field 3, starttime field 22.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def allow_many_files() -> None:
    """As many open files as this process may have: the usual soft limit of 1,024 is too few for pods under load."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def environment(folder: Path, run: Path) -> dict[str, str]:
    """What every child gets: nothing of the operator's own settings but the way to programs."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    shared_cache = os.environ.get(CACHE_VARIABLE)
    return {
        "PATH": path,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        RUN_VARIABLE: str(run),
        **({CACHE_VARIABLE: shared_cache} if shared_cache else {}),
    }


def setpriv(*options: str) -> tuple[str, ...]:
    """The prefix of an argv that makes the kernel kill the program when its parent thread ends.

    An exec'd helper rather than code between fork and exec: the supervisor has threads. Whoever
    changes the user must ask again behind that change, for the kernel then forgets it.
    """
    program = shutil.which("setpriv")
    if program is None:
        raise SandboxError(
            "The program setpriv is missing: install util-linux (apt-get install util-linux)."
        )
    return (program, *options, "--pdeathsig", "KILL", "--")


def spawn(process: Process, *, folder: Path, run: Path) -> subprocess.Popen[bytes]:
    """Start a component in a session of its own, its output appended to log.txt."""
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [*setpriv(), *process.argv],
            cwd=process.cwd or folder,
            env={**environment(folder, run), **process.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def tree(pid: int) -> list[psutil.Process]:
    """`pid`, everything in its session and all their descendants, parents first; [] when it is gone."""
    try:
        root = psutil.Process(pid)
        found = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        found = []
    return list(dict.fromkeys([*found, *_session(pid)]))


def _session(leader: int) -> t.Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader:
                yield process
        except OSError:
            continue


def signal_tree(pid: int, number: signal.Signals) -> None:
    for process in tree(pid):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
