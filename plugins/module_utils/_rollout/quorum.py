# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether the trouble of some pods is the release's, or may be that of one node. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._rollout.failures import (
    Suspicion,
    counts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Pod

QUORUMS = ("nodes", "any", "all")


@dataclass(frozen=True)
class Replacement:
    """A new pod that was ended so that another takes its place, perhaps on another node."""

    pod: str
    known: frozenset[str]
    """The uids of the new pods when it was: any other is fresh."""


@dataclass(frozen=True)
class Finding:
    """`proof` dooms; `suspect` names a pod to be replaced before it can; neither: wait on."""

    proof: Suspicion | None = None
    suspect: Suspicion | None = None


def find_proof(
    doomed: t.Sequence[Suspicion],
    pods: t.Sequence[Pod],
    *,
    quorum: str,
    replacement: Replacement | None,
) -> Finding:
    """What suspicions that lasted long enough amount to.

    `any`: one is enough. `all`: every new pod must show one. `nodes`: one is enough when no node can
    have caused it; else two pods on two nodes, or, when all new pods show one, a fresh pod too.
    """
    if not doomed:
        return Finding()
    first = doomed[0]
    if quorum == "any":
        return Finding(proof=first)
    for one in doomed:
        if not one.sign.pod or (quorum == "nodes" and not one.rule.node_bound):
            return Finding(proof=one)
    troubled = {one.sign.pod for one in doomed}
    everywhere = troubled >= {pod.uid for pod in pods if counts(pod)}
    if quorum == "all":
        return Finding(proof=first) if everywhere else Finding()
    if len(troubled) > 1 and len({one.sign.node for one in doomed}) > 1:
        return Finding(proof=first)
    if replacement is None:
        return Finding(suspect=first)
    fresh = troubled - replacement.known
    return Finding(proof=first) if everywhere and fresh else Finding()
