# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows of a run: its phases against their plan, before it is lines."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._release.models import SETTLED, stopped_by

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
class Planned:
    """A phase of the release's plan, in its order."""

    name: str
    title: str
    seconds: float


@dataclass(frozen=True)
class Play:
    """A play, or one batch of it. `phase` is "" for a play that belongs to none."""

    name: str
    phase: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """`missing`: the phases that must be done first, when one was refused for its place in the order.

    `log`: the last lines of what a container wrote.
    """

    host: str
    task: str
    sentence: str
    missing: tuple[str, ...] = ()
    held: bool = False
    reason: str = ""
    log: tuple[str, ...] = ()

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
    failures: list[Failure] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    """The phases that the next run has to begin with, for what was switched off."""
    recorded: float | None = None
    """Seconds by the release record, which are told in place of what the terminal saw."""

    def lasted(self, now: float) -> float:
        if self.finished is not None and self.recorded is not None:
            return self.recorded
        return (now if self.finished is None else self.finished) - self.started

    @property
    def cause(self) -> Failure | None:
        return stopped_by(self.failures) if self.failures else None
