# SPDX-License-Identifier: GPL-3.0-or-later
"""End the pods that still run with old flags one by one, where no rollout replaces them.

Whatever ReplicaSet a pod belongs to makes another from its own template, which reads the ConfigMap
anew. So this works when the new template cannot start, and on a paused Deployment.

A pod that started after the flags were written may have old ones too: its kubelet has ConfigMaps from a watch,
which may be late. Sources: https://kubernetes.io/docs/concepts/configuration/configmap/ ("cache propagation delay"),
and https://github.com/kubernetes/kubernetes/issues/90725.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster
from .._errors import DeployError
from .pods import IDLE, OVERDUE, STALE, UNKNOWN, PodState

PAUSE = 0.5
COMING = 20.0
"""Seconds for which a pod that is missing is waited for: another kill switch, or one that was killed, may have ended
the one before it."""
KUBELETS_KNOW = 10.0
"""Seconds after a write by which kubelets have been told of it, unless one is in trouble."""


@dataclass(frozen=True)
class Swept:
    """`pods` as last seen; `replaced` are the names of those that were ended."""

    pods: tuple[PodState, ...]
    replaced: tuple[str, ...] = ()
    problem: str = ""


class Replaceable:
    """Which pods may be replaced: `known`, which started before the flags were written, and others while that helps.

    The flags were written at `written`, on the clock. A pod that is there at the first look, or started soon after
    the flags were written, may be ended once kubelets know of them, until one that started even later is stale as
    well: then something else is wrong. One whose place would be taken by the same again is none of them: `helps`.
    """

    def __init__(
        self, known: frozenset[str], written: float, helps: t.Callable[[PodState], bool]
    ) -> None:
        self._known = known
        self._written = written
        self._helps = helps
        self._in_vain: frozenset[str] = frozenset()
        self._others: frozenset[str] = frozenset()
        self.kubelets_know = False
        self._looked = self._replacing_helps = False

    def note(self, pods: t.Collection[PodState], now: float) -> None:
        self.kubelets_know = now - self._written >= KUBELETS_KNOW
        if not (self._looked and self.kubelets_know):
            self._others |= {one.uid for one in pods} - self._known
        self._looked = True
        self._in_vain = frozenset(one.uid for one in pods if not self._helps(one))
        either = self._known | self._others
        self._replacing_helps = not any(
            one.state == STALE and one.uid not in either for one in pods
        )

    @property
    def now(self) -> frozenset[str]:
        return self.ever if self.kubelets_know else self._known - self._in_vain

    @property
    def ever(self) -> frozenset[str]:
        all_of_them = self._known | self._others if self._replacing_helps else self._known
        return all_of_them - self._in_vain


def next_victim(
    pods: t.Sequence[PodState], replaceable: t.Container[str], ready: int
) -> PodState | None:
    """The pod to end now, if any: a `replaceable` one that runs the old flags, first of all one that is not ready.

    None while fewer than `ready` pods are ready, unless the pod is not ready itself.
    """
    stale = [one for one in pods if one.state == STALE and one.uid in replaceable]
    idle = next((one for one in stale if not one.ready), None)
    if idle is not None:
        return idle
    serving = sum(one.serves for one in pods)
    return stale[0] if stale and serving >= ready else None


def sweep(
    cluster: Cluster,
    ask: t.Callable[[], list[PodState]],
    replaceable: Replaceable,
    *,
    replicas: t.Callable[[], int],
    clock: Clock,
    deadline: float,
    report: t.Callable[[str], None],
) -> Swept:
    """Until no pod is stale that may be ended, nor starts with flags from before, or the time is up.

    Never more than one of them is missing at a time.

    Of `replicas` pods, and of more that come meanwhile, those count that serve, and for a while all but those that
    cannot be asked. It is asked again when pods are missing, which an autoscaler may have taken.

    A pod that should have ended long ago is believed to be lost only when it is still there after as long again, since
    this began or ended a pod itself, at a look that began then: our clock may be wrong, and a look lasts while one pod
    does not answer.
    """
    looked, pods = clock.now(), ask()
    replaceable.note(pods, looked)
    since = clock.now()
    there_by = min(clock.now() + COMING, deadline)
    most = _count(pods)
    wanted = replicas()
    there = min(most, wanted)
    served = sum(one.serves for one in pods)
    whole = max(served, wanted - sum(one.state == UNKNOWN and not one.deleting for one in pods))
    replaced: list[str] = []
    while (
        _any_stale(pods, replaceable.ever)
        or (replaced and _count(pods) < there and looked - since < COMING)
        or (not replaceable.kubelets_know and any(one.state == IDLE for one in pods))
        or (
            looked - since < OVERDUE.total_seconds()
            and any(one.state == UNKNOWN and one.deleting for one in pods)
        )
    ):
        if clock.now() >= deadline:
            if not _any_stale(pods, replaceable.now):
                break
            why = (
                f"the replacement of {replaced[-1]} did not become ready, so no more pods were "
                "deleted"
                if replaced
                else "fewer pods are ready than before"
            )
            return Swept(tuple(pods), tuple(replaced), why)
        if _count(pods) > most:
            # Somebody scaled it up meanwhile: those pods are waited for too.
            whole += _count(pods) - most
            most = _count(pods)
            there_by = min(clock.now() + COMING, deadline)
        if _count(pods) < whole:
            wanted = replicas()
            whole, served, there = min(whole, wanted), min(served, wanted), min(there, wanted)
        served = max(served, min(sum(one.serves for one in pods), whole))
        victim = next_victim(pods, replaceable.now, whole if clock.now() < there_by else served)
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
        replaceable.note(pods, looked)
    return Swept(tuple(pods), tuple(replaced))


def _count(pods: t.Iterable[PodState]) -> int:
    return sum(not one.deleting for one in pods)


def _any_stale(pods: t.Iterable[PodState], replaceable: t.Container[str]) -> bool:
    return any(one.state == STALE and one.uid in replaceable for one in pods)
