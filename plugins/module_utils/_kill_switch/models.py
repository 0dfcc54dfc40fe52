# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What was seen in each pod of a consumer, and what that says of the whole."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._cluster import Object
from .._time import parse_time

REACHED, STALE, UNKNOWN, IDLE, ENDING = "reached", "stale", "unknown", "idle", "ending"
"""Runs with the wanted flags; runs with others; cannot be asked; runs nothing; gets no new requests and goes."""
RUNNING = (REACHED, STALE, UNKNOWN)

OVERDUE = timedelta(seconds=30)
"""After its grace period a pod that is still there is taken for one whose node is gone."""


@dataclass(frozen=True)
class PodState:
    """`at`: seconds from the beginning of the task to when it was seen so."""

    pod: str
    uid: str
    state: str
    ready: bool = False
    detail: str = ""
    seen: t.Mapping[str, str | None] = field(default_factory=dict)
    at: float = 0.0

    def to_result(self) -> dict[str, t.Any]:
        return {
            "pod": self.pod,
            "state": self.state,
            "detail": self.detail,
            "seen": dict(self.seen),
            "at": round(self.at, 2),
        }


@dataclass(frozen=True)
class ConsumerState:
    """One Deployment. `problem` is why it may not be as wanted, `note` what else is worth telling."""

    name: str
    pods: tuple[PodState, ...] = ()
    restarted: bool = False
    replaced: tuple[str, ...] = ()
    """Pods that were ended one by one, because a rollout did not replace them."""
    problem: str = ""
    note: str = ""
    seen: bool = True
    """Whether its pods could be listed."""

    @property
    def wrong(self) -> list[PodState]:
        return [one for one in self.pods if one.state in (STALE, UNKNOWN)]

    @property
    def reached(self) -> bool:
        return self.seen and not self.wrong

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "reached": self.reached,
            "restarted": self.restarted,
            "replaced": list(self.replaced),
            "problem": self.problem,
            "note": self.note,
            "pods": [one.to_result() for one in self.pods],
        }


def is_overdue(pod: Object, now: datetime) -> bool:
    """Whether it should have ended already: the API server writes down when its grace is over."""
    due = parse_time(pod["metadata"].get("deletionTimestamp") or "")
    return due is not None and now > due + OVERDUE


def tell_wrong(consumers: t.Iterable[ConsumerState]) -> str:
    """Every pod and every consumer that is not as wanted, by name."""
    told: list[str] = []
    for one in consumers:
        told += [f"pod {pod.pod} ({pod.detail or pod.state})" for pod in one.wrong]
        if not one.seen:
            told.append(f"whatever {one.name!r} runs ({one.problem})")
    return ", ".join(told)
