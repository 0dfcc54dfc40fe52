# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask every pod at once which flags it runs. One that does not answer is never taken for one that runs them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._cluster import Clock, Cluster, Object
from .._errors import DeployError, UnreachableError
from .._rollout.models import Deployment, Pod
from .._rollout.observe import list_pods
from .._threads import side_by_side
from .._time import parse_time
from .probe import FlagsProbe

REACHED, STALE, UNKNOWN, IDLE, ENDING = "reached", "stale", "unknown", "idle", "ending"
"""Runs with the wanted flags; runs with others; cannot be asked; runs nothing; gets no new requests and goes."""
RUNNING = (REACHED, STALE, UNKNOWN)

OVERDUE = timedelta(seconds=30)
"""After its grace period a pod that is still there is taken for one whose node is gone."""
AT_ONCE = 8
PATIENCE = 5.0
"""Seconds to keep trying to reach one pod."""
LOOKS = 5
"""How often pods are listed of which one goes each time while it is asked."""
ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class PodState:
    """`at`: seconds from the beginning of the task to when it was seen so."""

    pod: str
    uid: str
    state: str
    ready: bool = False
    detail: str = ""
    seen: t.Mapping[str, str | None] = field(default_factory=dict)
    at: float = 0.0
    version: str = ""
    annotated: bool = False
    deleting: bool = False
    """Of one that is overdue too, which is UNKNOWN."""

    @property
    def serves(self) -> bool:
        """One that ends gets no new requests, however ready it still is."""
        return self.ready and not self.deleting

    def to_result(self) -> dict[str, t.Any]:
        return {
            "pod": self.pod,
            "state": self.state,
            "detail": self.detail,
            "seen": dict(self.seen),
            "at": round(self.at, 2),
        }


def is_overdue(pod: Object, now: datetime) -> bool:
    """Whether it should have ended already: the API server writes down when its grace is over."""
    due = parse_time(pod["metadata"].get("deletionTimestamp") or "")
    return due is not None and now > due + OVERDUE


def differences(seen: t.Mapping[str, str], expected: t.Mapping[str, str]) -> str:
    return "; ".join(
        f"{key} is {'unset' if key not in seen else repr(seen[key])} instead of {value!r}"
        for key, value in expected.items()
        if seen.get(key) != value
    )


class Asker:
    """Asks the pods of one Deployment for the flags in `expected`."""

    def __init__(
        self,
        expected: t.Mapping[str, str],
        *,
        clock: Clock,
        wall: t.Callable[[], datetime],
        probe: FlagsProbe | None = None,
        started: float | None = None,
    ) -> None:
        self._expected = expected
        self._probe = probe or FlagsProbe()
        self._clock = clock
        self._wall = wall
        self._started = clock.now() if started is None else started

    def ask(self, cluster: Cluster, deployment: Deployment, container: str) -> list[PodState]:
        """The state of every pod that its selector finds. Raises what listing them raises.

        Where a pod went meanwhile, they are listed again: another one takes its place.
        """
        found: list[PodState] = []
        for _look in range(LOOKS):
            listed = list_pods(cluster, deployment)
            pods = [one for one in listed if (one.get("status") or {}).get("phase") not in ENDED]
            asked = side_by_side(
                lambda one: self._ask(cluster, one, container), pods, at_once=AT_ONCE
            )
            found = [one for one in asked if one is not None]
            if len(found) == len(asked):
                break
        return found

    def _ask(self, cluster: Cluster, body: Object, container: str) -> PodState | None:
        """None for a pod that went meanwhile."""
        pod = Pod.from_json(body)

        def told(
            state: str, detail: str = "", seen: t.Mapping[str, str | None] | None = None
        ) -> PodState:
            return PodState(
                pod.name,
                pod.uid,
                state,
                pod.ready,
                detail,
                seen or {},
                at=self._clock.now() - self._started,
                version=body["metadata"].get("resourceVersion", ""),
                annotated=bool(body["metadata"].get("annotations")),
                deleting=pod.deleting,
            )

        if pod.deleting:
            if is_overdue(body, self._wall()):
                return told(UNKNOWN, "should have ended long ago: its node may be gone")
            return told(ENDING)
        status = next((one for one in pod.containers if one.name == container), None)
        if status is None or status.state != "running":
            reason = "not started" if status is None else status.reason or status.state
            return told(IDLE, f"runs nothing: {reason}")
        try:
            values = self._values(cluster, pod.name, container)
        except DeployError as exc:
            if exc.details.get("status") == 404 and _is_gone(cluster, pod):
                return None
            return told(UNKNOWN, f"cannot be asked: {exc}")
        wrong = differences(values, self._expected)
        seen = {key: values.get(key) for key in self._expected}
        return told(STALE if wrong else REACHED, wrong, seen)

    def _values(self, cluster: Cluster, pod: str, container: str) -> t.Mapping[str, t.Any]:
        """Asked twice, for one answer that is lost may take longer than the patience with a pod."""
        try:
            return self._probe.ask(self._patient(cluster), pod, container, self._expected)
        except UnreachableError:
            return self._probe.ask(self._patient(cluster), pod, container, self._expected)

    def _patient(self, cluster: Cluster) -> Cluster:
        return cluster.until(self._clock.now() + PATIENCE)


def _is_gone(cluster: Cluster, pod: Pod) -> bool:
    """Its application may say 404 too."""
    found = cluster.list_objects("Pod", field_selector=f"metadata.name={pod.name}")
    return all(one["metadata"]["uid"] != pod.uid for one in found)
