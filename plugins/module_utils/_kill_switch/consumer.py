# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the pods of one Deployment to the flags that were written: by a rollout, or by their volumes while they run.

Those that are not brought to them so are ended one by one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._cluster import Clock, Cluster
from .._errors import DeployError
from .._flags.apply import Written
from .._flags.pod_replacement import KUBELETS_KNOW, Replaceable, Swept, sweep
from .._flags.pods import IDLE, REACHED, STALE, UNKNOWN, Asker, FlagsProbe, PodState
from .._flags.proof import SETTLE, follow, is_behind
from .._rollout.models import Deployment
from .._rollout.observer import desired_replicas, observe_all_pods, observe_deployment
from .._rollout.plan import RolloutPlan, RolloutRequest
from .._rollout.runner import Rollout, Settings


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


ATTEMPTS = 5
ROLLING = 2 / 3
"""Share of the time that the rollout, or the volumes, may take, so that some is left for what they did not reach."""
STALLED = 45.0
"""Seconds without progress after which a rollout is taken for one that hangs."""
OVERTAKEN = ("superseded", "paused")


@dataclass(frozen=True)
class FlagsRequest:
    """What the consumers are brought to, and where it was written. `checksum` is of all flags; `at` the time, RFC 3339.

    `mounted`: they have their flags from a ConfigMap volume and take changes up while they run.
    """

    config_map: str
    expected: t.Mapping[str, str]
    checksum: str
    actor: str
    at: str
    wait_timeout: float
    mounted: bool = False
    probe: FlagsProbe = field(default_factory=FlagsProbe)


class Consumer:
    def __init__(
        self,
        name: str,
        order: FlagsRequest,
        open_cluster: t.Callable[[], Cluster],
        *,
        clock: Clock,
        wall: t.Callable[[], datetime],
        report: t.Callable[[str], None],
        started: float,
    ) -> None:
        """`started`: when the task began, on `clock`."""
        self._name = name
        self._order = order
        self._clock = clock
        self._report = report
        self._started = clock.now()
        self._deadline = self._started + order.wait_timeout
        self._cluster = open_cluster().until(self._deadline)
        self._written = Written(self._cluster, order.config_map, order.expected, clock)
        self._asker = Asker(
            order.expected, clock=clock, wall=wall, probe=order.probe, started=started
        )

    def look(self) -> ConsumerState:
        """What its pods run with, changing nothing."""
        try:
            deployment = observe_deployment(self._cluster, self._name)
            return ConsumerState(self._name, pods=tuple(self._ask(deployment)))
        except DeployError as exc:
            return ConsumerState(self._name, problem=str(exc), seen=False)

    def switch(self) -> ConsumerState:
        """Never raises for what the cluster does: another consumer must not be kept waiting by this one."""
        restarted, problem, note = False, "", ""
        try:
            deployment = observe_deployment(self._cluster, self._name)
            # Only listed: asking them takes time that the restart should not wait for.
            known = frozenset(one.uid for one in observe_all_pods(self._cluster, deployment))
            if self._order.mounted:
                swept, problem, note = self._follow(deployment, known)
            else:
                if deployment.paused:
                    note = "It is paused, so pods were deleted one by one instead of a rollout. It stays paused."
                else:
                    restarted, problem = self._restart(deployment)
                swept = self._sweep(deployment, known)
        except DeployError as exc:
            return ConsumerState(self._name, restarted=restarted, problem=str(exc), seen=False)
        wrong = [one for one in swept.pods if one.state in (STALE, UNKNOWN)]
        if any(one.state == STALE and one.uid not in known for one in wrong):
            note = (
                "Its pods started after the flags were written and lack them: does it read them, or did somebody "
                "change them meanwhile?"
            )
        return ConsumerState(
            self._name,
            pods=swept.pods,
            restarted=restarted,
            replaced=swept.replaced,
            problem=" ".join(filter(None, (problem, swept.problem))),
            note=note,
        )

    def _follow(self, deployment: Deployment, known: frozenset[str]) -> tuple[Swept, str, str]:
        """What its pods run, why some did not follow, and what else is worth telling."""
        patience = self._order.wait_timeout * ROLLING
        pods, note = follow(
            self._cluster,
            lambda: self._ask(deployment),
            clock=self._clock,
            deadline=self._started + patience,
            report=self._report,
            waits_for=self._waits_for,
            settle=SETTLE,
        )
        stale = [one for one in pods if one.state == STALE]
        if not stale:
            return Swept(tuple(pods)), "", note
        names = ", ".join(one.pod for one in stale)
        problem = f"The volumes of {names} did not bring the flags within {patience:.0f} s."
        return self._sweep(deployment, known), problem, note

    def _waits_for(self, pod: PodState) -> bool:
        """One that starts now may be given files from before."""
        early = self._clock.now() - self._started < KUBELETS_KNOW
        return (is_behind(pod) and self._written.helps(pod)) or (early and pod.state == IDLE)

    def _sweep(self, deployment: Deployment, known: frozenset[str]) -> Swept:
        return sweep(
            self._cluster,
            lambda: self._ask(deployment),
            Replaceable(known, self._started, self._written.helps),
            replicas=lambda: desired_replicas(self._cluster, deployment),
            clock=self._clock,
            deadline=max(self._deadline, self._clock.now() + 1.0),
            report=self._report,
        )

    def _restart(self, deployment: Deployment) -> tuple[bool, str]:
        """Whether it wrote the pod template, and why the rollout did not succeed, if so."""
        wrote, wanted = False, self._wanted(deployment)
        problem = ""
        for _attempt in range(ATTEMPTS):
            try:
                plan, rollout = self._plan(deployment, wanted)
                wrote = wrote or plan.changed
                rollout.carry_out(plan)
            except DeployError as exc:
                problem = str(exc)
                if exc.details.get("result") not in OVERTAKEN:
                    break
                self._report(f"changed by somebody else, trying again: {exc}")
                if exc.details["result"] == "paused":
                    break
            else:
                return wrote, ""
        return wrote, problem

    def _plan(self, deployment: Deployment, wanted: RolloutRequest) -> tuple[RolloutPlan, Rollout]:
        """A template that has the checksum already proves nothing about its pods: if one is stale, restart anyway."""
        rollout = self._rollout(wanted)
        plan = rollout.plan()
        if plan.changed or not plan.before.complete:
            return plan, rollout
        if any(one.state == STALE for one in self._ask(deployment)):
            rollout = self._rollout(replace(wanted, checksum=""))
            return rollout.plan(), rollout
        return plan, rollout

    def _rollout(self, wanted: RolloutRequest) -> Rollout:
        return Rollout(
            self._cluster,
            self._name,
            wanted,
            None,
            settings=Settings(
                wait_timeout=max(
                    self._started + self._order.wait_timeout * ROLLING - self._clock.now(), 1.0
                ),
                undo_on_failure=False,
                quorum="any",
                stall_timeout=STALLED,
            ),
            clock=self._clock,
            report=lambda text, _counts: self._report(text),
        )

    def _wanted(self, deployment: Deployment) -> RolloutRequest:
        return RolloutRequest(
            state="restarted",
            container=container_of(deployment),
            checksum=self._order.checksum,
            actor=self._order.actor,
            at=self._order.at,
        )

    def _ask(self, deployment: Deployment) -> list[PodState]:
        return self._asker.ask(self._cluster, deployment, container_of(deployment))


def container_of(deployment: Deployment) -> str:
    """The container that reads the flags: the one of the Deployment's name, else its first."""
    images = deployment.images
    return deployment.name if deployment.name in images else next(iter(images))
