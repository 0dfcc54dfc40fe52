# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide how many replicas each Deployment gets, and what it has to remember for the way back."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._cluster import REPLICAS_ANNOTATION, Object, Operation
from .._errors import InputError

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
class Step:
    """What becomes of one Deployment. The memory is written and taken away with the count, never alone."""

    before: Size
    replicas: int
    remembered: int | None

    @property
    def name(self) -> str:
        return self.before.name

    @property
    def changed(self) -> bool:
        before = self.before
        return (self.replicas, self.remembered) != (before.replicas, before.remembered)

    @property
    def operations(self) -> list[Operation]:
        """Refused by the server as soon as anything but the status is not as it was seen."""
        before = self.before
        operations: list[Operation] = [
            {"op": "test", "path": "/metadata/uid", "value": before.uid},
            {"op": "test", "path": "/metadata/generation", "value": before.generation},
        ]
        if self.replicas != before.replicas:
            operations.append({"op": "replace", "path": "/spec/replicas", "value": self.replicas})
        path = f"/metadata/annotations/{REPLICAS_ANNOTATION.replace('/', '~1')}"
        if self.remembered is None and before.remembered is not None:
            operations.append({"op": "remove", "path": path})
        elif self.remembered != before.remembered:
            if not before.annotated:
                operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
            operations.append({"op": "add", "path": path, "value": str(self.remembered)})
        return operations

    @property
    def overruled(self) -> bool:
        """Somebody scaled it while it was stopped."""
        before = self.before
        return before.remembered is not None and before.replicas not in (0, before.remembered)

    def to_result(self) -> dict[str, t.Any]:
        return {
            "before": self.before.replicas,
            "after": self.replicas,
            "remembered": self.remembered,
            "changed": self.changed,
        }

    def to_face(self) -> dict[str, t.Any]:
        return {"replicas": self.replicas, "remembered": self.remembered}


def plan_step(size: Size, state: str) -> Step:
    """A count that is remembered already stays what it is: it is of before the first stop."""
    if state == STOPPED:
        known = size.replicas if size.remembered is None else size.remembered
        return Step(size, replicas=0, remembered=known)
    if size.remembered is None:
        return Step(size, replicas=size.replicas, remembered=None)
    return Step(size, replicas=size.remembered, remembered=None)


def left_alone(step: Step, state: str) -> bool:
    """Not stopped by us, so not ours to start."""
    return state == RUNNING and step.before.remembered is None


def autoscaled(autoscalers: t.Iterable[Object], names: t.Collection[str]) -> dict[str, str]:
    """The HorizontalPodAutoscaler that scales each of the Deployments, by Deployment."""
    found = {}
    for body in autoscalers:
        target = body["spec"]["scaleTargetRef"]
        if target.get("kind") == "Deployment" and target["name"] in names:
            found[target["name"]] = body["metadata"]["name"]
    return found


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
