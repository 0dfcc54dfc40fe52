# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""See the flags in every pod of one Deployment, after those that are behind have followed or were replaced."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster
from .._rollout.models import Deployment
from .._rollout.observe import desired_replicas
from .follow import follow
from .pod_replacement import Replaceable, sweep
from .pods import REACHED, STALE, Asker, PodState
from .written import Written


@dataclass(frozen=True)
class Proof:
    """`pods` as last seen, without those that end; `replaced` by name; `note`: what was in the way of it."""

    pods: t.Sequence[PodState]
    replaced: tuple[str, ...] = ()
    note: str = ""


class Prover:
    def __init__(
        self,
        cluster: Cluster,
        deployment: Deployment,
        container: str,
        asker: Asker,
        written: Written,
        *,
        clock: Clock,
        report: t.Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._deployment = deployment
        self._container = container
        self._asker = asker
        self._written = written
        self._clock = clock
        self._report = report
        self._began = clock.now()

    def look(self) -> list[PodState]:
        return [one for one in self._ask() if not one.deleting]

    def follow(self, patience: float, settle: float = 0.0) -> Proof:
        """By their volumes, while they run."""
        return self._follow(patience, self._may_follow, settle)

    def replace(self, patience: float) -> Proof:
        """By others in their places, as far as that helps: an environment that is wrong stays so."""
        swept = sweep(
            self._cluster,
            self._ask,
            Replaceable(frozenset(), self._began, self._written.helps),
            replicas=lambda: desired_replicas(self._cluster, self._deployment),
            clock=self._clock,
            deadline=self._began + patience,
            report=self._report,
        )
        proof = self._follow(patience, lambda one: one.state not in (REACHED, STALE))
        return Proof(proof.pods, swept.replaced, swept.problem)

    def _follow(
        self, patience: float, waits_for: t.Callable[[PodState], bool], settle: float = 0.0
    ) -> Proof:
        pods, note = follow(
            self._cluster,
            self.look,
            clock=self._clock,
            deadline=self._began + patience,
            report=self._report,
            waits_for=waits_for,
            settle=settle,
        )
        return Proof(pods, note=note)

    def _may_follow(self, pod: PodState) -> bool:
        return pod.state != REACHED and self._written.helps(pod)

    def _ask(self) -> list[PodState]:
        return self._asker.ask(self._cluster, self._deployment, self._container)
