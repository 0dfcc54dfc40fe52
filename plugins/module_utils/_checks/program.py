# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program in every pod of a Deployment: it is well when each ends with 0."""

from __future__ import annotations

import time
import typing as t

from .._cluster import Cluster
from .._errors import RefusedError, UnreachableError
from .._kill_switch.consumer import container_of
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import KUBERNETES, Connection
from .._options import kubernetes_options
from .._rollout.models import Pod
from .._rollout.observe import observe_deployment, observe_pods, observe_replica_set
from .._threads import side_by_side
from .._words import counted
from .models import CheckError, Kind, NotKnownError, Options

_AT_ONCE = 8


def probe(options: Options, timeout: float) -> str:
    cluster = KubernetesCluster(Connection.from_params(options)).until(time.monotonic() + timeout)
    try:
        return run_in_pods(cluster, options["deployment"], options["container"], options["command"])
    except (RefusedError, UnreachableError) as exc:
        raise NotKnownError(str(exc)) from exc


def run_in_pods(
    cluster: Cluster, name: str, container: str | None, command: t.Sequence[str]
) -> str:
    """In those of the current template that do not end. Raises CheckError for the first in which it fails."""
    deployment = observe_deployment(cluster, name)
    current = observe_pods(cluster, deployment, observe_replica_set(cluster, deployment))
    pods = [pod for pod in current if not pod.deleting]
    if not pods:
        raise CheckError(f"Deployment {name!r} has no pod to run {command[0]!r} in.")

    def run(pod: Pod) -> None:
        try:
            cluster.execute(pod.name, container or container_of(deployment), command)
        except RefusedError as exc:
            if "status" in exc.details:
                raise  # the API server's word, and not the program's
            raise CheckError(str(exc)) from exc

    side_by_side(run, pods, at_once=_AT_ONCE)
    return f"{command[0]} ended with 0 in {counted(len(pods), 'pod')}"


KIND = Kind(
    probe,
    {
        **kubernetes_options(),
        "deployment": {"type": "str", "required": True},
        "container": {"type": "str"},
        "command": {"type": "list", "elements": "str", "required": True},
    },
    (KUBERNETES,),
)
