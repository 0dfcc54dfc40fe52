# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""End the pods that still run with old flags one by one, where no rollout replaces them.

Whatever ReplicaSet a pod belongs to makes another from its own template, which reads the ConfigMap
anew. So this works when the new template cannot start, and on a paused Deployment.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster
from .._errors import DeployError
from .._flags.pods import OVERDUE, STALE, UNKNOWN, PodState

PAUSE = 0.5
COMING = 20.0
"""Seconds for which a pod that is missing is waited for: another kill switch, or one that was killed, may have ended
the one before it."""


@dataclass(frozen=True)
class Swept:
    """`pods` as last seen; `replaced` are the names of those that were ended."""

    pods: tuple[PodState, ...]
    replaced: tuple[str, ...] = ()
    problem: str = ""


def next_victim(pods: t.Sequence[PodState], known: frozenset[str], ready: int) -> PodState | None:
    """The pod to end now, if any: an old one that still runs the old flags, one that serves nobody first.

    None while fewer than `ready` pods are ready, unless the pod is not ready itself. A pod that
    started after the flags were written is never ended: another would be no better.
    """
    stale = [one for one in pods if one.state == STALE and one.uid in known]
    idle = next((one for one in stale if not one.ready), None)
    if idle is not None:
        return idle
    serving = sum(one.serves for one in pods)
    return stale[0] if stale and serving >= ready else None


def sweep(
    cluster: Cluster,
    ask: t.Callable[[], list[PodState]],
    known: frozenset[str],
    *,
    replicas: int,
    clock: Clock,
    deadline: float,
    report: t.Callable[[str], None],
) -> Swept:
    """Until no pod of `known` is stale, or the time is up. Never more than one of them is missing at a time.

    Of `replicas` pods, those count that serve, and for a while all but those that cannot be asked.

    A pod that should have ended long ago is believed to be lost only when it is still there after as long again, since
    this began or ended a pod itself, at a look that began then: our clock may be wrong, and a look lasts while one pod
    does not answer.
    """
    looked, pods = clock.now(), ask()
    since = clock.now()
    there_by = min(clock.now() + COMING, deadline)
    served = sum(one.serves for one in pods)
    whole = max(served, replicas - sum(one.state == UNKNOWN and not one.deleting for one in pods))
    replaced: list[str] = []
    while (stale := any(one.state == STALE and one.uid in known for one in pods)) or (
        looked - since < OVERDUE.total_seconds()
        and any(one.state == UNKNOWN and one.deleting for one in pods)
    ):
        if clock.now() >= deadline:
            if not stale:
                break
            why = (
                f"the replacement of {replaced[-1]} did not become ready, so no more pods were "
                "deleted"
                if replaced
                else "fewer pods are ready than before"
            )
            return Swept(tuple(pods), tuple(replaced), why)
        served = max(served, min(sum(one.serves for one in pods), whole))
        victim = next_victim(pods, known, whole if clock.now() < there_by else served)
        if victim is not None:
            report(f"ending pod {victim.pod}, which runs with {victim.detail or 'old flags'}")
            try:
                cluster.delete("Pod", victim.pod)
            except DeployError as exc:
                return Swept(tuple(pods), tuple(replaced), str(exc))
            replaced.append(victim.pod)
            since = clock.now()
        clock.sleep(PAUSE)
        looked, pods = clock.now(), ask()
    return Swept(tuple(pods), tuple(replaced))
