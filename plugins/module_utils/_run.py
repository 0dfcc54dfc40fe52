# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as another process may know it: the boundary between deciding about processes and looking at them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """A process of one machine: an ansible-playbook, or the keeper of its lock.

    `machine` tells boot and process namespace apart, so that the same pid elsewhere is another
    process; empty where the system can't tell, and then nobody may conclude that the run is dead.
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
        if len(parts) != 3 or not parts[0].isdecimal():
            return None
        started, machine = ("" if part == "-" else part for part in parts[1:])
        return cls(machine=machine, pid=int(parts[0]), started=started)


Alive = t.Callable[[Run], "bool | None"]
"""Whether a run still runs; None when that can't be told from this machine."""


def never_alive(_run: Run) -> bool | None:
    """For whoever does not look at processes."""
    return None
