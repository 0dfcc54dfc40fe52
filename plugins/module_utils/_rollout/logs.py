# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Read logs: the end of one however long its lines are, and whether new pods say what a healthy start says."""

from __future__ import annotations

from .._cluster import Clock, Cluster
from .._errors import RefusedError
from .models import Deployment
from .observe import observe_pods, observe_replica_set

FEWER = 4
"""By how much fewer lines are asked for when they had too many bytes."""
LIMIT_BYTES = 256 * 1024
"""How much of a log is read, from its beginning: a start-up line stands there."""
PATIENCE = 15.0
"""Seconds a line may come later than readiness."""


def read_tail(
    cluster: Cluster,
    pod: str,
    container: str,
    *,
    lines: int,
    limit: int | None = None,
    previous: bool = False,
) -> tuple[str, str]:
    """Its last `lines`, and what was cut of them, in words that go on a sentence.

    The server's own limit of bytes takes the end away, where the cause stands: so rather fewer lines whole.
    """
    if limit is None:
        return cluster.log(pod, container, tail_lines=lines, previous=previous), ""
    wanted = lines
    while True:
        text = cluster.log(
            pod, container, tail_lines=wanted, limit_bytes=limit + 1, previous=previous
        )
        if len(text.encode()) <= limit:
            cut = f"had more than {limit} bytes in {lines} lines: the last {wanted} were read."
            return text, cut if wanted < lines else ""
        if wanted == 1:
            return text[:limit], f"ends in a line over {limit} bytes: only its beginning was read."
        wanted = max(wanted // FEWER, 1)


def find_log_line(
    cluster: Cluster, deployment: Deployment, container: str, line: str, *, clock: Clock
) -> list[str]:
    """The new pods whose log does not hold `line`; empty when all do."""
    end = clock.now() + PATIENCE
    cluster = cluster.until(end)
    pods = observe_pods(cluster, deployment, observe_replica_set(cluster, deployment))
    silent = [pod.name for pod in pods if not pod.deleting]
    while True:
        silent = [name for name in silent if line not in _log_of(cluster, name, container)]
        if not silent or clock.now() >= end:
            return silent
        clock.sleep(1.0)


def _log_of(cluster: Cluster, pod: str, container: str) -> str:
    """Empty for a pod that went, or does not run yet: it is asked again."""
    try:
        return cluster.log(pod, container, limit_bytes=LIMIT_BYTES)
    except RefusedError as exc:
        if exc.details.get("status") in (400, 404):
            return ""
        raise
