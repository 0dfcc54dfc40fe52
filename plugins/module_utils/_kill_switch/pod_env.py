# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask every pod at once what it runs with. One that does not answer is never taken for one that is off."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._cluster import Clock, Cluster, Object
from .._errors import DeployError
from .._flags.pods import compare, parse_environment
from .._rollout.models import Deployment, Pod
from .._threads import side_by_side
from .models import ENDING, IDLE, REACHED, STALE, UNKNOWN, PodState, is_overdue

AT_ONCE = 8
PATIENCE = 5.0
"""Seconds to keep trying to reach one pod."""
ENDED = ("Succeeded", "Failed")


class Asker:
    """Asks the pods of one consumer."""

    def __init__(
        self,
        expected: t.Mapping[str, str],
        *,
        clock: Clock,
        wall: t.Callable[[], datetime],
    ) -> None:
        self._expected = expected
        self._clock = clock
        self._wall = wall
        self._started = clock.now()

    def ask(self, cluster: Cluster, deployment: Deployment, container: str) -> list[PodState]:
        """The state of every pod that its selector finds. Raises what listing them raises."""
        listed = cluster.list_objects("Pod", label_selector=deployment.selector)
        pods = [one for one in listed if (one.get("status") or {}).get("phase") not in ENDED]
        found = side_by_side(lambda one: self._ask(cluster, one, container), pods, at_once=AT_ONCE)
        return [one for one in found if one is not None]

    def _ask(self, cluster: Cluster, body: Object, container: str) -> PodState | None:
        """None for a pod that went meanwhile."""
        pod = Pod.from_json(body)

        def told(
            state: str, detail: str = "", seen: t.Mapping[str, str | None] | None = None
        ) -> PodState:
            at = self._clock.now() - self._started
            return PodState(pod.name, pod.uid, state, pod.ready, detail, seen or {}, at)

        if pod.deleting:
            if is_overdue(body, self._wall()):
                return told(UNKNOWN, "should have ended long ago: its node may be gone")
            return told(ENDING)
        status = next((one for one in pod.containers if one.name == container), None)
        if status is None or status.state != "running":
            reason = "not started" if status is None else status.reason or status.state
            return told(IDLE, f"runs nothing: {reason}")
        try:
            patient = cluster.until(self._clock.now() + PATIENCE)
            output = patient.execute(pod.name, container, ["env"])
        except DeployError as exc:
            if exc.details.get("status") == 404:
                return None
            return told(UNKNOWN, f"cannot be asked: {exc}")
        finding = compare(pod.name, parse_environment(output), self._expected)
        state = STALE if finding.problems else REACHED
        return told(state, "; ".join(finding.problems), finding.seen)
