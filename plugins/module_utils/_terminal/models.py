# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as plain data: its events, and its phases against their plan.

Times are seconds on one clock that the console reads.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .._release.models import SETTLED, stopped_by
from .._release.record import Record, Try
from .._story.plan import UNPLANNED, Plan
from .._time import parse_time
from .commands import Command

Tone = t.Literal["", "head", "good", "warn", "bad", "calm"]
REFUSALS = frozenset({"InvalidInput", "Locked", "OutOfOrder"})
Ending = t.Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class Line:
    """`tone` only colours what the words say already."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Fact:
    """What was done or seen: `label` is a word or two, `tone` says how it went."""

    label: str
    text: str
    tone: Tone = "good"


@dataclass(frozen=True)
class Item:
    """A result of one host, or of one round of a loop."""

    name: str
    result: t.Mapping[str, t.Any]
    failed: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))


@dataclass(frozen=True)
class Group:
    """The results of one task. `would`: it only said what it would do. `wave`: the number of theirs, 0 for none."""

    name: str
    items: tuple[Item, ...]
    would: bool = False
    wave: int = 0


@dataclass(frozen=True)
class RunFailure:
    """`missing`: the phases that must be done first, when one was refused for its place in the order.

    `log`: the last lines of what a container wrote. `other`: the release that stands in the way.
    """

    host: str
    task: str
    sentence: str
    missing: tuple[str, ...] = ()
    held: bool = False
    reason: str = ""
    log: tuple[str, ...] = ()
    other: str = ""

    @property
    def refused(self) -> bool:
        """Nothing has begun: there is nothing to go back from, and nothing to examine."""
        return self.reason in REFUSALS


@dataclass(frozen=True)
class Earlier:
    """What runs before this one did in the same attempt: seconds and last status by phase."""

    attempt: int = 1
    seconds: t.Mapping[str, float] = field(default_factory=dict)
    status: t.Mapping[str, str] = field(default_factory=dict)
    own: t.Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase that this run ended, as the record has them: what report and messages tell too."""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def settled(self, phase: str) -> bool:
        return self.status.get(phase) in SETTLED


@dataclass
class Stage:
    """A phase, or a play that is none, as far as it is in this run. Times are seconds on one clock."""

    key: str
    title: str
    number: int
    planned: float
    started: float
    finished: float | None = None
    ending: Ending | None = None
    hosts: int = 0
    changes: dict[str, set[str]] = field(default_factory=dict)
    failures: list[RunFailure] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    """The phases that the next run has to begin with, for what was switched off."""
    recorded: float | None = None
    """Seconds by the release record, which are told in place of what the terminal saw."""

    def lasted(self, now: float) -> float:
        if self.finished is not None and self.recorded is not None:
            return self.recorded
        return (now if self.finished is None else self.finished) - self.started

    @property
    def cause(self) -> RunFailure | None:
        return stopped_by(self.failures) if self.failures else None


Status = t.Literal["ok", "failed", "skipped", "unreachable"]


@dataclass(frozen=True)
class RunBegun:
    """`clock` is the time of day, in seconds since midnight, at which `at` was 0."""

    title: str
    version: str
    environment: str
    command: Command
    plan: Plan = UNPLANNED
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


def earlier_runs(record: Record, began: str) -> Earlier:
    """`began` is when this run began: what was opened since then is its own."""
    seconds: dict[str, float] = {}
    status: dict[str, str] = {}
    own: dict[str, float] = {}
    limit = parse_time(began)
    for name, phase in record.phases.items():
        if _before(phase, limit):
            status[name] = phase.status
        elif phase.lasted is not None:
            own[name] = float(phase.lasted)
        # What this run did counts nothing here, nor a try without a recorded end.
        spent = sum(try_.lasted or 0 for try_ in phase.tries if _before(try_, limit))
        if spent:
            seconds[name] = float(spent)
    return Earlier(record.attempt or 1, seconds, status, own)


def _before(entry: Try, limit: datetime | None) -> bool:
    # The record has whole seconds.
    return bool(entry.begun and limit and entry.begun < limit.replace(microsecond=0))
