# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What was seen in each pod of a consumer, and what that says of the whole."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._flags.pods import REACHED, STALE, UNKNOWN, PodState


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


def reached_after(consumers: t.Sequence[ConsumerState]) -> float | None:
    """Seconds until the last pod was seen to run with the flags; None while one does not, and without any."""
    times = [pod.at for one in consumers for pod in one.pods if pod.state == REACHED]
    if not times or not all(one.reached for one in consumers):
        return None
    return round(max(times), 2)


def tell_wrong(consumers: t.Iterable[ConsumerState]) -> str:
    """Every pod and every consumer that is not as wanted, by name."""
    told: list[str] = []
    for one in consumers:
        told += [f"pod {pod.pod} ({pod.detail or pod.state})" for pod in one.wrong]
        if not one.seen:
            told.append(f"whatever {one.name!r} runs ({one.problem})")
    return ", ".join(told)
