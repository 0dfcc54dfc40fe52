# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop Deployments and start them again with as many pods as they had: one patch each, and a wait for their pods."""

from __future__ import annotations

import random
import re
import typing as t
from dataclasses import dataclass, replace

from .._cluster import REPLICAS_ANNOTATION, Clock, Cluster, Object, Operation
from .._errors import (
    ConflictError,
    DeployError,
    InputError,
    NotReadyError,
    RefusedError,
    UnreachableError,
)
from .follow import pause
from .models import Deployment
from .observer import observe_all_pods

STOPPED, RUNNING = "stopped", "running"

MOST_REPLICAS = 2**31 - 1


@dataclass(frozen=True)
class Size:
    """One Deployment: how many pods it is to have, and how many it had before we stopped it."""

    name: str
    uid: str
    generation: int
    replicas: int
    remembered: int | None
    annotated: bool
    """Whether it has annotations at all: a JSON Patch can't add a key to a map that is not there."""

    @classmethod
    def from_json(cls, body: Object) -> Size:
        metadata = body["metadata"]
        annotations = metadata.get("annotations") or {}
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata["generation"],
            replicas=body["spec"].get("replicas", 1),
            remembered=_remembered(metadata, annotations.get(REPLICAS_ANNOTATION)),
            annotated=bool(annotations),
        )

    def to_face(self) -> dict[str, t.Any]:
        return {"replicas": self.replicas, "remembered": self.remembered}


@dataclass(frozen=True)
class ScaleStep:
    """The change of one Deployment. The remembered count is set and removed with the replicas, never alone."""

    before: Size
    after: Size

    @property
    def name(self) -> str:
        return self.before.name

    @property
    def changed(self) -> bool:
        return self.after != self.before

    @property
    def operations(self) -> list[Operation]:
        """Refused by the server as soon as anything but the status is not as it was seen."""
        before, after = self.before, self.after
        operations: list[Operation] = [
            {"op": "test", "path": "/metadata/uid", "value": before.uid},
            {"op": "test", "path": "/metadata/generation", "value": before.generation},
        ]
        if after.replicas != before.replicas:
            operations.append({"op": "replace", "path": "/spec/replicas", "value": after.replicas})
        path = f"/metadata/annotations/{REPLICAS_ANNOTATION.replace('/', '~1')}"
        if after.remembered is None and before.remembered is not None:
            operations.append({"op": "remove", "path": path})
        elif after.remembered != before.remembered:
            if not before.annotated:
                operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
            operations.append({"op": "add", "path": path, "value": str(after.remembered)})
        return operations

    @property
    def overruled(self) -> bool:
        """Somebody scaled it while it was stopped."""
        before = self.before
        return before.remembered is not None and before.replicas not in (0, before.remembered)

    def to_result(self) -> dict[str, t.Any]:
        return {
            "before": self.before.replicas,
            "after": self.after.replicas,
            "remembered": self.after.remembered,
            "changed": self.changed,
        }


def plan_step(size: Size, state: str) -> ScaleStep:
    """Plan one Deployment. A remembered count stays: it dates from before the first stop."""
    if state == STOPPED:
        known = size.replicas if size.remembered is None else size.remembered
        return ScaleStep(size, replace(size, replicas=0, remembered=known))
    if size.remembered is None:
        return ScaleStep(size, size)
    return ScaleStep(size, replace(size, replicas=size.remembered, remembered=None))


def autoscaled(autoscalers: t.Iterable[Object], names: t.Collection[str]) -> dict[str, str]:
    """The HorizontalPodAutoscaler that scales each of the Deployments, by Deployment."""
    scalers = {}
    for body in autoscalers:
        target = body["spec"]["scaleTargetRef"]
        if target.get("kind") == "Deployment" and target["name"] in names:
            scalers[target["name"]] = body["metadata"]["name"]
    return scalers


def _remembered(metadata: Object, text: str | None) -> int | None:
    if text is None:
        return None
    if re.fullmatch(r"\d{1,10}", text) and int(text) <= MOST_REPLICAS:
        return int(text)
    name = metadata["name"]
    where = f"-n {metadata['namespace']} " if metadata.get("namespace") else ""
    raise InputError(
        f"The annotation {REPLICAS_ANNOTATION} of Deployment {name!r} is {text!r}, which is no "
        f"number of replicas: fix it with 'kubectl {where}annotate --overwrite deployment/{name} "
        f"{REPLICAS_ANNOTATION}=<count>'."
    )


Report = t.Callable[[str], None]


@dataclass(frozen=True)
class Waiting:
    """A Deployment that is not yet as it is to be: how many of its pods are missing or too many."""

    name: str
    pods: int
    detail: str


def wait_for(
    cluster: Cluster,
    names: t.Collection[str],
    state: str,
    *,
    clock: Clock,
    deadline: float,
    report: Report,
) -> None:
    """Wait for all pods. Raises NotReadyError with the remaining ones at the deadline."""
    look = pods_left if state == STOPPED else not_available
    doing = "to end" if state == STOPPED else "to be available"
    started, reported = clock.now(), ""
    while waiting := look(cluster, names):
        names = [deployment.name for deployment in waiting]
        text = f"waits for {sum(deployment.pods for deployment in waiting)} pods {doing}, of {len(waiting)} Deployments"
        if text != reported:
            reported = text
            report(text)
        if clock.now() >= deadline:
            raise NotReadyError(
                _too_late(waiting, state),
                waiting={deployment.name: deployment.detail for deployment in waiting},
            )
        clock.sleep(pause(clock.now() - started))


def pods_left(cluster: Cluster, names: t.Collection[str]) -> list[Waiting]:
    """Those with pods, ending ones too: a pod writes until it is gone."""
    waiting: list[Waiting] = []
    for deployment in _deployments(cluster, names):
        pods = observe_all_pods(cluster, deployment)
        ending = sum(pod.deleting for pod in pods)
        if pods:
            detail = f"{len(pods)} pods left, {ending} of them ending"
            waiting.append(Waiting(deployment.name, len(pods), detail))
        elif deployment.observed_generation < deployment.generation or deployment.counts.total:
            detail = "its controller has not acted yet"
            waiting.append(Waiting(deployment.name, deployment.counts.total, detail))
    return waiting


def not_available(cluster: Cluster, names: t.Collection[str]) -> list[Waiting]:
    return [
        Waiting(
            deployment.name,
            deployment.counts.desired - deployment.counts.available,
            f"{deployment.counts.available} of {deployment.counts.desired} available",
        )
        for deployment in _deployments(cluster, names)
        if deployment.observed_generation < deployment.generation
        or deployment.counts.available < deployment.counts.desired
    ]


def _deployments(cluster: Cluster, names: t.Collection[str]) -> list[Deployment]:
    listed = map(Deployment.from_json, cluster.list_objects("Deployment"))
    return [deployment for deployment in listed if deployment.name in names]


def _too_late(waiting: t.Sequence[Waiting], state: str) -> str:
    standing = "; ".join(f"{deployment.name}: {deployment.detail}" for deployment in waiting)
    if state == STOPPED:
        return (
            f"Not all pods were gone within 'wait_timeout': {standing}. They may still write: "
            "check them with kubectl, and raise 'wait_timeout' if they end slowly."
        )
    return (
        f"Not all pods were available within 'wait_timeout': {standing}. The counts are set, so "
        "Kubernetes continues: check the pods' logs with kubectl, and run the task again to wait."
    )


ATTEMPTS = 5


@dataclass(frozen=True)
class ScalePlan:
    """One step a Deployment, in the order they were named. `problems` of others keep none from starting."""

    state: str
    steps: tuple[ScaleStep, ...]
    problems: tuple[InputError, ...] = ()

    @property
    def changed(self) -> bool:
        return any(step.changed for step in self.steps)

    @property
    def left_alone(self) -> list[str]:
        """Not stopped by us, so not ours to start."""
        running = self.state == RUNNING
        return [step.name for step in self.steps if running and step.before.remembered is None]

    @property
    def overruled(self) -> list[str]:
        return [step.name for step in self.steps if step.overruled]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "changed": self.changed,
            "deployments": {step.name: step.to_result() for step in self.steps},
            "left_alone": self.left_alone,
        }

    def to_diff(self) -> dict[str, t.Any]:
        return {
            "before": {step.name: step.before.to_face() for step in self.steps},
            "after": {step.name: step.after.to_face() for step in self.steps},
        }


class Scaling:
    """Several Deployments' way to `state`, stopped or running."""

    def __init__(self, cluster: Cluster, *, clock: Clock, deadline: float, report: Report) -> None:
        self._cluster = cluster.until(deadline)
        self._clock = clock
        self._deadline = deadline
        self._report = report

    def plan(self, names: t.Sequence[str], state: str) -> ScalePlan:
        """Nothing is stopped when there is a problem with one."""
        listed = {
            body["metadata"]["name"]: body for body in self._cluster.list_objects("Deployment")
        }
        steps: list[ScaleStep] = []
        problems: list[InputError] = []
        for name in dict.fromkeys(names):
            try:
                if name not in listed:
                    raise _not_there(name, self._cluster.namespace)
                steps.append(plan_step(Size.from_json(listed[name]), state))
            except InputError as exc:
                problems.append(exc)
        if problems and state == STOPPED:
            raise _together(problems)
        return ScalePlan(state, tuple(steps), tuple(problems))

    def autoscalers(self, plan: ScalePlan) -> dict[str, str]:
        """Autoscalers only explain a count, so a missing right to read them is no failure."""
        names = {step.name for step in plan.steps}
        try:
            return autoscaled(self._cluster.list_objects("HorizontalPodAutoscaler"), names)
        except RefusedError:
            return {}

    def predict(self, plan: ScalePlan) -> None:
        """Let the server judge the patches without keeping them."""
        for step in plan.steps:
            if step.changed:
                self._cluster.patch("Deployment", step.name, step.operations, dry_run=True)
        if plan.problems:
            raise _together(plan.problems, **plan.to_result())

    def carry_out(self, plan: ScalePlan) -> None:
        failures: list[DeployError] = []
        done: list[str] = []
        for step in plan.steps:
            try:
                if step.changed:
                    self._scale(step, plan.state)
                done.append(step.name)
            except DeployError as exc:
                failures.append(exc)
                # Stopping more would only deepen the outage; starting goes on while anybody answers.
                if plan.state == STOPPED or isinstance(exc, UnreachableError):
                    break
        if not (failures and plan.state == STOPPED):
            failures += self._wait(done, plan.state)
        if failures or plan.problems:
            raise _midway(plan, done, [*failures, *plan.problems])

    def _wait(self, names: t.Sequence[str], state: str) -> list[DeployError]:
        try:
            wait_for(
                self._cluster,
                names,
                state,
                clock=self._clock,
                deadline=self._deadline,
                report=self._report,
            )
        except DeployError as exc:
            return [exc]
        return []

    def _scale(self, step: ScaleStep, state: str) -> None:
        """After a conflict it is looked at again, for it may be done already."""
        last: ConflictError | None = None
        for attempt in range(ATTEMPTS):
            try:
                self._cluster.patch("Deployment", step.name, step.operations)
            except ConflictError as exc:
                last = exc
            else:
                self._report(
                    f"{step.name}: {step.before.replicas} → {step.after.replicas} replicas"
                )
                return
            self._clock.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - spreads retries
            body = self._cluster.read("Deployment", step.name)
            if body is None:
                raise _not_there(step.name, self._cluster.namespace)
            step = plan_step(Size.from_json(body), state)
            if not step.changed:
                return  # an earlier answer was lost, or another operator did the same
        raise ConflictError(
            f"Deployment {step.name!r} was changed {ATTEMPTS} times during our writes: something "
            "else keeps writing to it. Find out what, and try again."
        ) from last


def _midway(
    plan: ScalePlan, done: t.Sequence[str], failures: t.Sequence[DeployError]
) -> DeployError:
    left = [step.name for step in plan.steps if step.name not in done]
    verb = "set to 0" if plan.state == STOPPED else "set to their counts"
    standing = f"Of {len(plan.steps)} Deployments {len(done)} are {verb}"
    standing += f", but not {', '.join(left)}." if left else "."
    if plan.state == STOPPED:
        standing += " Each stores its count: 'state: running' starts them again."
    else:
        standing += " Run the task again: it continues."
    return _together(failures, standing, scaled=list(done), not_scaled=left)


def _together(failures: t.Sequence[DeployError], *more: str, **details: t.Any) -> DeployError:
    """One error of the first failure's class, with the messages of all."""
    message = " ".join([*(str(failure) for failure in failures), *more])
    return type(failures[0])(message, **{**failures[0].details, **details})


def _not_there(name: str, namespace: str) -> InputError:
    return InputError(
        f"There is no Deployment {name!r} in namespace {namespace!r}: correct 'deployments' or 'namespace'."
    )
