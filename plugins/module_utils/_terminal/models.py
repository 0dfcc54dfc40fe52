# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as plain data: its events, and what lines are made of.

Times are seconds on one clock that the console reads.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._formats import listed
from .._progress import Progress
from .._release.models import is_hold
from .._story.plan import UNPLANNED, Plan
from .commands import Command

Tone = t.Literal["", "head", "good", "warn", "bad", "calm"]
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

    @property
    def tone(self) -> Tone:
        """Of what went well, or would."""
        return "calm" if self.would else "good"

    @property
    def good(self) -> list[Item]:
        return [item for item in self.items if not item.failed]

    def rows(self, key: str) -> list[t.Any]:
        """What is not empty of the lists that the results have by this key."""
        return [row for item in self.items for row in item.result.get(key) or () if row]

    def would_or(self, verb: str, label: str, text: str) -> list[Fact]:
        """What was done, or with a verb before it in check mode; nothing without a text."""
        if not text:
            return []
        return [Fact("would", f"{verb} {text}", "calm") if self.would else Fact(label, text)]


@dataclass(frozen=True)
class RunFailure:
    """`missing`: the phases that must be done first, when one was refused for its place in the order.

    `log`: the last lines of what a container wrote. `other`: the release that stands in the way.
    """

    host: str
    sentence: str
    missing: tuple[str, ...] = ()
    reason: str = ""
    log: tuple[str, ...] = ()
    other: str = ""

    @property
    def held(self) -> bool:
        """Whether nothing went wrong for sure."""
        return is_hold(self.reason)

    @property
    def where(self) -> str:
        """What stands before its sentence. The controller is no host to know of."""
        return "" if self.host == "localhost" else f"{self.host}: "


def stopped_by(failures: t.Sequence[RunFailure]) -> RunFailure:
    """The first of a run's failures, with the sentence of the last failure that quotes it and adds the remedy.

    Later failures are consequences of the first.
    """
    first = failures[0]
    quoting = [failure.sentence for failure in failures if first.sentence in failure.sentence]
    return replace(first, sentence=quoting[-1])


def other_causes(cause: str, failures: t.Iterable[tuple[str, str]]) -> list[str]:
    """What failed beside `cause`, of hosts and their sentences: a line each, hosts that failed alike in one."""
    alike: dict[str, tuple[str, list[str]]] = {}
    for host, sentence in failures:
        if sentence not in cause:
            alike.setdefault(sentence.replace(host, ""), (sentence, []))[1].append(host)
    return [
        sentence if hosts == ["localhost"] else f"{listed(hosts)}: {sentence}"
        for sentence, hosts in alike.values()
    ]


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

    @property
    def concerns(self) -> str:
        """The host that it is about. One host looks up the images of all."""
        return "localhost" if self.task.action == "easymo.deploy.images" else self.host


@dataclass(frozen=True)
class Reported(Progress):
    """What a module said while it ran."""

    at: float = 0.0


@dataclass(frozen=True)
class RunEnded:
    ending: Ending
    at: float = 0.0


Event = t.Union[RunBegun, PlayBegun, TaskBegun, TaskEnded, Reported, RunEnded]  # noqa: UP007
