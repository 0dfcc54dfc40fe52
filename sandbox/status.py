# SPDX-License-Identifier: GPL-3.0-or-later
"""`status`: how the supervisor and each component are now, for people and for programs."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

import psutil

from sandbox.processes import tree
from sandbox.record import SUPERVISOR, Phase, Record, records

if t.TYPE_CHECKING:
    from sandbox.world import World


@dataclass(frozen=True)
class Status:
    folder: str
    records: t.Mapping[str, Record]
    memory_mb: t.Mapping[str, float]
    """The proportional set size of each component's processes."""

    @property
    def healthy(self) -> bool:
        phases = [record.phase for record in self.records.values()]
        return bool(phases) and all(phase is Phase.READY for phase in phases)


def observe(world: World) -> Status:
    known = records(world)
    memory = {
        name: round(_memory_mb(record.process.pid, whole=name != SUPERVISOR), 1)
        for name, record in known.items()
        if record.process
    }
    return Status(str(world.directory), known, memory)


def _memory_mb(pid: int, *, whole: bool) -> float:
    total = 0
    for process in tree(pid) if whole else [psutil.Process(pid)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


def as_json(status: Status) -> str:
    components = {
        name: {
            "phase": record.phase.value,
            "pid": record.process.pid if record.process else None,
            "seconds": record.seconds,
            "why": record.why,
            "memory_mb": status.memory_mb.get(name),
        }
        for name, record in status.records.items()
    }
    return json.dumps(
        {"state": status.folder, "healthy": status.healthy, "components": components}, indent=1
    )


def as_text(status: Status) -> str:
    if not status.records:
        return f"No sandbox is up in {status.folder}: start one with 'python -m sandbox up'."
    lines = [
        f"{name:<12} {record.phase.value:<9} "
        f"{record.process.pid if record.process else '-':>8} "
        f"{status.memory_mb.get(name, 0):6.1f} MB  {record.why}".rstrip()
        for name, record in status.records.items()
    ]
    lines.append(f"{'in all':<31} {sum(status.memory_mb.values()):6.1f} MB")
    if not status.healthy:
        lines.append("Not all is well: see 'python -m sandbox logs COMPONENT', or 'down' and 'up'.")
    return "\n".join(lines)
