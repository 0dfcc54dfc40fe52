# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How a rollout ended, in stable words, and the same as a task's result or its failure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import DeployError
from .changes import Taken
from .models import Counts, Deployment


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
    "rollback_failed": Ending("yes", "maybe", "Act now: it may not serve."),
    "failed_no_undo": Ending("yes", "maybe", "Nothing was undone: undo it by hand."),
    "superseded": Ending("yes", "maybe", "Find out who else changed it."),
    "blocked": Ending("yes", "never", "Nothing was written: fix what is named, then try again."),
    "lease_lost": Ending("yes", "maybe", "Another run deploys now: leave it, or ask."),
    "paused": Ending("yes", "maybe", "Resume it with 'kubectl rollout resume', then try again."),
    "rejected": Ending("yes", "never", "The server refused the change: read its message."),
    "controller_silent": Ending(
        "yes", "maybe", "Check kube-controller-manager, then run it again."
    ),
    "deleted": Ending("yes", "maybe", "Apply its manifest if it should exist."),
    "indeterminate": Ending("yes", "maybe", "Run the same task again: it continues."),
}
"""Every value of a rollout's `result`."""


@dataclass(frozen=True)
class Side:
    """A Deployment before or after."""

    image: str
    revision: str

    @classmethod
    def of(cls, deployment: Deployment, container: str) -> Side:
        return cls(image=deployment.images.get(container, ""), revision=deployment.revision)


@dataclass(frozen=True)
class RolloutResult:
    result: str
    changed: bool
    before: Side
    after: Side
    counts: Counts
    terminating: int = 0
    """Pods of older revisions that are still ending: their code is not gone yet."""
    old: int | None = 0
    """All pods of older revisions, ending ones included; None when they could not be counted."""
    duration: float = 0.0
    diagnosis: t.Mapping[str, t.Any] = field(default_factory=dict)
    failing_before: tuple[str, ...] = ()
    """The pods that were in trouble before anything was written."""
    takes: tuple[Taken, ...] = ()
    """What the way back takes away that the release did not write."""

    def to_result(self) -> dict[str, t.Any]:
        counts = self.counts
        return {
            "changed": self.changed,
            "result": self.result,
            "hint": ENDINGS[self.result].hint,
            "before": {"image": self.before.image, "revision": self.before.revision},
            "after": {"image": self.after.image, "revision": self.after.revision},
            "replicas": {
                "desired": counts.desired,
                "updated": counts.updated,
                "ready": counts.ready,
                "available": counts.available,
                "terminating": self.terminating,
                "old": self.old,
            },
            "duration": round(self.duration, 1),
            "diagnosis": dict(self.diagnosis),
            "failing_before": list(self.failing_before),
            "taken_away": [one.to_json() for one in self.takes],
        }


class RolloutError(DeployError):
    """A rollout ended otherwise than asked; carries its outcome."""

    def __init__(
        self, message: str, *, reason: str, outcome: RolloutResult, **details: t.Any
    ) -> None:
        super().__init__(message, **{**details, **outcome.to_result()})
        self.reason = reason
