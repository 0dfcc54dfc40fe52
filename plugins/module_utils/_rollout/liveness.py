# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether new pods have lived through their liveness probes, and whether a kubelet killed them for one. Pure.

A pod may be ready at once and be killed a quarter of a minute later, again and again. A pod's status omits its
liveness probe; the kubelet's events report it, from the first failure on. See docs/rollouts.md, "Soak".
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
"""Events of one pod; None without the right to read them."""


@dataclass(frozen=True)
class ProbePatience:
    """Seconds from a container's start until its first liveness probe is over, and until a failing probe kills it.

    Both are 0 without a probe.
    """

    probed: float = 0.0
    killed: float = 0.0


def patience_of(template: Object) -> ProbePatience:
    """Of the slowest container, native sidecars included."""
    spec = template["spec"]
    sidecars = [
        container
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    ]
    probes = [
        container["livenessProbe"]
        for container in (*spec["containers"], *sidecars)
        if container.get("livenessProbe")
    ]
    return ProbePatience(
        probed=max((_seconds(probe, 1) for probe in probes), default=0.0),
        killed=max(
            (_seconds(probe, probe.get("failureThreshold", 3)) for probe in probes), default=0.0
        ),
    )


def _seconds(probe: Object, tries: int) -> float:
    delay, period = probe.get("initialDelaySeconds", 0), probe.get("periodSeconds", 10)
    return float(delay + period * tries + probe.get("timeoutSeconds", 1))


LOST_SIGHT = 6.0
"""Seconds without an observation after which kubelets may have been cut off too. Their events then arrive late:
a kubelet sends an event again after 10 s (client-go, tools/record/event.go)."""


class Ages:
    """For how long each new pod was seen with all its containers started, by our own clock alone."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], float] = {}
        self._noted = float("inf")

    def note(self, pods: t.Iterable[Pod], now: float) -> bool:
        """A restart begins anew, and so do all when sight was lost. Whether it was."""
        lost, self._noted = now - self._noted >= LOST_SIGHT, now
        lives = {
            (pod.uid, sum(container.restarts for container in pod.containers))
            for pod in pods
            if not pod.deleting and all(map(_started, pod.containers)) and pod.containers
        }
        known = {} if lost else self._since
        self._since = {key: known.get(key, now) for key in lives}
        return lost

    def oldest(self, now: float) -> tuple[str, float]:
        """The uid of the pod that has lived longest, and for how many seconds; ("", 0) without one."""
        if not self._since:
            return "", 0.0
        (uid, _restarts), since = min(self._since.items(), key=lambda item: item[1])
        return uid, now - since


def _started(container: Container) -> bool:
    """An init container that did its work counts."""
    return container.started or (container.state == "terminated" and container.exit_code == 0)


class LivenessProof:
    """Liveness of one soak. `left`: seconds until the oldest pod has outlived its liveness probe.

    `until_due`: seconds until that pod's events are read next.
    """

    def __init__(self, patience: ProbePatience) -> None:
        self._patience = patience
        self._events_read_of = ""
        self.left = patience.killed
        self.until_due = patience.probed

    def weigh(
        self, pod: str, age: float, events_of: t.Callable[[str], Events]
    ) -> Evaluation | None:
        """A verdict when the kubelet killed it. Events are asked for at most twice for a pod, and so again when its age
        begins anew."""
        if not self._patience.killed:
            return None
        if age < self._patience.probed:
            self._events_read_of = ""
        self.left = self._patience.killed - age
        self.until_due = self._patience.probed - age if self._events_read_of != pod else self.left
        probed_first = age >= self._patience.probed and self._events_read_of != pod
        if not (probed_first or self.left <= 0):
            return None
        self._events_read_of = pod
        self.until_due = self.left
        events = events_of(pod)
        container, probe, message = kill_of(events)
        if container:
            return replace(killed(container, probe, message), pod=pod, container=container)
        if has_answered(events):
            self.left = 0.0
        return None


def has_answered(events: Events) -> bool:
    """Whether the events of a pod prove that its probe, which ran at least once, succeeded.

    The pod's `Started` event shows that its events arrive. Without it, a lack of failures is no proof.
    """
    messages = [(str(event.get("reason")), str(event.get("message"))) for event in events or ()]
    started = any(reason == "Started" for reason, _message in messages)
    return started and not any(
        FAILED.match(message) or KILLED.search(message) for _reason, message in messages
    )


def kill_of(events: Events, container: str = "") -> tuple[str, str, str]:
    """The killed container, its probe and the probe's last message; all empty without a kill.

    The last message counts: a container that just started refuses connections, which is not why it was killed.
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
    container, probe, message = kill_of(events, verdict.container)
    if verdict.reason not in RESTARTS or not container:
        return verdict
    return replace(killed(container, probe, message), pod=verdict.pod, container=container)


def killed(container: str, probe: str, message: str) -> Evaluation:
    why = f" ({excerpt(message, 180)})" if message else ""
    return Evaluation(
        "failing",
        f"{probe.capitalize()}Failed",
        f"container {container} does not answer its {probe}Probe, so it was killed and "
        f"restarted{why}",
        f"Check the {probe}Probe and its timeout; the log may not mention it.",
    )
