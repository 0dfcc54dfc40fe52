# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Wait until stopped Deployments have no pod left, or started ones all their pods available."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Clock, Cluster
from ansible_collections.easymo.deploy.plugins.module_utils._errors import NotReadyError
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.follow import pause
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Deployment
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.observe import (
    observe_all_pods,
)
from ansible_collections.easymo.deploy.plugins.module_utils._scale.plan import STOPPED

Report = t.Callable[[str], None]


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
    started, said = clock.now(), ""
    while waiting := look(cluster, names):
        names = waiting
        standing = "; ".join(f"{name}: {what}" for name, what in waiting.items())
        if standing != said:
            said = standing
            report(f"waits for {standing}")
        if clock.now() >= deadline:
            raise NotReadyError(_too_late(standing, state), waiting=waiting)
        clock.sleep(pause(clock.now() - started))


def pods_left(cluster: Cluster, names: t.Collection[str]) -> dict[str, str]:
    """Those with pods, ending ones too: a pod writes until it is gone."""
    found: dict[str, str] = {}
    for deployment in _deployments(cluster, names):
        pods = observe_all_pods(cluster, deployment)
        ending = sum(pod.deleting for pod in pods)
        if pods:
            found[deployment.name] = f"{len(pods)} pods left, {ending} of them ending"
        elif deployment.observed_generation < deployment.generation or deployment.counts.total:
            found[deployment.name] = "its controller has not acted yet"
    return found


def not_available(cluster: Cluster, names: t.Collection[str]) -> dict[str, str]:
    return {
        one.name: f"{one.counts.available} of {one.counts.desired} available"
        for one in _deployments(cluster, names)
        if one.observed_generation < one.generation or one.counts.available < one.counts.desired
    }


def _deployments(cluster: Cluster, names: t.Collection[str]) -> list[Deployment]:
    listed = map(Deployment.from_json, cluster.list_objects("Deployment"))
    return [one for one in listed if one.name in names]


def _too_late(standing: str, state: str) -> str:
    if state == STOPPED:
        return (
            f"Not all pods were gone within 'wait_timeout': {standing}. They may still write: look at them "
            "with kubectl, and raise 'wait_timeout' if they just end slowly."
        )
    return (
        f"Not all pods were available within 'wait_timeout': {standing}. The counts are set, so Kubernetes "
        "goes on: look at the pods' logs with kubectl, and run the task again to wait on."
    )
