# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether the trouble of some pods is the release's, or may be that of one node. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .failures import Sign, Suspicion, counts, first_signs_of, rule_for
from .models import Pod

MOST_REPLACED = 5
"""Pods that one rollout ends to see what a fresh one does: the scheduler may choose the bad node again."""


@dataclass(frozen=True)
class Replacement:
    """A new pod that was ended so that another takes its place, perhaps on another node."""

    suspicion: Suspicion
    """What it showed. It remains a witness."""
    known: frozenset[str]
    """The uids of the new pods when it was ended: any other is fresh."""


@dataclass(frozen=True)
class Finding:
    """`proof` dooms; `suspect` names a pod to be replaced before it can; neither: wait on."""

    proof: Suspicion | None = None
    suspect: Suspicion | None = None


def find_proof(
    failing: t.Sequence[Suspicion],
    pods: t.Sequence[Pod],
    *,
    quorum: str,
    replaced: t.Sequence[Replacement] = (),
    nodes: t.Collection[str] = (),
) -> Finding:
    """What suspicions that lasted long enough amount to.

    `any`: one is enough. `all`: every new pod must show one. `nodes`: one is enough when no node can
    have caused it; else see `_by_nodes`. `nodes` are those that the Deployment's pods run on, old
    ones included.
    """
    if quorum == "nodes":
        ended = {one.suspicion.sign.pod for one in replaced}
        failing = [one for one in failing if one.sign.pod not in ended]
        pods = [pod for pod in pods if pod.uid not in ended]
    elif not failing:
        return Finding()
    if quorum == "any":
        return Finding(proof=failing[0])
    for one in failing:
        if not one.sign.pod or (quorum == "nodes" and not one.rule.node_bound):
            return Finding(proof=one)
    if quorum == "all":
        everywhere = {one.sign.pod for one in failing} >= _counted(pods)
        return Finding(proof=failing[0]) if everywhere else Finding()
    return _by_nodes(failing, pods, replaced, nodes)


def _by_nodes(
    failing: t.Sequence[Suspicion],
    pods: t.Sequence[Pod],
    replaced: t.Sequence[Replacement],
    nodes: t.Collection[str],
) -> Finding:
    """Two nodes prove, at one time or one after the other; one node has its pod replaced.

    Once all new pods are in trouble, what made one of them be replaced need not last a second time:
    the fresh pod proves at its first sign, unless it came to the same node and others are known.
    """
    echoes = _echoes(pods, replaced)
    troubles = [*failing, *echoes]
    if not troubles:
        return Finding()
    bad = {one.suspicion.sign.node for one in replaced}
    if failing and len(bad | {one.sign.node for one in failing}) > 1:
        return Finding(proof=failing[0])
    everywhere = {one.sign.pod for one in troubles} >= _counted(pods)
    elsewhere = any(one.sign.node not in bad for one in echoes) or bad >= set(nodes)
    if everywhere and echoes and elsewhere:
        return Finding(proof=troubles[0])
    if not (everywhere or failing):
        return Finding()
    if len(replaced) < MOST_REPLACED:
        # One that is ready just now serves, perhaps alone; if it is ill, it will be not ready again.
        serving = {pod.uid for pod in pods if pod.ready}
        return Finding(suspect=next((one for one in troubles if one.sign.pod not in serving), None))
    return Finding(proof=troubles[0]) if everywhere else Finding()


def _echoes(pods: t.Sequence[Pod], replaced: t.Sequence[Replacement]) -> list[Suspicion]:
    """Signs of fresh pods that are of the same class as those of one that was replaced."""
    found = []
    for sign in first_signs_of(pods):
        for one in replaced:
            if sign.pod not in one.known and _same_class(sign, one.suspicion):
                found.append(replace(one.suspicion, sign=_worse(sign, one.suspicion.sign)))
                break
    return found


def _same_class(sign: Sign, suspicion: Suspicion) -> bool:
    rule = rule_for(sign, restarts=1)
    return rule is not None and rule.name == suspicion.rule.name


def _worse(sign: Sign, known: Sign) -> Sign:
    """The fresh pod's sign; its crashes are told with those of the pod before."""
    return replace(sign, restarts=sign.restarts + known.restarts)


def _counted(pods: t.Iterable[Pod]) -> set[str]:
    return {pod.uid for pod in pods if counts(pod)}
