# SPDX-License-Identifier: GPL-3.0-or-later
"""No process of a sandbox outlives it, whoever was killed before: find what is left and kill it."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.errors import SandboxError
from sandbox.processes import RUN_VARIABLE, ProcessId, start_ticks


@dataclass(frozen=True)
class Seen:
    """One process of this machine, as far as /proc lets us see it."""

    pid: int
    parent: int
    started: int
    marker: str = ""
    folder: str = ""
    has_terminal: bool = False


def belonging(
    seen: t.Iterable[Seen], run: Path, recorded: t.Collection[ProcessId], spared: t.Collection[int]
) -> set[int]:
    """The pids that belong to the sandbox of `run`: recorded, marked, at home there, or their children.

    A process with a terminal that merely stands in the folder is somebody's shell, and stays.
    """
    processes = [process for process in seen if process.pid not in spared]
    ours = {process.pid for process in processes if _belongs(process, run, recorded)}
    size = -1
    while len(ours) != size:
        size = len(ours)
        ours |= {process.pid for process in processes if process.parent in ours}
    return ours


def _belongs(process: Seen, run: Path, recorded: t.Collection[ProcessId]) -> bool:
    if process.marker == str(run) or ProcessId(process.pid, process.started) in recorded:
        return True
    at_home = process.folder == str(run) or process.folder.startswith(f"{run}/")
    return at_home and not process.has_terminal


def observe() -> list[Seen]:
    fields = ["pid", "ppid", "environ", "cwd", "terminal"]
    return [
        Seen(
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


def sweep(run: Path, recorded: t.Collection[ProcessId] = (), *, wait: float = 10.0) -> int:
    """Kill every process of the sandbox but ourselves and our ancestors; how many there were."""
    spared = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    killed: set[int] = set()
    deadline = time.monotonic() + wait
    while left := belonging(observe(), run, recorded, spared):
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
