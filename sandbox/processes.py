# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: identity, start under the supervisor, signals to process trees, and how to find and kill what is left.

The state of each is written by the supervisor and read by the command line.
"""

from __future__ import annotations

import enum
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.component import Process
from sandbox.errors import SandboxError
from sandbox.world import CACHE_VARIABLE

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

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
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        processes = []
    return list(dict.fromkeys([*processes, *_session(pid)]))


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


@dataclass(frozen=True)
class ProcessInfo:
    pid: int
    parent: int
    started: int
    marker: str = ""
    folder: str = ""
    has_terminal: bool = False


def sandbox_pids(
    running: t.Iterable[ProcessInfo],
    run: Path,
    recorded: t.Collection[ProcessId],
    excluded: t.Collection[int],
) -> set[int]:
    """The pids that belong to the sandbox of `run`: recorded, marked, at home there, or their children.

    A process with a terminal that merely stands in the folder is somebody's shell, and stays.
    """
    processes = [process for process in running if process.pid not in excluded]
    ours = {process.pid for process in processes if _belongs(process, run, recorded)}
    size = -1
    while len(ours) != size:
        size = len(ours)
        ours |= {process.pid for process in processes if process.parent in ours}
    return ours


def _belongs(process: ProcessInfo, run: Path, recorded: t.Collection[ProcessId]) -> bool:
    if process.marker == str(run) or ProcessId(process.pid, process.started) in recorded:
        return True
    at_home = process.folder == str(run) or process.folder.startswith(f"{run}/")
    return at_home and not process.has_terminal


def list_processes() -> list[ProcessInfo]:
    fields = ["pid", "ppid", "environ", "cwd", "terminal"]
    return [
        ProcessInfo(
            pid=process.info["pid"],
            parent=process.info["ppid"],
            started=started,
            marker=(process.info["environ"] or {}).get(RUN_VARIABLE, ""),
            folder=process.info["cwd"] or "",
            has_terminal=process.info["terminal"] is not None,
        )
        for process in psutil.process_iter(fields)
        if (started := start_ticks(process.info["pid"])) is not None
    ]


def kill_orphans(run: Path, recorded: t.Collection[ProcessId] = (), *, wait: float = 10.0) -> int:
    """Kill every process of the sandbox but ourselves and our ancestors; how many there were."""
    excluded = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    killed: set[int] = set()
    deadline = time.monotonic() + wait
    while left := sandbox_pids(list_processes(), run, recorded, excluded):
        if time.monotonic() > deadline:
            raise SandboxError(
                f"Processes {sorted(left)} of the sandbox in {run} do not end: "
                "kill them by hand as the user who owns them."
            )
        killed |= left
        psutil.wait_procs([victim for pid in left if (victim := _kill(pid))], timeout=1)
    return len(killed)


def _kill(pid: int) -> psutil.Process | None:
    try:
        victim = psutil.Process(pid)
        victim.kill()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return victim


SUPERVISOR = "supervisor"


class Phase(enum.Enum):
    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    SETTLING = "settling"
    READY = "ready"
    PAUSED = "paused"
    KILLED = "killed"
    STOPPED = "stopped"
    DEAD = "dead"

    @property
    def has_process(self) -> bool:
        return self in (Phase.STARTING, Phase.SETTLING, Phase.READY, Phase.PAUSED)

    @property
    def under_way(self) -> bool:
        return self in (Phase.WAITING, Phase.PREPARING, Phase.STARTING, Phase.SETTLING)


@dataclass(frozen=True)
class Record:
    name: str
    phase: Phase
    process: ProcessId | None = None
    seconds: float = 0.0
    why: str = ""

    @classmethod
    def from_state(cls, name: str, entry: Facts) -> Record:
        process = ProcessId(entry["pid"], entry["started"]) if entry["pid"] else None
        return cls(name, Phase(entry["phase"]), process, entry["seconds"], entry["why"])

    def current(self) -> Record:
        """The same, but DEAD when its process is gone and the supervisor could not write that."""
        if self.process is None or self.process.alive():
            return self
        return Record(self.name, Phase.DEAD, None, self.seconds, self.why or "its process is gone")


def note(
    world: World,
    name: str,
    phase: Phase,
    *,
    process: ProcessId | None,
    seconds: float,
    why: str = "",
) -> None:
    with world.changing() as state:
        state.setdefault("processes", {})[name] = {
            "phase": phase.value,
            "pid": process.pid if process else None,
            "started": process.started if process else None,
            "seconds": round(seconds, 3),
            "why": why,
        }


def stored_records(world: World) -> dict[str, Record]:
    """Every component and the supervisor as last written; {} when nothing runs."""
    entries = world.state().get("processes", {})
    return {name: Record.from_state(name, entry) for name, entry in entries.items()}


def records(world: World) -> dict[str, Record]:
    """The same as they are now, even when the supervisor is dead."""
    return {name: record.current() for name, record in stored_records(world).items()}
