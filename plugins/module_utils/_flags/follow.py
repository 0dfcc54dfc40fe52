# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Wait until running pods have taken up the flags of a ConfigMap volume, and have the kubelet hurry.

By itself the kubelet looks at a pod's volumes once in 60 to 90 seconds. It looks at once when an annotation of the pod
changes: https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/
"""

from __future__ import annotations

import typing as t

from .._cluster import FLAGS_SYNC_ANNOTATION, Clock, Cluster, Operation
from .._errors import ConflictError, DeployError
from .._time import now
from .pods import REACHED, STALE, UNKNOWN, PodState

PAUSE = 0.5
HURRY_EVERY = 10.0
"""Seconds after which the kubelet is told again: what it read may have been what was there before."""
SETTLE = 15.0
"""Seconds for which a pod that has the flags at the first look must keep them: what was written just before may still
be on its way to its process. By then the kubelet was told twice."""


def is_behind(pod: PodState) -> bool:
    return pod.state in (STALE, UNKNOWN)


def follow(
    cluster: Cluster,
    ask: t.Callable[[], list[PodState]],
    *,
    clock: Clock,
    deadline: float,
    report: t.Callable[[str], None],
    waits_for: t.Callable[[PodState], bool] = is_behind,
    settle: float = 0.0,
) -> tuple[list[PodState], str]:
    """The pods as last seen, each that follows as it was first seen so; and why the kubelet was not told, if so.

    Returns when there is none left to wait for, or at `deadline`. `settle`: 0, or SETTLE when the flags were written
    just now.
    """
    first: dict[str, PodState] = {}
    hurried: dict[str, float] = {}
    early: frozenset[str] | None = None
    problem, said = "", ""
    settled = 0.0
    while True:
        looked = ask()
        pods = [first.setdefault(p.uid, p) if p.state == REACHED else p for p in looked]
        for uid in {pod.uid for pod in pods if pod.state != REACHED}:
            first.pop(uid, None)
        if early is None:
            early, settled = frozenset(first), clock.now() + settle
        behind = [pod for pod in looked if waits_for(pod)]
        kept = [pod for pod in looked if pod.uid in early & {*first} and clock.now() < settled]
        if not (behind or kept) or clock.now() >= deadline:
            return pods, problem
        for pod in (*behind, *kept):
            due = hurried.get(pod.uid, clock.now()) <= clock.now()
            if pod.state not in (STALE, REACHED) or not due:
                continue
            try:
                hurry(cluster, pod)
            except ConflictError:
                continue  # it changed since it was asked, and will be told with the next look
            except DeployError as exc:
                problem = f"The kubelet was not told to hurry, so it may take its 90 s: {exc}"
            hurried[pod.uid] = clock.now() + HURRY_EVERY
        text = f"{len(pods) - len(behind)} of {len(pods)} pods run the flags"
        text += "" if behind else f", and are watched for {settle:.0f} s: do they keep them?"
        if text != said:
            said = text
            report(text)
        clock.sleep(PAUSE)


def hurry(cluster: Cluster, pod: PodState) -> None:
    """Have the kubelet look at its volumes now. To it the same value twice, within one second, would be no change."""
    cluster.patch("Pod", pod.pod, [*to_annotation(pod, now().isoformat())])


def to_annotation(pod: PodState, value: str) -> t.Iterator[Operation]:
    yield {"op": "test", "path": "/metadata/uid", "value": pod.uid}
    if not pod.annotated:
        # An annotation that was made meanwhile stays.
        yield {"op": "test", "path": "/metadata/resourceVersion", "value": pod.version}
        yield {"op": "add", "path": "/metadata/annotations", "value": {}}
    name = FLAGS_SYNC_ANNOTATION.replace("/", "~1")
    yield {"op": "add", "path": f"/metadata/annotations/{name}", "value": value}


def latest(pods: t.Iterable[PodState]) -> float | None:
    """Seconds until the last of those that follow was seen to; None without any."""
    return max((pod.at for pod in pods if pod.state == REACHED), default=None)
