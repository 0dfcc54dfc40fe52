# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the pods of one Deployment to the written flags: by a rollout, or by their volumes while they run.

The remaining pods are deleted one by one."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime

from .._cluster import Clock, Cluster, MonotonicClock
from .._errors import DeployError
from .._lock.apply import lease_check_for
from .._module import Module, emit_progress
from .._rollout.models import Deployment
from .._rollout.observer import observe_all_pods, observe_deployment
from .._rollout.plan import RolloutPlan, RolloutRequest
from .._rollout.runner import Rollout
from .._threads import Lock, side_by_side
from .._time import format_time, now
from .apply import Written
from .pods import (
    IDLE,
    REACHED,
    STALE,
    UNKNOWN,
    VOLUME,
    Asker,
    FlagsProbe,
    PodState,
    container_of,
    to_probe,
)
from .proof import (
    KUBELETS_KNOW,
    SETTLE,
    Replaceable,
    ReplacedPods,
    follow,
    is_behind,
    replace_stale_pods,
)


@dataclass(frozen=True)
class ConsumerState:
    """One Deployment. `problem`: why it may lack the flags. `note`: another hint."""

    name: str
    pods: tuple[PodState, ...] = ()
    restarted: bool = False
    replaced: tuple[str, ...] = ()
    """Pods that were deleted one by one, because a rollout did not replace them."""
    problem: str = ""
    note: str = ""
    listed: bool = True
    """Whether its pods could be listed."""

    @property
    def wrong(self) -> list[PodState]:
        return [pod for pod in self.pods if pod.state in (STALE, UNKNOWN)]

    @property
    def reached(self) -> bool:
        return self.listed and not self.wrong

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "reached": self.reached,
            "restarted": self.restarted,
            "replaced": list(self.replaced),
            "problem": self.problem,
            "note": self.note,
            "pods": [pod.to_result() for pod in self.pods],
        }


def reached_after(consumers: t.Sequence[ConsumerState]) -> float | None:
    """Seconds until the last pod was observed with the flags; None while one lacks them, and without pods."""
    times = [pod.at for consumer in consumers for pod in consumer.pods if pod.state == REACHED]
    if not times or not all(consumer.reached for consumer in consumers):
        return None
    return round(max(times), 2)


def tell_wrong(consumers: t.Iterable[ConsumerState]) -> str:
    """Every pod and every consumer that is not as wanted, by name."""
    wrong: list[str] = []
    for consumer in consumers:
        wrong += [f"pod {pod.pod} ({pod.detail or pod.state})" for pod in consumer.wrong]
        if not consumer.listed:
            wrong.append(f"whatever {consumer.name!r} runs ({consumer.problem})")
    return ", ".join(wrong)


ATTEMPTS = 5
ROLLING = 2 / 3
"""Share of the time for the rollout or the volumes. The rest is for the pods that they did not reach."""
STALLED = 45.0
"""Seconds without progress after which a rollout counts as stalled."""
OVERTAKEN = ("superseded", "paused")


@dataclass
class Consumers:
    """The Deployments that read the flags of one ConfigMap, brought to them side by side.

    `report` is called with a name and a text. `mounted`: they have their flags from a ConfigMap volume and take changes
    up while they run.
    """

    names: t.Sequence[str]
    config_map: str
    cluster: Cluster
    report: t.Callable[[str, str], None]
    actor: str
    wait_timeout: float
    mounted: bool
    probe: FlagsProbe
    clock: Clock
    wall: t.Callable[[], datetime]

    @classmethod
    def from_params(cls, module: Module, cluster: Cluster, event: str, actor: str) -> Consumers:
        """By the options of the fragments `_flags.consumers` and `_flags.probe`. `event`: of its progress."""
        params = module.params
        return cls(
            [*dict.fromkeys(params["consumers"])],
            params["name"],
            cluster,
            lambda name, text: emit_progress(
                module, event, f"{name}: {text}", {"deployment": name}
            ),
            actor=actor,
            wait_timeout=params["wait_timeout"],
            mounted=params["delivery"] == VOLUME,
            probe=to_probe(params["delivery"], params["probe"]),
            clock=MonotonicClock(),
            wall=now,
        )

    def __post_init__(self) -> None:
        self.started = self.clock.now()
        self._speaking = Lock()

    def switch(
        self, expected: t.Mapping[str, str], checksum: str, *, moved: bool
    ) -> list[ConsumerState]:
        """Bring all pods to the flags. `checksum`: of all flags of the ConfigMap. `moved`: some were written now."""
        return side_by_side(
            lambda name: Consumer(name, self, expected, checksum, moved).switch(), self.names
        )

    def look(self, expected: t.Mapping[str, str], checksum: str) -> list[ConsumerState]:
        """What the pods run, without changing anything."""
        return side_by_side(
            lambda name: Consumer(name, self, expected, checksum).look(), self.names
        )

    def tell(self, name: str, text: str) -> None:
        """One at a time."""
        with self._speaking:
            self.report(name, text)


@dataclass
class Consumer:
    """Brings one Deployment's pods to the flags."""

    name: str
    task: Consumers
    expected: t.Mapping[str, str]
    checksum: str
    moved: bool = False

    def __post_init__(self) -> None:
        task, self.clock = self.task, self.task.clock
        self.report = functools.partial(task.tell, self.name)
        self._began = self.clock.now()
        self._deadline = self._began + task.wait_timeout
        self._cluster = task.cluster.until(self._deadline)
        self._written = Written(self._cluster, task.config_map, self.expected, self.clock)

    def _observe(self) -> Asker:
        task, deployment = self.task, observe_deployment(self._cluster, self.name)
        about = (self.expected, self.clock, task.wall, task.started, task.probe)
        return Asker(self._cluster, deployment, *about)

    def look(self) -> ConsumerState:
        """Its pods' flags, without changing anything."""
        try:
            return ConsumerState(self.name, pods=tuple(self._observe().ask()))
        except DeployError as exc:
            return ConsumerState(self.name, problem=str(exc), listed=False)

    def switch(self) -> ConsumerState:
        """Bring its pods to the flags. Never raises for errors of the cluster: other consumers go on."""
        restarted, problem, note = False, "", ""
        try:
            asker = self._observe()
            deployment = asker.deployment
            # Listed without asking them: the restart should not wait for their answers.
            known = frozenset(pod.uid for pod in observe_all_pods(self._cluster, deployment))
            if self.task.mounted:
                replaced_pods, problem, note = self._follow(asker, known)
            elif pods := self._settled(asker):
                replaced_pods = ReplacedPods(pods)
            else:
                if deployment.paused:
                    note = "It is paused, so pods were deleted one by one instead of a rollout. It stays paused."
                else:
                    restarted, problem = self._restart(asker)
                replaced_pods = self._replace_stale(asker, known)
        except DeployError as exc:
            return ConsumerState(self.name, restarted=restarted, problem=str(exc), listed=False)
        if any(pod.state == STALE and pod.uid not in known for pod in replaced_pods.pods):
            note = (
                "Its pods started after the flags were written and lack them: does it read them, or did somebody "
                "change them meanwhile?"
            )
        return ConsumerState(
            self.name,
            pods=replaced_pods.pods,
            restarted=restarted,
            replaced=replaced_pods.replaced,
            problem=" ".join(filter(None, (problem, replaced_pods.problem))),
            note=note,
        )

    def _settled(self, asker: Asker) -> tuple[PodState, ...]:
        """Its pods where all run the flags, whatever flags its template was made for; else none.

        New flags do not wait for this look.
        """
        if self.moved or not asker.deployment.complete:
            return ()
        pods = tuple(asker.ask())
        return pods if all(pod.state == REACHED for pod in pods) else ()

    def _follow(self, asker: Asker, known: frozenset[str]) -> tuple[ReplacedPods, str, str]:
        """Its pods, why some did not follow, and another hint."""
        patience = self.task.wait_timeout * ROLLING
        followed = follow(
            asker,
            deadline=self._began + patience,
            report=self.report,
            waits_for=self._waits_for,
            settle=SETTLE,
        )
        note, stale = followed.problem, [pod.pod for pod in followed.pods if pod.state == STALE]
        if not stale:
            return replace(followed, problem=""), "", note
        problem = (
            f"The volumes of {', '.join(stale)} did not bring the flags within {patience:.0f} s."
        )
        return self._replace_stale(asker, known), problem, note

    def _waits_for(self, pod: PodState) -> bool:
        """Whether to wait for the pod: a pod that starts now may get old files."""
        early = self.clock.now() - self._began < KUBELETS_KNOW
        return (is_behind(pod) and self._written.helps(pod)) or (early and pod.state == IDLE)

    def _replace_stale(self, asker: Asker, known: frozenset[str]) -> ReplacedPods:
        return replace_stale_pods(
            asker,
            Replaceable(known, self._began, self._written.helps),
            deadline=max(self._deadline, self.clock.now() + 1.0),
            report=self.report,
        )

    def _restart(self, asker: Asker) -> tuple[bool, str]:
        """Whether it wrote the pod template, and why the rollout did not succeed, if so."""
        wrote, wanted = False, self._wanted(asker.deployment)
        problem = ""
        for _attempt in range(ATTEMPTS):
            try:
                plan, rollout = self._plan(asker, wanted)
                wrote = wrote or plan.changed
                rollout.carry_out(plan)
            except DeployError as exc:
                problem = str(exc)
                if exc.details.get("result") not in OVERTAKEN:
                    break
                self.report(f"changed by somebody else, trying again: {exc}")
                if exc.details["result"] == "paused":
                    break
            else:
                return wrote, ""
        return wrote, problem

    def _plan(self, asker: Asker, wanted: RolloutRequest) -> tuple[RolloutPlan, Rollout]:
        """Plan a restart; also for a template with the checksum, which proves nothing about pods, if one is stale."""
        rollout = self._rollout(wanted)
        plan = rollout.plan()
        if plan.changed or not plan.before.complete:
            return plan, rollout
        if any(pod.state == STALE for pod in asker.ask()):
            rollout = self._rollout(replace(wanted, checksum=""))
            return rollout.plan(), rollout
        return plan, rollout

    def _rollout(self, wanted: RolloutRequest) -> Rollout:
        left = self._began + self.task.wait_timeout * ROLLING - self.clock.now()
        return Rollout(
            self._cluster,
            self.name,
            replace(wanted, wait_timeout=max(left, 1.0)),
            None,
            clock=self.clock,
            report=lambda text, _counts: self.report(text),
            guard=lease_check_for(self._cluster, 0, clock=self.clock),
        )

    def _wanted(self, deployment: Deployment) -> RolloutRequest:
        return RolloutRequest(
            state="restarted",
            container=container_of(deployment),
            checksum=self.checksum,
            actor=self.task.actor,
            at=format_time(self.task.wall()),
            undo_on_failure=False,
            quorum="any",
            stall_timeout=STALLED,
        )
