# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rollout ends: in stable words, with counts and times, and as a failure in a sentence or two."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Clock
from .._errors import DeployError
from .._formats import listed
from .evaluate import Evaluation
from .models import Deployment, Pod
from .plan import RolloutPlan, RolloutRequest, unchanged


@dataclass(frozen=True)
class Ending:
    """One of the ways a rollout can end.

    `failed`: whether the task fails; `asked`: only when the result was not what was asked for.
    `changed`: whether this run wrote: never, always, or maybe (a run that takes up another's writes
    nothing).
    """

    failed: str
    changed: str
    hint: str


ENDINGS: t.Mapping[str, Ending] = {
    "succeeded": Ending("no", "maybe", ""),
    "no_change": Ending("no", "never", ""),
    "rolled_back": Ending("asked", "always", "Back as before: fix the cause, then try again."),
    "rollback_failed": Ending("yes", "maybe", "Act now: it may be down."),
    "failed_no_undo": Ending("yes", "maybe", "Nothing was undone: undo it by hand."),
    "superseded": Ending("yes", "maybe", "Find out who else changed it."),
    "blocked": Ending("yes", "never", "Nothing was written: fix what is named, then try again."),
    "lease_lost": Ending("yes", "maybe", "Another run is deploying now: leave it, or ask."),
    "paused": Ending("yes", "maybe", "Resume its rollout, then try again."),
    "rejected": Ending("yes", "never", "The server refused the change: read its message."),
    "controller_silent": Ending(
        "yes", "maybe", "Check kube-controller-manager, then run it again."
    ),
    "deleted": Ending("yes", "maybe", "Apply its manifest if it should exist."),
    "indeterminate": Ending("yes", "maybe", "Run the same task again: it continues."),
}
"""Every value of a rollout's `result`."""


Result = dict[str, t.Any]
"""As the module returns it."""


@dataclass
class RolloutResults:
    """For one rollout, from when it is made.

    `loss` checks whether another run holds the deploy lock by now: then that run is the other writer.
    """

    name: str
    wanted: RolloutRequest
    clock: Clock
    loss: t.Callable[[], DeployError | None]
    failing_before: tuple[str, ...] = ()
    """Set once it is known."""

    def __post_init__(self) -> None:
        self._started = self.clock.now()

    def outcome(
        self,
        result: str,
        plan: RolloutPlan,
        after: Deployment,
        old: t.Sequence[Pod] | None = (),
        diagnosis: t.Mapping[str, t.Any] | None = None,
    ) -> Result:
        """`old`: pods of older revisions, ending ones included; None when they could not be counted."""
        return {
            # A rollback is a change, also of an earlier run's patch.
            "changed": plan.changed or ENDINGS[result].changed == "always",
            "result": result,
            "hint": ENDINGS[result].hint,
            "before": self._side(plan.before),
            "after": self._side(after),
            "replicas": {
                **after.counts.shown(),
                "terminating": sum(pod.deleting for pod in old or ()),
                "old": None if old is None else len(old),
            },
            "duration": round(self.clock.now() - self._started, 1),
            "diagnosis": dict(diagnosis or {}),
            "failing_before": list(self.failing_before),
            "taken_away": [change._asdict() for change in plan.takes],
            "fenced": plan.fences,
        }

    def _side(self, deployment: Deployment) -> dict[str, str]:
        image = deployment.images.get(self.wanted.container, "")
        return {"image": image, "revision": deployment.revision}

    def error(
        self,
        message: str,
        reason: str,
        result: str,
        plan: RolloutPlan,
        after: Deployment,
        *,
        old: t.Sequence[Pod] = (),
        diagnosis: t.Mapping[str, t.Any] | None = None,
        **details: t.Any,
    ) -> DeployError:
        """A failure, in other words where the other writer is the run that holds the deploy lock by now."""
        lost = self.loss() if result == "superseded" else None
        if lost is not None:
            message = f"Deployment {self.name!r} was changed by somebody else. {lost}"
            reason, result = lost.reason, "lease_lost"
        outcome = self.outcome(result, plan, after, old, diagnosis)
        outcome["fenced"] |= bool(details.get("fenced"))
        failure = DeployError(message, **{**details, **outcome})
        failure.reason = reason
        return failure

    def failure(
        self,
        plan: RolloutPlan,
        verdict: Evaluation,
        result: str,
        after: Deployment,
        diagnosis: t.Mapping[str, t.Any] | None = None,
        what_was_done: str = "",
    ) -> DeployError:
        release = f" of release {self.wanted.release!r}" if self.wanted.release else ""
        sentence = f"The rollout{release} of {self.name!r} failed: {verdict.sentence}."
        text = " ".join(part for part in (sentence, what_was_done, verdict.hint) if part)
        return self.error(text, verdict.reason, result, plan, after, diagnosis=diagnosis)

    def refused(self, exc: DeployError, before: Deployment) -> DeployError:
        """The failure for an error before any write, when it carries a `result`."""
        if "result" not in exc.details:
            return exc
        details = {**exc.details}
        result, plan = details.pop("result"), unchanged(before)
        return self.error(str(exc), exc.reason, result, plan, before, **details)

    def lost_sight(self, plan: RolloutPlan, patched: Deployment, exc: DeployError) -> DeployError:
        return self.error(
            f"Deployment {self.name!r} could not be seen during its rollout, so the result is "
            f"unknown and nothing was undone: {exc} Run the same task again to continue.",
            exc.reason,
            "indeterminate",
            plan,
            patched,
        )

    def old_remain(self, plan: RolloutPlan, after: Deployment, old: t.Sequence[Pod]) -> DeployError:
        """It rolled out, but code of the old revision is not gone."""
        names = listed([pod.name for pod in old])
        return self.error(
            f"Deployment {self.name!r} rolled out, but {len(old)} pods of older revisions are still "
            f"there after 'wait_timeout' ({names}): find out why they do not end. Nothing was "
            "undone.",
            "OldPodsRemain",
            "failed_no_undo",
            plan,
            after,
            old=old,
        )
