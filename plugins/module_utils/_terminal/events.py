# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a run, as plain data. Times are seconds on one clock that the console reads."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .commands import Command
from .models import Ending, Planned

Status = t.Literal["ok", "failed", "skipped", "unreachable"]


@dataclass(frozen=True)
class RunBegun:
    """`clock` is the time of day, in seconds since midnight, at which `at` was 0."""

    title: str
    version: str
    environment: str
    command: Command
    plan: tuple[Planned, ...] = ()
    at: float = 0.0
    clock: float = 0.0
    began: str = ""


@dataclass(frozen=True)
class PlayBegun:
    """`phase` is "" for a play that belongs to none. `ours`: it is of this collection."""

    name: str
    phase: str
    hosts: tuple[str, ...]
    ours: bool = True
    at: float = 0.0


@dataclass(frozen=True)
class Task:
    """`role` and `action` are full names. `ours`: its file is of this collection. `check`: it runs in check mode."""

    uid: str
    name: str
    action: str
    role: str = ""
    ours: bool = True
    check: bool = False


@dataclass(frozen=True)
class TaskBegun:
    """On one host."""

    task: Task
    host: str
    at: float = 0.0


@dataclass(frozen=True)
class TaskEnded:
    """On one host. `ignored`: it failed, and its play says that this is no failure."""

    task: Task
    host: str
    status: Status
    result: t.Mapping[str, t.Any] = field(default_factory=dict)
    ignored: bool = False
    at: float = 0.0


@dataclass(frozen=True)
class Reported:
    """What a module said while it ran."""

    event: str
    host: str
    text: str
    data: t.Mapping[str, t.Any] = field(default_factory=dict)
    at: float = 0.0


@dataclass(frozen=True)
class RunEnded:
    ending: Ending
    at: float = 0.0


Event = t.Union[RunBegun, PlayBegun, TaskBegun, TaskEnded, Reported, RunEnded]  # noqa: UP007
