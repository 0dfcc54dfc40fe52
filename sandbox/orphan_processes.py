# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the processes that a sandbox left behind, and kill them."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.errors import SandboxError
from sandbox.processes import RUN_VARIABLE, ProcessId, start_ticks


@dataclass(frozen=True)
class ProcessInfo:
    """One process of this machine, as far as /proc lets us see it."""

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
