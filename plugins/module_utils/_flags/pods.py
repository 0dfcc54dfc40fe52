# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether the containers of a Deployment run with the environment they should, asked in each of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster import Cluster
from .._errors import RefusedError
from .._rollout.models import Deployment, Pod
from .._rollout.observe import observe_all_pods


@dataclass(frozen=True)
class Finding:
    """One pod: what of the expected environment it runs with. `seen` is None for an unset variable."""

    pod: str
    seen: t.Mapping[str, str | None]
    problems: tuple[str, ...]


def observe_environment(
    cluster: Cluster, deployment: Deployment, container: str, expected: t.Mapping[str, str]
) -> list[Finding]:
    pods = [pod for pod in observe_all_pods(cluster, deployment) if not pod.deleting]
    return [_ask(cluster, pod, container, expected) for pod in pods]


def parse_environment(output: str) -> dict[str, str]:
    """What `env` prints. A value of several lines keeps its first."""
    pairs = (line.partition("=") for line in output.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def compare(pod: str, seen: t.Mapping[str, str], expected: t.Mapping[str, str]) -> Finding:
    problems = tuple(
        f"{key} is {'unset' if key not in seen else repr(seen[key])} instead of {value!r}"
        for key, value in expected.items()
        if seen.get(key) != value
    )
    return Finding(pod=pod, seen={key: seen.get(key) for key in expected}, problems=problems)


def _ask(cluster: Cluster, pod: Pod, container: str, expected: t.Mapping[str, str]) -> Finding:
    status = next((one for one in pod.containers if one.name == container), None)
    if status is None or status.state != "running":
        state = "missing" if status is None else f"{status.state} ({status.reason})"
        return Finding(pod.name, {}, (f"container {container!r} is {state}, so it has no values",))
    try:
        output = cluster.execute(pod.name, container, ["env"])
    except RefusedError as exc:
        if exc.details.get("status") == 404:  # the pod went while we asked the others
            return Finding(pod.name, {}, ())
        raise
    return compare(pod.name, parse_environment(output), expected)
