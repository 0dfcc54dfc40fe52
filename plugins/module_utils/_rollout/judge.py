# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""One look at a rollout in flight: is it done, doomed, somebody else's, or under way? Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Object
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.failures import (
    Suspicion,
    signs_of,
    suspect,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import (
    Condition,
    Deployment,
    Pod,
    ReplicaSet,
)

CONTROLLER_SILENCE = 30.0
"""Seconds after which a controller that has not observed our patch counts as not running."""


@dataclass(frozen=True)
class Look:
    """What was seen at one moment.

    `pods` and `replica_set` are of the new revision; `pods` is None when they were not looked at.
    """

    deployment: Deployment | None
    replica_set: ReplicaSet | None = None
    pods: tuple[Pod, ...] | None = None


@dataclass(frozen=True)
class Course:
    """What the rollout is held against, and what is remembered from look to look."""

    uid: str
    generation: int
    template: Object
    container: str
    started: float
    stale_deadline: Condition | None = None
    """A deadline that had passed before our patch: it says nothing about ours."""
    suspicions: t.Mapping[tuple[str, str, str], Suspicion] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """`outcome`: waiting, complete, doomed, silent, paused, superseded or deleted."""

    outcome: str
    reason: str = ""
    sentence: str = ""
    hint: str = ""


WAITING = Verdict("waiting")


def start_course(before: Deployment, patched: Deployment, container: str, now: float) -> Course:
    """Follow `patched` on; `before` is the Deployment as it was before the patch, if any."""
    return Course(
        uid=patched.uid,
        generation=patched.generation,
        template=patched.template,
        container=container,
        started=now,
        stale_deadline=_passed_deadline(before),
    )


def judge(course: Course, look: Look, now: float) -> tuple[Course, Verdict]:
    """The next course and the verdict, in the order of `kubectl rollout status` made strict."""
    deployment = look.deployment
    if deployment is None or deployment.uid != course.uid:
        return course, Verdict("deleted", "Deleted", "it was deleted while it rolled out")
    if deployment.template != course.template:
        return course, Verdict(
            "superseded", "Superseded", "its template was changed by another hand"
        )
    if deployment.paused:
        return course, Verdict("paused", "Paused", "it was paused while it rolled out")
    if deployment.observed_generation < course.generation:
        if now - course.started >= CONTROLLER_SILENCE:
            return course, Verdict(
                "silent",
                "ControllerSilent",
                f"no controller has taken notice of it for {CONTROLLER_SILENCE:.0f} s",
                "Look at kube-controller-manager.",
            )
        return course, WAITING
    if deployment.complete:
        return course, Verdict("complete")
    return _weigh(course, look, deployment, now)


def _weigh(
    course: Course, look: Look, deployment: Deployment, now: float
) -> tuple[Course, Verdict]:
    if look.pods is not None:
        signs = signs_of(look.pods, look.replica_set)
        course = replace(course, suspicions=suspect(signs, course.suspicions, now))
    doomed = [one for one in course.suspicions.values() if one.doomed(now)]
    if doomed:
        return course, explain(doomed[0], deployment, course.container)
    deadline = _passed_deadline(deployment)
    if deadline is not None and deadline != course.stale_deadline:
        return course, _deadline_verdict(course, deployment)
    return course, WAITING


def explain(suspicion: Suspicion, deployment: Deployment, container: str) -> Verdict:
    sign, rule = suspicion.sign, suspicion.rule
    words = {
        "image": deployment.images.get(sign.container or container, ""),
        "container": sign.container,
        "message": shorten(sign.message or sign.reason),
        "reason": sign.reason,
        "restarts": sign.restarts,
    }
    return Verdict("doomed", rule.name, rule.sentence.format(**words), rule.hint)


def shorten(message: str) -> str:
    """One line; what is long says what it is about at its beginning and why at its end."""
    line = " ".join(message.split())
    return line if len(line) <= 180 else f"{line[:70]} … {line[-100:]}"


def troubles(course: Course, deployment: Deployment) -> list[str]:
    """What is wrong but not yet enough to give up, in words."""
    return [
        explain(one, deployment, course.container).sentence for one in course.suspicions.values()
    ]


def _deadline_verdict(course: Course, deployment: Deployment) -> Verdict:
    known = troubles(course, deployment)
    because = known[0] if known else f"it stands at {deployment.counts}"
    return Verdict(
        "doomed",
        "DeadlineExceeded",
        f"it made no progress within its progressDeadlineSeconds: {because}",
        "Look at the pods and events below.",
    )


def _passed_deadline(deployment: Deployment) -> Condition | None:
    progressing = deployment.condition("Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        return progressing
    return None
