# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Tells how a rollout ended: outcomes with their counts and times, failures in a sentence or two."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._cluster import Clock
from .._errors import DeployError
from .evaluate import Evaluation
from .models import Deployment, Pod
from .outcome import RolloutError, RolloutResult, Side
from .plan import RolloutPlan, Wanted, unchanged


class Results:
    """For one rollout, from when it is made. `failing_before` is set once it is known.

    `loss` looks whether another run holds the deploy lock by now: then that run is the other hand.
    """

    def __init__(
        self, name: str, wanted: Wanted, *, clock: Clock, loss: t.Callable[[], DeployError | None]
    ) -> None:
        self.failing_before: tuple[str, ...] = ()
        self._name = name
        self._wanted = wanted
        self._clock = clock
        self._loss = loss
        self._started = clock.now()

    def outcome(
        self, result: str, plan: RolloutPlan, after: Deployment, old: t.Sequence[Pod] = ()
    ) -> RolloutResult:
        container = self._wanted.container
        return RolloutResult(
            result=result,
            changed=plan.changed,
            before=Side.of(plan.before, container),
            after=Side.of(after, container),
            counts=after.counts,
            terminating=sum(pod.deleting for pod in old),
            old=len(old),
            duration=self._clock.now() - self._started,
            failing_before=self.failing_before,
            takes=plan.takes,
        )

    def failure(
        self,
        plan: RolloutPlan,
        verdict: Evaluation,
        result: str,
        after: Deployment,
        diagnosis: t.Mapping[str, t.Any] | None = None,
        what_was_done: str = "",
    ) -> RolloutError:
        lost = self._lost_to(result)
        if lost is not None:
            outcome = replace(self.outcome("lease_lost", plan, after), diagnosis=diagnosis or {})
            return RolloutError(self._overruled(lost), reason=lost.reason, outcome=outcome)
        release = f" of release {self._wanted.release!r}" if self._wanted.release else ""
        sentence = f"The rollout{release} of {self._name!r} failed: {verdict.sentence}."
        return RolloutError(
            " ".join(part for part in (sentence, what_was_done, verdict.hint) if part),
            reason=verdict.reason,
            outcome=replace(self.outcome(result, plan, after), diagnosis=diagnosis or {}),
        )

    def refused(self, exc: DeployError, before: Deployment) -> DeployError:
        """For an error that kept everything from being written, when it carries a `result`."""
        result = exc.details.get("result")
        if result is None:
            return exc
        lost = self._lost_to(result)
        if lost is not None:
            outcome = self.outcome("lease_lost", unchanged(before), before)
            return RolloutError(self._overruled(lost), reason=lost.reason, outcome=outcome)
        outcome = self.outcome(result, unchanged(before), before)
        return RolloutError(str(exc), reason=exc.reason, outcome=outcome, **exc.details)

    def _lost_to(self, result: str) -> DeployError | None:
        return self._loss() if result == "superseded" else None

    def _overruled(self, lost: DeployError) -> str:
        return f"Deployment {self._name!r} was changed by another hand. {lost}"

    def lost_sight(self, plan: RolloutPlan, patched: Deployment, exc: DeployError) -> RolloutError:
        return RolloutError(
            f"Deployment {self._name!r} was lost sight of while it rolled out, so nothing is known and "
            f"nothing was undone: {exc} Run the same task again to take it up where it stands.",
            reason=exc.reason,
            outcome=self.outcome("indeterminate", plan, patched),
        )

    def old_remain(
        self, plan: RolloutPlan, after: Deployment, old: t.Sequence[Pod]
    ) -> RolloutError:
        """It rolled out, but code of the old revision is not gone."""
        names = ", ".join(pod.name for pod in old[:3]) + (", …" if len(old) > 3 else "")
        return RolloutError(
            f"Deployment {self._name!r} rolled out, but {len(old)} pods of older revisions are still "
            f"there after 'wait_timeout' ({names}): look at what keeps them from ending. Nothing was "
            "undone.",
            reason="OldPodsRemain",
            outcome=self.outcome("failed_no_undo", plan, after, old),
        )
