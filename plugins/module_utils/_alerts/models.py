# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""An alerting rule as somebody wants it, and as Prometheus has it loaded."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Labels = t.Mapping[str, str]


@dataclass(frozen=True)
class ActiveAlert:
    """An alert that fires. `since` is when, in seconds since 1970; None when Prometheus does not say."""

    labels: Labels
    since: float | None


@dataclass(frozen=True)
class LoadedRule:
    """`duration` is the rule's `for`, in seconds; `health` is ok, err, or unknown until it was evaluated once."""

    name: str
    query: str
    duration: float
    labels: Labels
    annotations: Labels
    group: str
    health: str
    last_error: str
    firing: tuple[ActiveAlert, ...] = ()

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "group": self.group,
            "query": self.query,
            "duration": self.duration,
            "labels": dict(self.labels),
            "health": self.health,
            "last_error": self.last_error,
        }


@dataclass(frozen=True)
class WantedRule:
    """An alerting rule of a rule file. `duration` is its `for`, in seconds."""

    name: str
    query: str
    duration: float
    labels: Labels
    annotations: Labels
    group: str


@dataclass(frozen=True)
class FiredAlert:
    """An alert of the release that fired while it went on. Times are RFC 3339; `until` is "" while it fires."""

    name: str
    severity: str
    since: str
    until: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Alerts:
    """What fired, if somebody `looked`; else `why_not`."""

    looked: bool = False
    fired: tuple[FiredAlert, ...] = ()
    why_not: str = ""
