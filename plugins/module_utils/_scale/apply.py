# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale Deployments as planned, one patch each, and tell which of them stand where when it stops midway."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster
from .._errors import ConflictError, DeployError, InputError, RefusedError, UnreachableError
from .plan import STOPPED, Size, Step, autoscaled, left_alone, plan_step
from .wait import Report, wait_for

ATTEMPTS = 5


@dataclass(frozen=True)
class ScalePlan:
    """One step a Deployment, in the order they were named. `problems` of others keep none from starting."""

    state: str
    steps: tuple[Step, ...]
    problems: tuple[InputError, ...] = ()

    @property
    def changed(self) -> bool:
        return any(step.changed for step in self.steps)

    @property
    def left_alone(self) -> list[str]:
        return [step.name for step in self.steps if left_alone(step, self.state)]

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
            "after": {step.name: step.to_face() for step in self.steps},
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
        listed = {one["metadata"]["name"]: one for one in self._cluster.list_objects("Deployment")}
        steps: list[Step] = []
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
        """They only explain a count, so nothing stops for want of the right to see them."""
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

    def _scale(self, step: Step, state: str) -> None:
        """After a conflict it is looked at again, for it may be done already."""
        last: ConflictError | None = None
        for attempt in range(ATTEMPTS):
            try:
                self._cluster.patch("Deployment", step.name, step.operations)
            except ConflictError as exc:
                last = exc
            else:
                self._report(f"{step.name}: {step.before.replicas} → {step.replicas} replicas")
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
    """The first one's kind, everybody's words."""
    told = " ".join([*(str(one) for one in failures), *more])
    return type(failures[0])(told, **{**failures[0].details, **details})


def _not_there(name: str, namespace: str) -> InputError:
    return InputError(
        f"There is no Deployment {name!r} in namespace {namespace!r}: correct 'deployments' or 'namespace'."
    )
