# SPDX-License-Identifier: GPL-3.0-or-later
"""`logs`: what a component printed."""

from __future__ import annotations

import collections
import time
import typing as t
from pathlib import Path

from sandbox.errors import SandboxError

if t.TYPE_CHECKING:
    from sandbox.world import World

Say = t.Callable[[str], None]


def tail(world: World, component: str, lines: int, report: Say) -> None:
    with _log(world, component).open(encoding="utf-8", errors="replace") as log:
        for line in collections.deque(log, maxlen=lines):
            report(line.rstrip("\n"))


def follow(world: World, component: str, report: Say) -> None:
    """What is added from now on, until interrupted or the sandbox goes down."""
    path = _log(world, component)
    with path.open(encoding="utf-8", errors="replace") as log:
        log.seek(0, 2)
        while path.exists():
            if line := log.readline():
                report(line.rstrip("\n"))
            else:
                time.sleep(0.2)


def _log(world: World, component: str) -> Path:
    path = world.run / component / "log.txt"
    if not path.is_file():
        known = sorted(log.parent.name for log in world.run.glob("*/log.txt"))
        raise SandboxError(
            f"There is no log of {component!r}: choose from {', '.join(known)}."
            if known
            else f"No sandbox is up in {world.directory}: start one with 'python -m sandbox up'."
        )
    return path
