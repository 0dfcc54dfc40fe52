# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Write a planned change to a Deployment, and settle conflicts with whoever writes at the same time."""

from __future__ import annotations

import random
import typing as t

from .._errors import ConflictError, RefusedError
from .guard import GuardedCluster
from .models import Deployment
from .observe import find_deployment
from .plan import RolloutPlan, Wanted, check_fence, is_own_write, plan_admitted, superseded

ATTEMPTS = 5


def apply_plan(
    guarded: GuardedCluster,
    plan: RolloutPlan,
    wanted: Wanted,
    *,
    replan: t.Callable[[Deployment], RolloutPlan],
) -> Deployment:
    """The Deployment as patched.

    On a conflict it is read again: status, replicas or a foreign annotation moved means that the patch
    is made anew; already as wanted means that an earlier answer was lost; another template is
    somebody else's and stands.

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
        current = _seen_again(guarded, plan.before)
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


def _noted(guarded: GuardedCluster, released: Deployment, wanted: Wanted) -> Deployment:
    """With a note of what webhooks have made of the image, where that is another than was asked for."""
    operations = plan_admitted(released, wanted)
    if not operations:
        return released
    try:
        return Deployment.from_json(guarded.patch_deployment(released.name, operations))
    except ConflictError as exc:
        if "result" in exc.details:
            raise
        current = _seen_again(guarded, released)
        check_fence(current, wanted)
        raise superseded(current, wanted) from exc


def _seen_again(guarded: GuardedCluster, before: Deployment) -> Deployment:
    """What it is by now; raises when it is gone, or another of its name stands there."""
    current = find_deployment(guarded.cluster, before.name)
    if current is None or current.uid != before.uid:
        raise deleted(before)
    return current


def deleted(deployment: Deployment) -> ConflictError:
    return ConflictError(
        f"Deployment {deployment.name!r} was deleted before it could be written.", result="deleted"
    )
