# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop Deployments and start them again with as many pods as they had: one patch each, and a wait for their pods."""

from __future__ import annotations

import random
import re
import typing as t
from dataclasses import dataclass

from .._cluster import (
    REPLICAS_ANNOTATION,
    Clock,
    Cluster,
    Operation,
    escape,
    operation,
    set_annotations,
)
from .._errors import ConflictError, DeployError, InputError, NotReadyError, UnreachableError
from .follow import pause
from .models import Deployment
from .observer import find_deployment, observe_all_pods

STOPPED, RUNNING = "stopped", "running"
ATTEMPTS = 5
MOST_REPLICAS = 2**31 - 1


@dataclass(frozen=True)
class ScaleStep:
    """The change of one Deployment. The remembered count is set and removed with the replicas, never alone."""

    deployment: Deployment
    remembered: int | None
    """How many pods it had before we stopped it."""
    replicas_after: int
    remembered_after: int | None

    @property
    def replicas(self) -> int:
        return self.deployment.counts.desired

    @property
    def changed(self) -> bool:
        return self.to_face() != self.to_face(after=True)

    @property
    def operations(self) -> list[Operation]:
        """Refused by the server as soon as anything but the status is not as it was seen."""
        present, at = self.deployment.annotations, "/metadata/annotations"
        operations = [
            operation("test", "/metadata/uid", self.deployment.uid),
            operation("test", "/metadata/generation", self.deployment.generation),
        ]
        if self.replicas_after != self.replicas:
            operations.append(operation("replace", "/spec/replicas", self.replicas_after))
        if self.remembered_after is None:
            operations.append({"op": "remove", "path": f"{at}/{escape(REPLICAS_ANNOTATION)}"})
        elif self.remembered_after != self.remembered:
            memory = {REPLICAS_ANNOTATION: str(self.remembered_after)}
            operations += set_annotations(at, present, memory)
        return operations

    @property
    def overruled(self) -> bool:
        """Somebody scaled it while it was stopped."""
        return self.remembered is not None and self.replicas not in (0, self.remembered)

    def to_face(self, *, after: bool = False) -> dict[str, t.Any]:
        if after:
            return {"replicas": self.replicas_after, "remembered": self.remembered_after}
        return {"replicas": self.replicas, "remembered": self.remembered}

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.deployment.name,
            "before": self.replicas,
            "after": self.replicas_after,
            "remembered": self.remembered_after,
            "changed": self.changed,
        }


def plan_step(deployment: Deployment, state: str) -> ScaleStep:
    """Plan one Deployment. A remembered count stays: it dates from before the first stop."""
    replicas, remembered = deployment.counts.desired, _remembered(deployment)
    if state == STOPPED:
        known = replicas if remembered is None else remembered
        return ScaleStep(deployment, remembered, 0, known)
    return ScaleStep(deployment, remembered, replicas if remembered is None else remembered, None)


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


@dataclass(frozen=True)
class ScalePlan:
    """One step a Deployment, in the order they were named. `problems` of others keep none from starting."""

    state: str
    steps: tuple[ScaleStep, ...]
    problems: tuple[InputError, ...] = ()

    @property
    def overruled(self) -> list[str]:
        return [step.deployment.name for step in self.steps if step.overruled]

    def to_result(self) -> dict[str, t.Any]:
        """Those that are left alone were not stopped by us, so they are not ours to start."""
        left_alone = self.steps if self.state == RUNNING else ()
        return {
            "changed": any(step.changed for step in self.steps),
            "deployments": [step.to_result() for step in self.steps],
            "left_alone": [step.deployment.name for step in left_alone if step.remembered is None],
        }

    def to_diff(self) -> dict[str, t.Any]:
        return {
            side: {step.deployment.name: step.to_face(after=side == "after") for step in self.steps}
            for side in ("before", "after")
        }


@dataclass
class Scaling:
    """Several Deployments' way to `state`, stopped or running."""

    cluster: Cluster
    clock: Clock
    deadline: float
    report: t.Callable[[str], None]

    def plan(self, names: t.Sequence[str], state: str) -> ScalePlan:
        """Nothing is stopped when there is a problem with one."""
        listed = {deployment.name: deployment for deployment in self._deployments()}
        steps: list[ScaleStep] = []
        problems: list[InputError] = []
        for name in dict.fromkeys(names):
            try:
                if name not in listed:
                    raise _not_there(name, self.cluster.namespace)
                steps.append(plan_step(listed[name], state))
            except InputError as exc:
                problems.append(exc)
        if problems and state == STOPPED:
            raise _together(problems)
        return ScalePlan(state, tuple(steps), tuple(problems))

    def predict(self, plan: ScalePlan) -> None:
        """Let the server judge the patches without keeping them."""
        for step in plan.steps:
            if step.changed:
                name = step.deployment.name
                self.cluster.patch("Deployment", name, step.operations, dry_run=True)
        if plan.problems:
            raise _together(plan.problems, **plan.to_result())

    def carry_out(self, plan: ScalePlan) -> None:
        """Write every step, and wait for all pods. Raises with what was done and what was not."""
        failures: list[DeployError] = []
        done: list[str] = []
        for step in plan.steps:
            try:
                if step.changed:
                    self._scale(step, plan.state)
                done.append(step.deployment.name)
            except DeployError as exc:
                failures.append(exc)
                # Stopping more would only deepen the outage; starting goes on while anybody answers.
                if plan.state == STOPPED or isinstance(exc, UnreachableError):
                    break
        if not (failures and plan.state == STOPPED):
            try:
                self._wait(done, plan.state)
            except DeployError as exc:
                failures.append(exc)
        if failures or plan.problems:
            raise _midway(plan, done, [*failures, *plan.problems])

    def _scale(self, step: ScaleStep, state: str) -> None:
        """After a conflict it is looked at again, for it may be done already."""
        name = step.deployment.name
        last: ConflictError | None = None
        for attempt in range(ATTEMPTS):
            try:
                self.cluster.patch("Deployment", name, step.operations)
            except ConflictError as exc:
                last = exc
            else:
                self.report(f"{name}: {step.replicas} → {step.replicas_after} replicas")
                return
            self.clock.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - spreads retries
            current = find_deployment(self.cluster, name)
            if current is None:
                raise _not_there(name, self.cluster.namespace)
            step = plan_step(current, state)
            if not step.changed:
                return  # an earlier answer was lost, or another operator did the same
        raise ConflictError(
            f"Deployment {name!r} was changed {ATTEMPTS} times during our writes: something "
            "else keeps writing to it. Find out what, and try again."
        ) from last

    def _wait(self, names: t.Collection[str], state: str) -> None:
        """Wait for all pods. Raises NotReadyError with the remaining ones at the deadline."""
        doing = "to end" if state == STOPPED else "to be available"
        started, reported = self.clock.now(), ""
        while waiting := self._waiting(names, state):
            names = [*waiting]
            pods = sum(count for count, _detail in waiting.values())
            text = f"waits for {pods} pods {doing}, of {len(waiting)} Deployments"
            if text != reported:
                reported = text
                self.report(text)
            if self.clock.now() >= self.deadline:
                raise NotReadyError(_too_late(waiting, state))
            self.clock.sleep(pause(self.clock.now() - started))

    def _waiting(self, names: t.Collection[str], state: str) -> dict[str, tuple[int, str]]:
        """By name those that are not as they are to be: how many pods are missing or too many, and in words."""
        waiting: dict[str, tuple[int, str]] = {}
        for deployment in self._deployments():
            name, counts = deployment.name, deployment.counts
            if name not in names:
                continue
            unobserved = deployment.observed_generation < deployment.generation
            if state == RUNNING:
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


def _midway(
    plan: ScalePlan, done: t.Sequence[str], failures: t.Sequence[DeployError]
) -> DeployError:
    left = [step.deployment.name for step in plan.steps if step.deployment.name not in done]
    verb, ending = (
        ("set to 0", "Each stores its count: 'state: running' starts them again.")
        if plan.state == STOPPED
        else ("set to their counts", "Run the task again: it continues.")
    )
    rest = f", but not {', '.join(left)}" if left else ""
    standing = f"Of {len(plan.steps)} Deployments {len(done)} are {verb}{rest}. {ending}"
    return _together(failures, standing)


def _together(failures: t.Sequence[DeployError], *more: str, **details: t.Any) -> DeployError:
    """One error of the first failure's class, with the messages of all."""
    message = " ".join([*(str(failure) for failure in failures), *more])
    return type(failures[0])(message, **{**failures[0].details, **details})


def _not_there(name: str, namespace: str) -> InputError:
    return InputError(
        f"There is no Deployment {name!r} in namespace {namespace!r}: correct 'deployments' or 'namespace'."
    )
