# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of each process: written by the supervisor, read by the command line."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from sandbox.processes import ProcessId

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

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
    """One component, or the supervisor, as the state tells it."""

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
