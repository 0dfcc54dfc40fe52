# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until stopped Deployments have no pod left, or started ones all their pods available."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Clock, Cluster
from .._errors import NotReadyError
from .._rollout.follow import pause
from .._rollout.models import Deployment
from .._rollout.observe import observe_all_pods
from .plan import STOPPED

Report = t.Callable[[str], None]


@dataclass(frozen=True)
class Waiting:
    """A Deployment that is not yet as it is to be: how many of its pods are missing or too many."""

    name: str
    pods: int
    told: str


def wait_for(
    cluster: Cluster,
    names: t.Collection[str],
    state: str,
    *,
    clock: Clock,
    deadline: float,
    report: Report,
) -> None:
    """Raises NotReadyError that names what is left at the deadline."""
    look = pods_left if state == STOPPED else not_available
    doing = "to end" if state == STOPPED else "to be available"
    started, said = clock.now(), ""
    while waiting := look(cluster, names):
        names = [one.name for one in waiting]
        told = f"waits for {sum(one.pods for one in waiting)} pods {doing}, of {len(waiting)} Deployments"
        if told != said:
            said = told
            report(told)
        if clock.now() >= deadline:
            raise NotReadyError(
                _too_late(waiting, state), waiting={one.name: one.told for one in waiting}
            )
        clock.sleep(pause(clock.now() - started))


def pods_left(cluster: Cluster, names: t.Collection[str]) -> list[Waiting]:
    """Those with pods, ending ones too: a pod writes until it is gone."""
    found: list[Waiting] = []
    for deployment in _deployments(cluster, names):
        pods = observe_all_pods(cluster, deployment)
        ending = sum(pod.deleting for pod in pods)
        if pods:
            told = f"{len(pods)} pods left, {ending} of them ending"
            found.append(Waiting(deployment.name, len(pods), told))
        elif deployment.observed_generation < deployment.generation or deployment.counts.total:
            told = "its controller has not acted yet"
            found.append(Waiting(deployment.name, deployment.counts.total, told))
    return found


def not_available(cluster: Cluster, names: t.Collection[str]) -> list[Waiting]:
    return [
        Waiting(
            one.name,
            one.counts.desired - one.counts.available,
            f"{one.counts.available} of {one.counts.desired} available",
        )
        for one in _deployments(cluster, names)
        if one.observed_generation < one.generation or one.counts.available < one.counts.desired
    ]


def _deployments(cluster: Cluster, names: t.Collection[str]) -> list[Deployment]:
    listed = map(Deployment.from_json, cluster.list_objects("Deployment"))
    return [one for one in listed if one.name in names]


def _too_late(waiting: t.Sequence[Waiting], state: str) -> str:
    standing = "; ".join(f"{one.name}: {one.told}" for one in waiting)
    if state == STOPPED:
        return (
            f"Not all pods were gone within 'wait_timeout': {standing}. They may still write: "
            "check them with kubectl, and raise 'wait_timeout' if they end slowly."
        )
    return (
        f"Not all pods were available within 'wait_timeout': {standing}. The counts are set, so "
        "Kubernetes continues: check the pods' logs with kubectl, and run the task again to wait."
    )
