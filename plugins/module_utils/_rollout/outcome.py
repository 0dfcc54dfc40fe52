# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How a rollout ended, in stable words, and the same as a task's result or its failure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import (
    Counts,
    Deployment,
)

FINE = frozenset({"succeeded", "no_change", "rolled_back"})
"""Results of a task that did what was asked. An undo after a failure is `rolled_back` and failed."""


@dataclass(frozen=True)
class Side:
    """A Deployment before or after."""

    image: str
    revision: str

    @classmethod
    def of(cls, deployment: Deployment, container: str) -> Side:
        return cls(image=deployment.images.get(container, ""), revision=deployment.revision)


@dataclass(frozen=True)
class Outcome:
    result: str
    changed: bool
    before: Side
    after: Side
    counts: Counts
    terminating: int = 0
    """Pods of the old revision that are still ending: their code is not gone yet."""
    duration: float = 0.0
    diagnosis: t.Mapping[str, t.Any] = field(default_factory=dict)

    def to_result(self) -> dict[str, t.Any]:
        counts = self.counts
        return {
            "changed": self.changed,
            "result": self.result,
            "before": {"image": self.before.image, "revision": self.before.revision},
            "after": {"image": self.after.image, "revision": self.after.revision},
            "replicas": {
                "desired": counts.desired,
                "updated": counts.updated,
                "ready": counts.ready,
                "available": counts.available,
                "terminating": self.terminating,
            },
            "duration": round(self.duration, 1),
            "diagnosis": dict(self.diagnosis),
        }


class RolloutError(DeployError):
    """A rollout ended otherwise than asked; carries its outcome."""

    def __init__(self, message: str, *, reason: str, outcome: Outcome) -> None:
        super().__init__(message, **outcome.to_result())
        self.reason = reason
