# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a planned change to a Deployment while the run may deploy."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster, Object, Operation
from .._errors import ConflictError, DeployError, RefusedError, UnreachableError
from .._lock.apply import WriteCheck
from .models import Deployment
from .observer import find_deployment
from .plan import (
    RolloutPlan,
    RolloutRequest,
    check_fence,
    is_own_write,
    plan_admitted,
    superseded,
)

FROZEN = "Frozen"
"""The reason of an error of `check` that forbids releases, but not their undoing."""
ONE_TRY = 16.0
"""Seconds that a write without an answer is tried before the guard is asked again: a busy API server may take 15."""
PAUSE = 1.0
"""Seconds until the guard is asked again."""

Written = t.TypeVar("Written")


def require(guard: WriteCheck) -> None:
    """Check before a write that goes forward. Raises a DeployError that carries the rollout's result."""
    try:
        guard.check()
    except UnreachableError as exc:
        raise UnreachableError(str(exc), **{"result": "indeterminate", **exc.details}) from exc
    except DeployError as exc:
        raise _refusal(exc) from exc


def require_for_undo(guard: WriteCheck) -> None:
    """Before a write that goes back: a freeze does not forbid it, nor does a lock out of sight."""
    lost = loss(guard, fresh=False)
    if lost is not None:
        raise lost


@dataclass(frozen=True)
class GuardedCluster:
    """Writes of one rollout. `ask` is one of the two above, and asked before each try; `deadline`: on `clock`."""

    cluster: Cluster
    ask: t.Callable[[], None]
    clock: Clock
    deadline: float

    def patch_deployment(self, name: str, operations: t.Sequence[Operation]) -> Object:
        return self._write(lambda cluster: cluster.patch("Deployment", name, operations))

    def delete_pod(self, name: str) -> None:
        self._write(lambda cluster: cluster.delete("Pod", name))

    def _write(self, once: t.Callable[[Cluster], Written]) -> Written:
        """What `once` gives, tried again while nothing answers.

        Raises UnreachableError at the deadline, and when the guard forbids to try again what had no answer: it may
        have been written.
        """
        unanswered: UnreachableError | None = None
        while True:
            try:
                self.ask()
            except UnreachableError as exc:
                failure = exc
            except DeployError as exc:
                if unanswered is None:
                    raise
                raise UnreachableError(f"{unanswered} It was not tried again: {exc}") from exc
            else:
                try:
                    return once(self.cluster.until(min(self.deadline, self.clock.now() + ONE_TRY)))
                except UnreachableError as exc:
                    failure = unanswered = exc
            if self.clock.now() + PAUSE > self.deadline:
                raise failure
            self.clock.sleep(PAUSE)


def loss(guard: WriteCheck, *, fresh: bool = True) -> ConflictError | None:
    """The error of a lock that another run holds; None while it is ours or unreachable."""
    try:
        guard.check(fresh=fresh)
    except UnreachableError:
        return None
    except DeployError as exc:
        return None if exc.reason == FROZEN else _refusal(exc)
    return None


def _refusal(exc: DeployError) -> ConflictError:
    result = "blocked" if exc.reason == FROZEN else "lease_lost"
    return ConflictError(str(exc), **{"result": result, **exc.details})


ATTEMPTS = 5


def apply_plan(
    guarded: GuardedCluster,
    plan: RolloutPlan,
    wanted: RolloutRequest,
    *,
    replan: t.Callable[[Deployment], RolloutPlan],
) -> Deployment:
    """The Deployment as patched.

    On a conflict the Deployment is read again. Changes of status, replicas or foreign annotations: the patch is
    made anew. Already as wanted: an earlier response was lost. Another writer's template stays.

    Raises ConflictError and RefusedError with the rollout's `result`, and a plan's `refusal` once its fence is written.
    """
    last: ConflictError | None = None
    for attempt in range(ATTEMPTS):
        try:
            body = guarded.patch_deployment(plan.before.name, plan.operations)
        except ConflictError as exc:
            if "result" in exc.details:
                raise  # the guard's word, and no write of others
            last = exc
        except RefusedError as exc:
            if exc.details.get("status") == 404:
                raise deleted(plan.before) from exc
            raise RefusedError(str(exc), **{**exc.details, "result": "rejected"}) from exc
        else:
            if plan.refusal is not None:
                raise plan.refusal
            patched = Deployment.from_json(body)
            return _noted(guarded, patched, wanted) if plan.releases else patched
        current = _observe_again(guarded, plan.before)
        moved = current.template != plan.before.template
        if plan.releases and is_own_write(plan.before, current, wanted):
            return _noted(guarded, current, wanted)
        plan = replan(current)
        if moved and plan.changed:
            raise superseded(current, wanted)
        if not plan.writes:
            return current
        guarded.clock.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - spreads retries
    raise ConflictError(
        f"Deployment {plan.before.name!r} was changed {ATTEMPTS} times during our writes, so it "
        "was left alone: something else keeps writing to it. Find out what, and try again.",
        result="superseded",
    ) from last


def _noted(guarded: GuardedCluster, released: Deployment, wanted: RolloutRequest) -> Deployment:
    """The Deployment with a note of the image that webhooks set, where it differs from the requested one."""
    operations = plan_admitted(released, wanted)
    if not operations:
        return released
    try:
        return Deployment.from_json(guarded.patch_deployment(released.name, operations))
    except ConflictError as exc:
        if "result" in exc.details:
            raise
        current = _observe_again(guarded, released)
        check_fence(current, wanted)
        raise superseded(current, wanted) from exc


def _observe_again(guarded: GuardedCluster, before: Deployment) -> Deployment:
    """The Deployment as it is now. Raises when it is gone or was recreated under the same name."""
    current = find_deployment(guarded.cluster, before.name)
    if current is None or current.uid != before.uid:
        raise deleted(before)
    return current


def deleted(deployment: Deployment) -> ConflictError:
    return ConflictError(
        f"Deployment {deployment.name!r} was deleted before it could be written.", result="deleted"
    )
