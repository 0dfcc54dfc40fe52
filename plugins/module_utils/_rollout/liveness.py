# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether new pods have lived through their liveness probes, and whether a kubelet killed them for one. Pure.

A pod may be ready at once and be killed a quarter of a minute later, again and again. The status of a pod does not
tell of its liveness probe; the kubelet's events do, from the first failure on. See docs/rollouts.md, "Soak".
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from .._cluster import Object
from .._redaction import excerpt
from .evaluate import Evaluation
from .models import Container, Pod

KILLED = re.compile(r"Container (\S+) failed (liveness|startup) probe")
FAILED = re.compile(r"(Liveness|Startup) probe (?:failed|errored)", re.IGNORECASE)
RESTARTS = frozenset({"CrashLoop", "RestartedInSoak"})
"""Verdicts about restarts, which a kubelet's kill may be behind."""

Events: t.TypeAlias = "t.Sequence[Object] | None"
"""Of one pod; None when they may not be read."""


@dataclass(frozen=True)
class Patience:
    """Seconds from a container's start: until its liveness probe was certainly asked once, and until it would have
    killed. 0 without a probe.
    """

    asked: float = 0.0
    killed: float = 0.0


def patience_of(template: Object) -> Patience:
    """Of the slowest container, native sidecars included."""
    spec = template["spec"]
    sidecars = [
        one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"
    ]
    probes = [
        one["livenessProbe"] for one in (*spec["containers"], *sidecars) if one.get("livenessProbe")
    ]
    return Patience(
        asked=max((_seconds(one, 1) for one in probes), default=0.0),
        killed=max((_seconds(one, one.get("failureThreshold", 3)) for one in probes), default=0.0),
    )


def _seconds(probe: Object, tries: int) -> float:
    delay, period = probe.get("initialDelaySeconds", 0), probe.get("periodSeconds", 10)
    return float(delay + period * tries + probe.get("timeoutSeconds", 1))


LOST_SIGHT = 6.0
"""Seconds between two looks from which on kubelets may have had no way to the API server either. What they have to
tell then comes after it is back: a kubelet tries an event again after 10 s (client-go, tools/record/event.go)."""


class Ages:
    """For how long each new pod was seen with all its containers started, by our own clock alone."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], float] = {}
        self._noted = float("inf")

    def note(self, pods: t.Iterable[Pod], now: float) -> bool:
        """A restart begins anew, and so do all when sight was lost. Whether it was."""
        lost, self._noted = now - self._noted >= LOST_SIGHT, now
        seen = {
            (pod.uid, sum(one.restarts for one in pod.containers))
            for pod in pods
            if not pod.deleting and all(map(_started, pod.containers)) and pod.containers
        }
        known = {} if lost else self._since
        self._since = {key: known.get(key, now) for key in seen}
        return lost

    def oldest(self, now: float) -> tuple[str, float]:
        """The uid of the pod that has lived longest, and for how many seconds; ("", 0) without one."""
        if not self._since:
            return "", 0.0
        (uid, _restarts), since = min(self._since.items(), key=lambda one: one[1])
        return uid, now - since


def _started(container: Container) -> bool:
    """An init container that did its work counts."""
    return container.started or (container.state == "terminated" and container.exit_code == 0)


class Proof:
    """Of one soak. `left`: seconds until the pod that has lived longest has outlived its liveness probe.

    `until_asked`: seconds until that pod's events are worth a look, `left` when they were looked at.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._asked_of = ""
        self.left = patience.killed
        self.until_asked = patience.asked

    def weigh(
        self, pod: str, age: float, events_of: t.Callable[[str], Events]
    ) -> Evaluation | None:
        """A verdict when the kubelet killed it. Events are asked for at most twice for a pod, and so again when its age
        begins anew."""
        if not self._patience.killed:
            return None
        if age < self._patience.asked:
            self._asked_of = ""
        self.left = self._patience.killed - age
        self.until_asked = self._patience.asked - age if self._asked_of != pod else self.left
        asked_first = age >= self._patience.asked and self._asked_of != pod
        if not (asked_first or self.left <= 0):
            return None
        self._asked_of = pod
        self.until_asked = self.left
        events = events_of(pod)
        container, probe, said = kill_of(events)
        if container:
            return replace(killed(container, probe, said), pod=pod, container=container)
        if has_answered(events):
            self.left = 0.0
        return None


def has_answered(events: Events) -> bool:
    """Whether the events of a pod, whose probe was certainly asked, prove that it answered.

    That events of it arrive at all is shown by that of its start; silence alone would prove nothing.
    """
    told = [(str(one.get("reason")), str(one.get("message"))) for one in events or ()]
    started = any(reason == "Started" for reason, _message in told)
    return started and not any(
        FAILED.match(message) or KILLED.search(message) for _reason, message in told
    )


def kill_of(events: Events, container: str = "") -> tuple[str, str, str]:
    """Which container was killed for which probe, and what the probe said last; empty when none was.

    A container that is just started refuses connections, which the first event says and was not why it was killed.
    """
    newest = sorted(events or (), key=lambda event: str(event.get("last_seen", "")), reverse=True)
    messages = [str(event.get("message", "")) for event in newest]
    for message in messages:
        kill = KILLED.search(message)
        if kill and container in ("", kill[1]):
            probes = (probe for line in messages if (probe := FAILED.match(line)))
            own = (probe.string for probe in probes if probe[1].lower() == kill[2].lower())
            return kill[1], kill[2], next(own, "")
    return "", "", ""


def as_kill(verdict: Evaluation, events: Events) -> Evaluation:
    """The verdict about a restart in other words, when the kubelet did it for a probe."""
    container, probe, said = kill_of(events, verdict.container)
    if verdict.reason not in RESTARTS or not container:
        return verdict
    return replace(killed(container, probe, said), pod=verdict.pod, container=container)


def killed(container: str, probe: str, said: str) -> Evaluation:
    why = f" ({excerpt(said, 180)})" if said else ""
    return Evaluation(
        "failing",
        f"{probe.capitalize()}Failed",
        f"container {container} does not answer its {probe}Probe, so it was killed and "
        f"restarted{why}",
        f"Check the {probe}Probe and its timeout; the log may not mention it.",
    )
