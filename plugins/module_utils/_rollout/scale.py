# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop Deployments and start them again with as many pods as they had: one patch each, and a wait for their pods."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._cluster import (
    REPLICAS_ANNOTATION,
    Clock,
    Cluster,
    Operation,
    Tries,
    escape,
    operation,
    set_annotations,
)
from .._errors import DeployError, InputError, NotReadyError, UnreachableError
from .follow import pause
from .models import Deployment
from .observer import find_deployment, not_there, observe_all_pods

STOPPED, RUNNING = "stopped", "running"
MOST_REPLICAS = 2**31 - 1


class Scale(t.NamedTuple):
    """How many pods a Deployment is to have, and how many it had before we stopped it."""

    replicas: int
    remembered: int | None


@dataclass(frozen=True)
class ScaleStep:
    """The change of one Deployment. The remembered count is set and removed with the replicas, never alone."""

    deployment: Deployment
    before: Scale
    after: Scale

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def operations(self) -> list[Operation]:
        """Refused by the server as soon as anything but the status is not as it was seen."""
        present, at = self.deployment.annotations, "/metadata/annotations"
        operations = [
            operation("test", "/metadata/uid", self.deployment.uid),
            operation("test", "/metadata/generation", self.deployment.generation),
        ]
        replicas, remembered = self.after
        if replicas != self.before.replicas:
            operations.append(operation("replace", "/spec/replicas", replicas))
        if remembered is None:
            operations.append({"op": "remove", "path": f"{at}/{escape(REPLICAS_ANNOTATION)}"})
        elif remembered != self.before.remembered:
            operations += set_annotations(at, present, {REPLICAS_ANNOTATION: str(remembered)})
        return operations

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.deployment.name,
            "before": self.before.replicas,
            "after": self.after.replicas,
            "remembered": self.after.remembered,
            "changed": self.changed,
        }


def plan_step(deployment: Deployment, state: str) -> ScaleStep:
    """Plan one Deployment. A remembered count stays: it dates from before the first stop."""
    before = Scale(deployment.counts.desired, _remembered(deployment))
    known = before.replicas if before.remembered is None else before.remembered
    return ScaleStep(
        deployment, before, Scale(0, known) if state == STOPPED else Scale(known, None)
    )


def _remembered(deployment: Deployment) -> int | None:
    text = deployment.annotations.get(REPLICAS_ANNOTATION)
    if text is None:
        return None
    if re.fullmatch(r"\d{1,10}", text) and int(text) <= MOST_REPLICAS:
        return int(text)
    where = f"-n {deployment.namespace} " if deployment.namespace else ""
    raise InputError(
        f"The annotation {REPLICAS_ANNOTATION} of Deployment {deployment.name!r} is {text!r}, which is no "
        f"number of replicas: fix it with 'kubectl {where}annotate --overwrite deployment/{deployment.name} "
        f"{REPLICAS_ANNOTATION}=<count>'."
    )


@dataclass
class Scaling:
    """Several Deployments' way to `state`, stopped or running."""

    cluster: Cluster
    clock: Clock
    deadline: float
    state: str
    report: t.Callable[[str], None]
    steps: dict[str, ScaleStep] = field(default_factory=dict)
    """By Deployment, in the order they were named."""
    problems: list[DeployError] = field(default_factory=list)
    """Of other Deployments. They keep none from starting."""

    def plan(self, names: t.Sequence[str]) -> None:
        """Nothing is stopped when there is a problem with one."""
        listed = {deployment.name: deployment for deployment in self._deployments()}
        for name in dict.fromkeys(names):
            try:
                if name not in listed:
                    raise not_there(self.cluster, name)
                self.steps[name] = plan_step(listed[name], self.state)
            except InputError as exc:
                self.problems.append(exc)
        if self.problems and self.state == STOPPED:
            raise _together(self.problems)

    @property
    def overruled(self) -> list[str]:
        """Those that somebody scaled while they were stopped."""
        scales = {name: step.before for name, step in self.steps.items()}
        return [
            name
            for name, (replicas, remembered) in scales.items()
            if remembered is not None and replicas not in (0, remembered)
        ]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "changed": any(step.changed for step in self.steps.values()),
            "deployments": [step.to_result() for step in self.steps.values()],
        }

    def to_diff(self) -> dict[str, t.Any]:
        return {
            "before": {name: step.before._asdict() for name, step in self.steps.items()},
            "after": {name: step.after._asdict() for name, step in self.steps.items()},
        }

    def predict(self) -> None:
        """Let the server judge the patches without keeping them."""
        for name, step in self.steps.items():
            if step.changed:
                self.cluster.patch("Deployment", name, step.operations, dry_run=True)
        if self.problems:
            raise _together(self.problems, **self.to_result())

    def carry_out(self) -> None:
        """Write every step, and wait for all pods. Raises with what was done and what was not."""
        failures: list[DeployError] = []
        done: list[str] = []
        for name, step in self.steps.items():
            try:
                if step.changed:
                    self._scale(name, step)
                done.append(name)
            except DeployError as exc:
                failures.append(exc)
                # Stopping more would only deepen the outage; starting goes on while anybody answers.
                if self.state == STOPPED or isinstance(exc, UnreachableError):
                    break
        if not (failures and self.state == STOPPED):
            try:
                self._wait(done)
            except DeployError as exc:
                failures.append(exc)
        if failures or self.problems:
            raise _together([*failures, *self.problems], self._midway(done))

    def _scale(self, name: str, step: ScaleStep) -> None:
        """After a conflict it is looked at again, for it may be done already."""
        tries = Tries(f"Deployment {name!r}", self.clock, most=5)
        while True:
            with tries:
                self.cluster.patch("Deployment", name, step.operations)
                self.report(f"{name}: {step.before.replicas} → {step.after.replicas} replicas")
                return
            current = find_deployment(self.cluster, name)
            if current is None:
                raise not_there(self.cluster, name)
            step = plan_step(current, self.state)
            if not step.changed:
                return  # an earlier answer was lost, or another operator did the same

    def _wait(self, names: t.Collection[str]) -> None:
        """Wait for all pods. Raises NotReadyError with the remaining ones at the deadline."""
        doing = "to end" if self.state == STOPPED else "to be available"
        started, reported = self.clock.now(), ""
        while waiting := self._waiting(names):
            names = [*waiting]
            pods = sum(count for count, _detail in waiting.values())
            text = f"waits for {pods} pods {doing}, of {len(waiting)} Deployments"
            if text != reported:
                reported = text
                self.report(text)
            if self.clock.now() >= self.deadline:
                raise NotReadyError(_too_late(waiting, self.state))
            self.clock.sleep(pause(self.clock.now() - started))

    def _waiting(self, names: t.Collection[str]) -> dict[str, tuple[int, str]]:
        """By name those that are not as they are to be: how many pods are missing or too many, and in words."""
        waiting: dict[str, tuple[int, str]] = {}
        for deployment in self._deployments():
            name, counts = deployment.name, deployment.counts
            if name not in names:
                continue
            unobserved = deployment.observed_generation < deployment.generation
            if self.state == RUNNING:
                missing = counts.desired - counts.available
                if unobserved or missing > 0:
                    waiting[name] = missing, f"{counts.available} of {counts.desired} available"
            # Ending ones too: a pod writes until it is gone.
            elif pods := observe_all_pods(self.cluster, deployment):
                ending = sum(pod.deleting for pod in pods)
                waiting[name] = len(pods), f"{len(pods)} pods left, {ending} of them ending"
            elif unobserved or counts.total:
                waiting[name] = counts.total, "its controller has not acted yet"
        return waiting

    def _midway(self, done: t.Sequence[str]) -> str:
        left = [name for name in self.steps if name not in done]
        verb, ending = (
            ("set to 0", "Each stores its count: 'state: running' starts them again.")
            if self.state == STOPPED
            else ("set to their counts", "Run the task again: it continues.")
        )
        rest = f", but not {', '.join(left)}" if left else ""
        return f"Of {len(self.steps)} Deployments {len(done)} are {verb}{rest}. {ending}"

    def _deployments(self) -> t.Iterator[Deployment]:
        return map(Deployment.from_json, self.cluster.list_objects("Deployment"))


def _too_late(waiting: t.Mapping[str, tuple[int, str]], state: str) -> str:
    standing = "; ".join(f"{name}: {detail}" for name, (_count, detail) in waiting.items())
    if state == STOPPED:
        return (
            f"Not all pods were gone within 'wait_timeout': {standing}. They may still write: "
            "check them with kubectl, and raise 'wait_timeout' if they end slowly."
        )
    return (
        f"Not all pods were available within 'wait_timeout': {standing}. The counts are set, so "
        "Kubernetes continues: check the pods' logs with kubectl, and run the task again to wait."
    )


def _together(failures: t.Sequence[DeployError], *more: str, **details: t.Any) -> DeployError:
    """One error of the first failure's class, with the messages of all."""
    message = " ".join([*(str(failure) for failure in failures), *more])
    return type(failures[0])(message, **{**failures[0].details, **details})
