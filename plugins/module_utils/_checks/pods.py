# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes of pods: whether they are well, what they logged, and a program run in each."""

from __future__ import annotations

import time
import typing as t

from .._cluster import Cluster
from .._doc_fragments._kubernetes import CONNECTION
from .._doc_fragments._module import nested
from .._errors import RefusedError, UnreachableError
from .._flags.pods import container_of
from .._formats import counted, listed
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import KUBERNETES, Connection
from .._redaction import excerpt
from .._rollout.models import ClusterObject, Pod
from .._rollout.observer import observe_deployment, observe_pods, observe_replica_set
from .._threads import side_by_side
from .models import CheckError, Kind, Kinds, NotKnownError, Options

if t.TYPE_CHECKING:
    from .._cluster import Object


_NAMED = 5
_LOG_LINES = 500
_SHOWN = 200


def probe_kubernetes(options: Options, timeout: float) -> str:
    """Look whether every pod of a namespace runs and is ready."""
    cluster = KubernetesCluster(Connection.from_params(options)).until(time.monotonic() + timeout)
    pods = cluster.list_objects("Pod", label_selector=options["label_selector"])
    others: list[Object] = []
    if options["deployments"]:
        pods, others = parted(cluster, pods, options["deployments"])
    verdict = judge_pods(pods, options["namespace"], others)
    if options["log_without"]:
        refuse_lines(cluster, pods, options["log_without"])
        verdict += f", none has logged {options['log_without']!r}"
    return verdict


def parted(
    cluster: Cluster, pods: t.Sequence[Object], deployments: t.Collection[str]
) -> tuple[list[Object], list[Object]]:
    """The pods of the Deployments, by their owners and not by labels, which a Job may share; then all others."""
    wanted = {
        body["metadata"]["uid"]
        for body in cluster.list_objects("Deployment")
        if body["metadata"]["name"] in deployments
    }
    sets = {
        body["metadata"]["uid"]
        for body in cluster.list_objects("ReplicaSet")
        if ClusterObject.from_json(body).owner in wanted
    }
    mine = [pod for pod in pods if ClusterObject.from_json(pod).owner in sets]
    return mine, [pod for pod in pods if pod not in mine]


def refuse_lines(cluster: Cluster, pods: t.Sequence[Object], text: str) -> None:
    """Raise with the first line of a pod's log that contains `text`."""
    for pod in pods:
        if _leaving(pod):
            continue
        name = pod["metadata"]["name"]
        for container in pod["spec"]["containers"]:
            log = cluster.log(name, container["name"], tail_lines=_LOG_LINES)
            result = next((line for line in log.splitlines() if text in line), None)
            if result is not None:
                shown = excerpt(result, _SHOWN)
                raise CheckError(f"Pod {name!r} has logged {text!r}: {shown}")


def judge_pods(pods: t.Sequence[Object], namespace: str, others: t.Sequence[Object] = ()) -> str:
    """Pods that end or have done their work do not count; there must be one that does. Of others it is told only."""
    counted = [pod for pod in pods if not _leaving(pod)]
    if not counted:
        raise CheckError(f"There is no pod to check in namespace {namespace!r}.")
    bad = _unwell(counted)
    if bad:
        raise CheckError(
            f"{len(bad)} of {len(counted)} pods in namespace {namespace!r} are unhealthy: "
            f"{listed(bad, _NAMED)}."
        )
    foreign = _unwell(pod for pod in others if not _leaving(pod))
    note = f"; of others: {listed(foreign, _NAMED)}" if foreign else ""
    return f"{len(counted)} pods ready{note}"


def _unwell(pods: t.Iterable[Object]) -> list[str]:
    problems = {pod["metadata"]["name"]: pod_problem(pod) for pod in pods}
    return [f"{name} {problem}" for name, problem in problems.items() if problem]


def pod_problem(pod: Object) -> str:
    """What is wrong with it, empty when nothing is."""
    status = pod.get("status") or {}
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"is in {waiting['reason']} ({container.get('restartCount', 0)} restarts)"
    if status.get("phase") != "Running":
        return f"is {status.get('phase', 'of unknown phase')}"
    conditions = {entry["type"]: entry for entry in status.get("conditions") or []}
    ready = conditions.get("Ready") or {}
    if ready.get("status") == "True":
        return ""
    if _is_out_of_reach(ready, status.get("containerStatuses") or []):
        node = (pod.get("spec") or {}).get("nodeName")
        return f"has no known state: its node {node!r} seems to be unreachable"
    return "is not ready"


def _is_out_of_reach(ready: Object, containers: t.Sequence[Object]) -> bool:
    """Whether the cluster and not its kubelet calls it unready: its containers count as ready, and no reason is given.

    The node controller does so 40 seconds after it heard of the node last. Nodes themselves an operator need not see.
    """
    heard = ready.get("reason") or not all(container.get("ready") for container in containers)
    return bool(containers) and not heard


def _leaving(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return bool(pod["metadata"].get("deletionTimestamp")) or phase == "Succeeded"


_AT_ONCE = 8


def probe_exec(options: Options, timeout: float) -> str:
    """Run a program in every pod of a Deployment: it is well when each ends with 0."""
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


KUBERNETES_OPTIONS = f"""  description: All pods run and are ready, none is in a crash loop. Pods that end or
    have succeeded do not count.
  suboptions:
{nested(CONNECTION, 2, "checks[].kubernetes")}    label_selector:
      description: Only pods with these labels.
      type: str
      default: ""
    deployments:
      description:
        - Only pods of these Deployments must be well. What is wrong with others is told and fails nothing.
        - Needs C(list) on C(deployments) and C(replicasets).
      type: list
      elements: str
      default: []
    log_without:
      description:
        - A text that the last 500 log lines of no container may contain, for example V(ERROR).
        - Needs C(get) on C(pods/log).
      type: str
      default: ""
"""
EXEC_OPTIONS = f"""  description:
    - Run a program in every pod of a Deployment. It is well when each ends with 0, within 30 seconds.
    - Needs C(create) on C(pods/exec), and C(list) on C(pods) and C(replicasets).
  suboptions:
{nested(CONNECTION, 2, "checks[].exec")}    deployment:
      description: The Deployment. Pods of an earlier template and those that end are left out.
      type: str
      required: true
    container:
      description: The container to run it in. The one of the Deployment's name when not given, else the first.
      type: str
    command:
      description: The program and its arguments. No shell reads them.
      type: list
      elements: str
      required: true
"""

PROBES: Kinds = {
    "kubernetes": Kind(probe_kubernetes, KUBERNETES_OPTIONS, (KUBERNETES,)),
    "exec": Kind(probe_exec, EXEC_OPTIONS, (KUBERNETES,)),
}
