# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Take a failing rollout back to its pin, and say how that went. Only what this release wrote is undone."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import ConflictError, DeployError
from .apply import apply_plan, deleted
from .evaluate import Evaluation, Progress, start_course
from .follow import RolloutStatus
from .guard import GuardedCluster
from .models import Deployment
from .observe import find_deployment
from .plan import Pin, RolloutPlan, Wanted, check_fence, plan_return, superseded
from .results import Results

FOREIGN = frozenset({"superseded", "deleted", "paused"})
"""Ends of following an undo that are somebody else's doing."""


@dataclass
class Undo:
    """One undo. `guarded` and `follow` carry its own deadline."""

    guarded: GuardedCluster
    wanted: Wanted
    pin: Pin
    follow: t.Callable[[Progress, Deployment], RolloutStatus]
    results: Results

    def carry_out(
        self,
        plan: RolloutPlan,
        progress: Progress,
        verdict: Evaluation,
        diagnosis: t.Mapping[str, t.Any],
    ) -> DeployError:
        """Undo what `plan` wrote, and the error that tells of both."""
        seen = plan.before

        def failure(result: str, after: Deployment, why: str) -> DeployError:
            return self.results.failure(plan, verdict, result, after, diagnosis, why)

        try:
            current = find_deployment(self.guarded.cluster, plan.before.name)
            if current is None:
                raise deleted(plan.before)
            seen = current
            status = self._return(current, plan, progress)
        except ConflictError as exc:
            return failure(exc.details.get("result", "rollback_failed"), seen, str(exc))
        except DeployError as exc:
            return failure("rollback_failed", seen, f"Undoing it failed too: {exc}")
        after = status.deployment or seen
        if status.verdict.outcome == "complete":
            image = after.images.get(self.wanted.container, "")
            return failure(
                "rolled_back", after, f"It was rolled back to {image} and serves as before."
            )
        result = status.verdict.outcome if status.verdict.outcome in FOREIGN else "rollback_failed"
        return failure(result, after, f"Undoing it failed too: {status.verdict.sentence}.")

    def _return(self, current: Deployment, plan: RolloutPlan, progress: Progress) -> RolloutStatus:
        ours = plan.changed and current.template == progress.template

        def back(deployment: Deployment) -> RolloutPlan:
            undo = plan_return(deployment, self.wanted, self.pin, ours=ours)
            if undo.changed:
                check_fence(deployment, self.wanted)
            return undo

        if plan.changed and not ours:
            raise superseded(current, self.wanted)
        undo = back(current)
        restored = current
        if undo.writes:
            restored = apply_plan(self.guarded, undo, self.wanted, replan=back)
        way_back = start_course(current, restored, self.wanted.container, self.guarded.clock.now())
        way_back = replace(
            way_back,
            quorum=progress.quorum,
            stall=progress.stall,
            needs_pods=False,
            failing_before=progress.failing_before,
        )
        return self.follow(way_back, restored)
