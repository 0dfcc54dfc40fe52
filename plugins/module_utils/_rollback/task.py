# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the release_rollback module: its pins, their order, and a rollout for each."""

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
from .apply import Returned, Waves, return_all, rollback_waves

Report = t.Callable[[str, str, ReplicaCounts], None]
"""Live progress: the Deployment, a text and its counts."""


@dataclass(frozen=True)
class RollbackRequest:
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


def plan_waves(cluster: Cluster, request: RollbackRequest, clock: Clock) -> tuple[Pins, Waves]:
    """The pins and the waves. A requested name without a pin is refused before any write."""
    pins = read_pins(cluster, record_name(request.release))
    if pins is None or not pins.deployments:
        raise InputError(
            f"Nothing is pinned for release {request.release!r}, so there is nothing to return to: "
            "it touched no service yet, or its record was deleted. Check 'kubectl rollout history'."
        )
    unknown = [name for name in request.names if name not in pins.deployments]
    if unknown:
        raise InputError(
            f"Nothing is pinned for {', '.join(unknown)} in release {request.release!r}: pinned are "
            f"{', '.join(pins.deployments)}."
        )
    record = ReleaseStore(cluster, request.release, clock=clock).read()
    waves = record.facts.get("waves", []) if record else []
    return pins, rollback_waves(waves, request.names or tuple(pins.deployments), request.first)


@dataclass
class DeploymentRollback:
    """Returns one Deployment after the other to its pin; each call has a rollout of its own."""

    cluster: Cluster
    pins: Pins
    request: RollbackRequest
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
                wait_timeout=self.request.wait_timeout,
                undo_on_failure=False,
                quorum=self.request.quorum,
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
        return return_all(waves, self, parallel=self.request.parallel)

    def _pin(self, name: str) -> Pin | None:
        return self.pins.deployment(name)

    def _wanted(self, name: str) -> RolloutRequest:
        images = self.pins.deployments[name]["images"]
        return RolloutRequest(
            state="rolled_back",
            container=name if name in images else next(iter(images)),
            release=self.request.release,
            actor=self.request.actor,
            at=self.request.at,
            fence=self.request.fence,
        )
