# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the release_rollback module: what its record keeps, in which order, each with a rollout of its own."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster
from .._errors import InputError
from .._release.packing import record_name
from .._release.pins import Pins, read_pins
from .._release.store import ReleaseStore
from .._rollout.apply import WriteCheck
from .._rollout.models import ReplicaCounts
from .._rollout.plan import Pin, RolloutRequest
from .._rollout.runner import Rollout, Settings
from .apply import Returned, Waves, return_all, way_back

Report = t.Callable[[str, str, ReplicaCounts], None]
"""Live progress: the Deployment, what happened to it, and its counts."""


@dataclass(frozen=True)
class Asked:
    """`names`: only these, all that are pinned when empty. `wait_timeout`: seconds for each."""

    release: str
    names: tuple[str, ...]
    first: tuple[str, ...]
    parallel: int
    wait_timeout: int
    quorum: str
    actor: str
    at: str
    fence: int


def plan_waves(cluster: Cluster, asked: Asked, clock: Clock) -> tuple[Pins, Waves]:
    """The pins and the order. What was asked for by name and is not pinned is refused before anything is written."""
    pins = read_pins(cluster, record_name(asked.release))
    if pins is None or not pins.deployments:
        raise InputError(
            f"Nothing is pinned for release {asked.release!r}, so there is nothing to return to: "
            "it touched no service yet, or its record was deleted. Check 'kubectl rollout history'."
        )
    unknown = [one for one in asked.names if one not in pins.deployments]
    if unknown:
        raise InputError(
            f"Nothing is pinned for {', '.join(unknown)} in release {asked.release!r}: pinned are "
            f"{', '.join(pins.deployments)}."
        )
    record = ReleaseStore(cluster, asked.release, clock=clock).read()
    waves = record.facts.get("waves", []) if record else []
    return pins, way_back(waves, asked.names or tuple(pins.deployments), asked.first)


@dataclass
class Returner:
    """Returns one Deployment after the other to its pin; each call has a rollout of its own."""

    cluster: Cluster
    pins: Pins
    asked: Asked
    guard: WriteCheck
    clock: Clock
    report: Report
    check_mode: bool

    def __call__(self, name: str) -> Returned:
        rollout = Rollout(
            self.cluster,
            name,
            self._wanted(name),
            self._pin(name),
            settings=Settings(
                wait_timeout=self.asked.wait_timeout,
                undo_on_failure=False,
                quorum=self.asked.quorum,
            ),
            clock=self.clock,
            report=lambda text, counts: self.report(name, text, counts),
            guard=self.guard,
        )
        plan = rollout.plan()
        outcome = rollout.predict(plan) if self.check_mode else rollout.carry_out(plan)
        return Returned(
            name=name,
            result=outcome.result,
            changed=outcome.changed,
            image_before=outcome.before.image,
            image_after=outcome.after.image,
            duration=round(outcome.duration, 1),
            diff=plan.to_diff(),
            takes=plan.takes,
            fenced=outcome.fenced,
        )

    def all(self, waves: Waves) -> list[Returned]:
        return return_all(waves, self, parallel=self.asked.parallel)

    def _pin(self, name: str) -> Pin | None:
        return self.pins.deployment(name)

    def _wanted(self, name: str) -> RolloutRequest:
        images = self.pins.deployments[name]["images"]
        return RolloutRequest(
            state="rolled_back",
            container=name if name in images else next(iter(images)),
            release=self.asked.release,
            actor=self.asked.actor,
            at=self.asked.at,
            fence=self.asked.fence,
        )
