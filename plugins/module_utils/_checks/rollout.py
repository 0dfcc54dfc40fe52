# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against a rollout without downtime: every check, all problems at once. Pure."""

from __future__ import annotations

import math
import re
import typing as t
from fractions import Fraction

from .._cluster import RELEASE_ANNOTATION, Object
from .._rollout.models import LAST_APPLIED, Deployment, selects
from .rollout_facts import ERROR, WARNING, NamespaceFacts, RolloutProblem, references_of

SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
}  # fmt: skip
COUNT = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)")


def quantity(text: str | int | float) -> Fraction:
    """A quantity as Kubernetes writes it. Raises ValueError when it is none."""
    matched = COUNT.fullmatch(str(text).strip())
    if matched is None or matched[2] not in SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    return Fraction(matched[1]) * SUFFIXES[matched[2]]


def resolve(value: t.Any, replicas: int, *, round_up: bool) -> int:
    """A number of pods, given as such or as a percentage of the replicas."""
    if isinstance(value, str) and value.endswith("%"):
        share = Fraction(int(value[:-1]) * replicas, 100)
        return math.ceil(share) if round_up else math.floor(share)
    return int(value)


def surge_of(spec: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable of a Deployment's spec, in pods, as the controller counts them."""
    replicas = spec.get("replicas", 1)
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = resolve(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    # The controller lets one go when both come to none, for nothing could move otherwise.
    return (surge, unavailable) if surge or unavailable else (0, 1)


def demand(template: Object) -> dict[str, Fraction]:
    """What one pod takes, by the names that a quota may limit."""
    taken = {"pods": Fraction(1), "count/pods": Fraction(1)}
    for container in template["spec"]["containers"]:
        resources = container.get("resources") or {}
        for side in ("requests", "limits"):
            for name, amount in (resources.get(side) or {}).items():
                for key in (f"{side}.{name}", *((name,) if side == "requests" else ())):
                    taken[key] = taken.get(key, Fraction(0)) + quantity(amount)
    return taken


def shortages(template: Object, pods: int, quotas: t.Iterable[Object]) -> list[str]:
    """In words, what is too little for so many more pods."""
    wanted = {key: amount * pods for key, amount in demand(template).items()}
    short = []
    for quota in quotas:
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for key in sorted(wanted.keys() & hard.keys()):
            if quantity(used.get(key, 0)) + wanted[key] > quantity(hard[key]):
                short.append(
                    f"quota {quota['metadata']['name']} leaves no room: {used.get(key, 0)} of "
                    f"{hard[key]} {key} are used"
                )
    return short


LEAST_HISTORY = 2
NO_DEADLINE = 2**31 - 1
FOREIGN = {
    "argocd.argoproj.io/": "Argo CD",
    "kustomize.toolkit.fluxcd.io/": "Flux",
    "helm.toolkit.fluxcd.io/": "Flux",
    "reloader.stakater.com/": "Reloader",
    "keel.sh/": "Keel",
}
"""Who else may write to a Deployment, by the beginning of an annotation or label."""

Findings = t.Iterator[tuple[str, str, str]]
"""Check, severity and message."""


def find_problems(facts: NamespaceFacts) -> list[RolloutProblem]:
    """Of everything that was seen, errors first."""
    problems = [
        *(
            RolloutProblem(
                "", "Access", right.severity, f"you may not {right}, needed to {right.purpose}"
            )
            for right in facts.denied
        ),
        *(RolloutProblem("", "Unseen", WARNING, note) for note in facts.unseen),
    ]
    for name, body in facts.deployments.items():
        for check in CHECKS:
            problems += [RolloutProblem(name, *finding) for finding in check(body, facts)]
    return sorted(problems, key=lambda problem: problem.severity != ERROR)


def _strategy(body: Object, _facts: NamespaceFacts) -> Findings:
    spec = body["spec"]
    kind = (spec.get("strategy") or {}).get("type", "RollingUpdate")
    if kind != "RollingUpdate":
        yield (
            "Strategy",
            ERROR,
            f"its strategy is {kind}, which stops all pods before new ones start",
        )
        return
    replicas = spec.get("replicas", 1)
    _surge, unavailable = surge_of(spec)
    if replicas and unavailable >= replicas:
        yield (
            "MaxUnavailable",
            ERROR,
            f"maxUnavailable lets {unavailable} of its {replicas} pods go at once: lower it",
        )


def _replicas(body: Object, _facts: NamespaceFacts) -> Findings:
    replicas = body["spec"].get("replicas", 1)
    if replicas == 0:
        yield "Replicas", ERROR, "it has 0 replicas, so a rollout proves nothing"
    elif replicas == 1:
        yield "Replicas", WARNING, "it has one pod, so its node is a single point of failure"


def _probes(body: Object, _facts: NamespaceFacts) -> Findings:
    containers = body["spec"]["template"]["spec"]["containers"]
    bare = [container["name"] for container in containers if not container.get("readinessProbe")]
    if len(bare) == len(containers):
        yield (
            "ReadinessProbe",
            ERROR,
            "no container has a readinessProbe, so pods get traffic before they can serve",
        )
        return
    for container in containers:
        if container["name"] in bare and container.get("ports"):
            name = container["name"]
            yield "ReadinessProbe", WARNING, f"container {name} has ports and no readinessProbe"


def _history(body: Object, _facts: NamespaceFacts) -> Findings:
    limit = body["spec"].get("revisionHistoryLimit", 10)
    if limit < LEAST_HISTORY:
        lost = "nothing to return to" if limit < 1 else "one step back, and none after a second try"
        yield (
            "RevisionHistory",
            WARNING,
            f"revisionHistoryLimit is {limit}, so 'kubectl rollout undo' has {lost}",
        )


def _deadline(body: Object, _facts: NamespaceFacts) -> Findings:
    if body["spec"].get("progressDeadlineSeconds", 600) == NO_DEADLINE:
        yield "ProgressDeadline", WARNING, "it has no progressDeadlineSeconds"


def _grace(body: Object, _facts: NamespaceFacts) -> Findings:
    if body["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30) == 0:
        yield (
            "TerminationGrace",
            WARNING,
            "terminationGracePeriodSeconds is 0, so requests are cut off when a pod ends",
        )


def _pre_stop(body: Object, _facts: NamespaceFacts) -> Findings:
    """Of containers that take requests, as far as the manifest tells: how a program takes SIGTERM it does not say."""
    spec = body["spec"]["template"]["spec"]
    grace = spec.get("terminationGracePeriodSeconds", 30)
    for container in spec["containers"]:
        if not container.get("ports") and not container.get("readinessProbe"):
            continue
        hook = (container.get("lifecycle") or {}).get("preStop")
        slept = ((hook or {}).get("sleep") or {}).get("seconds")
        if not hook or slept == 0:
            yield (
                "PreStop",
                WARNING,
                f"container {container['name']} has no preStop, so it gets SIGTERM at once, while "
                "routers still send it requests: some fail, unless it keeps serving for some "
                "seconds. A preStop sleep of 3 seconds is enough",
            )
        elif slept is not None and slept >= grace > 0:
            yield (
                "PreStop",
                WARNING,
                f"the preStop of container {container['name']} sleeps {slept} s, as long as its "
                f"terminationGracePeriodSeconds of {grace}, so it is killed before it finishes "
                "its requests",
            )


def _standing(body: Object, facts: NamespaceFacts) -> Findings:
    deployment = Deployment.from_json(body)
    if deployment.paused:
        yield "Paused", ERROR, f"it is paused: run '{deployment.resume}'"
    elif not deployment.complete:
        trouble = facts.troubled.get(deployment.name)
        because = f": {trouble}" if trouble else ""
        if facts.release and deployment.annotations.get(RELEASE_ANNOTATION) == facts.release:
            yield (
                "InFlight",
                WARNING,
                "its rollout of this release is incomplete and will continue, at "
                f"{deployment.counts}{because}",
            )
            return
        counts = deployment.counts
        targets = [body["spec"]["scaleTargetRef"] for body in facts.autoscalers]
        scaled = any(
            target.get("kind") == "Deployment" and target["name"] == deployment.name
            for target in targets
        )
        if scaled and counts.updated == counts.total and not trouble:
            yield "Scaling", WARNING, f"its autoscaler is scaling it, at {counts}"
            return
        yield (
            "InFlight",
            ERROR,
            f"another rollout is in flight or stuck, at {deployment.counts}{because}",
        )


def _budgets(body: Object, facts: NamespaceFacts) -> Findings:
    labels = body["spec"]["template"]["metadata"].get("labels") or {}
    mine = [budget for budget in facts.budgets if selects(budget["spec"].get("selector"), labels)]
    if len(mine) > 1:
        names = ", ".join(budget["metadata"]["name"] for budget in mine)
        yield (
            "DisruptionBudget",
            WARNING,
            f"several PodDisruptionBudgets ({names}) refuse evictions",
        )
    replicas = body["spec"].get("replicas", 1)
    for budget in mine:
        spec, name = budget["spec"], budget["metadata"]["name"]
        least = resolve(spec.get("minAvailable", 0), replicas, round_up=True)
        most = resolve(spec.get("maxUnavailable", replicas), replicas, round_up=True)
        if replicas and (least >= replicas or most == 0):
            yield "DisruptionBudget", WARNING, f"{name} lets no pod be evicted, so no node drains"


def _quota(body: Object, facts: NamespaceFacts) -> Findings:
    surge, unavailable = surge_of(body["spec"])
    # Old pods make room for new ones when some may be unavailable: slower, yet it moves.
    severity = WARNING if unavailable else ERROR
    for short in shortages(body["spec"]["template"], max(surge, 1), facts.quotas):
        yield "Quota", severity, f"{short}, and a rollout starts {max(surge, 1)} more pods first"


def _references(body: Object, facts: NamespaceFacts) -> Findings:
    for need in references_of(body["spec"]["template"]):
        if (need.kind, need.name) not in facts.held:
            continue
        keys = facts.held[need.kind, need.name]
        if keys is None:
            yield "References", ERROR, f"its pods need {need.kind} {need.name}, which is missing"
        elif need.keys - keys:
            missing = ", ".join(sorted(need.keys - keys))
            yield "References", ERROR, f"its pods need {missing} of {need.kind} {need.name}"


def _others(body: Object, _facts: NamespaceFacts) -> Findings:
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    marks = [*annotations, *(metadata.get("labels") or {})]
    for beginning, who in FOREIGN.items():
        if any(mark.startswith(beginning) for mark in marks):
            yield "OtherWriters", WARNING, f"{who} writes to it too, and may undo a release"
    if LAST_APPLIED in annotations:
        yield (
            "OtherWriters",
            WARNING,
            "it was made with 'kubectl apply': the next apply of an older manifest undoes a "
            "release",
        )


CHECKS = (
    _standing,
    _strategy,
    _replicas,
    _probes,
    _references,
    _quota,
    _budgets,
    _history,
    _deadline,
    _grace,
    _pre_stop,
    _others,
)
