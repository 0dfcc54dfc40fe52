# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a patched Deployment to a terminal verdict, then let it prove itself until its liveness probes have answered.

A pod may be ready at once and be killed a quarter of a minute later, again and again. A pod's status omits its
liveness probe; the kubelet's events report it, from the first failure on. Without one it may end all the same, for
want of memory. See docs/rollouts.md, "Soak".
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from .._cluster import Clock, Object
from .._errors import EarlierWaveError, RefusedError
from .._redaction import excerpt
from .evaluate import Evaluation, RolloutProgress, RolloutSnapshot, evaluate, troubles, with_node
from .models import Container, Deployment, Pod, ReplicaCounts, last_seen
from .observer import RolloutObserver
from .overlap import ALONE, Place

KILLED = re.compile(r"Container (\S+) failed (liveness|startup) probe")
FAILED = re.compile(r"(Liveness|Startup) probe (?:failed|errored)", re.IGNORECASE)
UNREADY = re.compile(r"(Readiness|Startup) probe (?:failed|errored)", re.IGNORECASE)
RESTARTS = frozenset({"CrashLoop", "RestartedInSoak"})
"""Verdicts about restarts, which a kubelet's kill may be behind."""
NOT_READY = frozenset({"DeadlineExceeded", "Stalled", "Timeout"})
"""Verdicts about pods that did not become ready in time."""

Events: t.TypeAlias = "t.Sequence[Object] | None"
"""Events of one pod; None without the right to read them."""


@dataclass(frozen=True)
class ProbePatience:
    """Seconds from a container's start until its first liveness probe is over, and until a failing probe kills it.

    Both are 0 where nothing is watched.
    """

    probed: float = 0.0
    killed: float = 0.0


def patience_of(template: Object, rolled: str) -> ProbePatience:
    """Of the slowest container, native sidecars included.

    The `rolled` one is watched in any case. Without a liveness probe no answer shortens that: it lasts as long as its
    readiness probe needs to fail, or one with the server's defaults.
    """
    spec = template["spec"]
    sidecars = [
        container
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    ]
    patience = [ProbePatience()]
    for container in (*spec["containers"], *sidecars):
        if probe := container.get("livenessProbe"):
            patience.append(ProbePatience(_seconds(probe, 1), _until_failed(probe)))
        elif container["name"] == rolled:
            seconds = _until_failed(container.get("readinessProbe") or {})
            patience.append(ProbePatience(seconds, seconds))
    return ProbePatience(
        probed=max(each.probed for each in patience), killed=max(each.killed for each in patience)
    )


def _until_failed(probe: Object) -> float:
    return _seconds(probe, probe.get("failureThreshold", 3))


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


RECORDED = 20
"""So many events of a pod surely arrive. Some of the 25 may be of a kind that was deleted since."""


def has_answered(events: Events) -> bool:
    """Whether the events of a pod prove that its probe, which ran at least once, succeeded.

    The pod's `Started` event shows that its events arrive. Without it, a lack of failures is no proof. Nor is it one
    after many events: a recorder lets 25 of an object pass, and then one in 300 s (client-go, tools/record).
    """
    messages = [(str(event.get("reason")), str(event.get("message"))) for event in events or ()]
    if sum(int(event.get("count") or 1) for event in events or ()) >= RECORDED:
        return False
    started = any(reason == "Started" for reason, _message in messages)
    return started and not any(
        FAILED.match(message) or KILLED.search(message) for _reason, message in messages
    )


def kill_of(events: Events, container: str = "") -> tuple[str, str, str]:
    """The killed container, its probe and the probe's last message; all empty without a kill.

    The last message counts: a container that just started refuses connections, which is not why it was killed.
    """
    newest = sorted(events or (), key=last_seen, reverse=True)
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


def with_answer(verdict: Evaluation, diagnosis: t.Mapping[str, t.Any]) -> Evaluation:
    """The verdict about pods that did not become ready with what the newest probe of one answered."""
    pods = {f"Pod/{pod['name']}" for pod in diagnosis["pods"] if not pod["ready"]}
    answers = (
        event["message"]
        for event in diagnosis["events"]
        if event["object"] in pods and UNREADY.match(event["message"])
    )
    answer = next(answers, "") if verdict.reason in NOT_READY else ""
    if not answer:
        return verdict
    return replace(verdict, sentence=f"{verdict.sentence} ({excerpt(answer, 180)})")


def recalled(place: Place) -> Evaluation | None:
    """A verdict when a service of an earlier wave goes back."""
    cause = place.cause()
    sentence, hint = f"{cause} of an earlier wave failed in its soak", f"See to {cause} first."
    return Evaluation("failing", EarlierWaveError.reason, sentence, hint) if cause else None


QUIET = 3.0
"""Seconds that a controller may take before that is said. One whose API server restarted takes up to a minute."""

OLD_EVERY = 1.0
"""Seconds between two looks at old pods that are ending."""

HELD_LOOK = 0.5
"""Seconds between two looks at a service that is proven but for those of earlier waves."""
TOLD_LATE = 30.0
"""Seconds of a soak that are left at least after sight was lost, for what kubelets tell late."""

Report = t.Callable[[str, ReplicaCounts], None]


@dataclass(frozen=True)
class RolloutStatus:
    """Where following ended: the verdict and the last that was seen."""

    verdict: Evaluation
    deployment: Deployment | None

    @property
    def completed(self) -> Deployment | None:
        """The Deployment of a rollout that is complete."""
        return self.deployment if self.verdict.outcome == "complete" else None


@dataclass
class Follower:
    """Follows one Deployment. Made for one rollout or one undo.

    `replace_pod` ends a pod of that name, as far as it may; see evaluate.py.
    """

    observer: RolloutObserver
    clock: Clock
    deadline: float
    report: Report
    replace_pod: t.Callable[[str], None]
    place: Place = ALONE
    _counts: ReplicaCounts | None = None
    _reported: list[str] = field(default_factory=list)
    _ages: Ages = field(default_factory=Ages)

    def follow(self, progress: RolloutProgress, *, confirm: bool = True) -> RolloutStatus:
        """Until complete, failing, out of time or out of our hands. `confirm`: also that it is complete."""
        while True:
            snapshot = self.observer.snapshot(progress.generation)
            now = self.clock.now()
            further, verdict = evaluate(progress, snapshot, now)
            ends = verdict.outcome not in ("waiting", *(() if confirm else ("complete",)))
            if ends or verdict.replace or now >= self.deadline:
                # What ends something is not believed of a watch alone.
                snapshot = self.observer.snapshot(progress.generation, fresh=True)
                further, verdict = evaluate(progress, snapshot, now)
            if verdict.outcome in ("waiting", "complete"):
                verdict = recalled(self.place) or verdict
            progress = further
            if snapshot.pods is not None:
                self._ages.note(snapshot.pods, now)
            self._emit_counts(snapshot.deployment, progress, now)
            if verdict.replace:
                progress = self._replace(progress, verdict, snapshot)
            if verdict.outcome != "waiting":
                return RolloutStatus(verdict, snapshot.deployment)
            if now >= self.deadline:
                verdict = _timeout(progress, snapshot.deployment)
                return RolloutStatus(verdict, snapshot.deployment)
            self.observer.wait(min(pause(now - progress.started), max(self.deadline - now, 0.1)))

    def soaking(self, deadline: float) -> Follower:
        """A follower with the same history and a deadline of its own for the soak."""
        return replace(self, deadline=max(self.deadline, deadline))

    def soak(
        self, progress: RolloutProgress, seconds: float, patience: ProbePatience
    ) -> RolloutStatus:
        """Watch the finished rollout: no container may restart for so long, and one pod has to outlive its probe.

        Time without observations does not count.
        """
        end = self.clock.now() + seconds
        restarts: dict[str, int] = {}
        proof = LivenessProof(patience)
        over = False
        while True:
            snapshot = self.observer.snapshot(progress.generation, with_pods=True)
            now = self.clock.now()
            _progress, verdict = evaluate(progress, replace(snapshot, pods=None), now)
            if snapshot.deployment is None or verdict.outcome not in ("complete", "waiting"):
                return RolloutStatus(verdict, snapshot.deployment)
            if self._ages.note(snapshot.pods or (), now):
                anew = max(min(seconds, TOLD_LATE), patience.killed)
                end, self.deadline = max(end, now + anew), max(self.deadline, now + anew + 1.0)
            wrong = _restarted(snapshot.pods or (), restarts)
            if not over:
                wrong = wrong or proof.weigh(*self._ages.oldest(now), self.observer.events_of)
            wrong = wrong or recalled(self.place)
            left = max(end - now, proof.left)
            over = left <= 0 or now >= self.deadline
            if wrong or (over and not self.place.is_held()):
                return RolloutStatus(wrong or verdict, snapshot.deployment)
            self._tell_soak(snapshot.deployment, proof.left)
            soon = proof.until_due if proof.left > 0 else left
            self.observer.wait(HELD_LOOK if over else min(2.0, max(min(left, soon), 0.1)))

    def _tell_soak(self, deployment: Deployment, left: float) -> None:
        """Report a text once, and only for a wait of more than a second."""
        text = "complete, watched for restarts"
        if left > 1 and text not in self._reported:
            self._reported.append(text)
            self.report(f"{text}: {left:.0f} s more", deployment.counts)

    def wait_for_old(self, deployment: Deployment) -> list[Pod]:
        """Wait for the old pods to go. Returns those left at the deadline, terminating pods too."""
        while True:
            old = self.observer.old_pods(deployment)
            if not old or self.clock.now() >= self.deadline:
                return old
            self.report(f"{len(old)} old left to end", deployment.counts)
            self.observer.wait(OLD_EVERY)

    def _replace(
        self, progress: RolloutProgress, verdict: Evaluation, snapshot: RolloutSnapshot
    ) -> RolloutProgress:
        if snapshot.deployment is not None:
            text = f"replacing pod {verdict.replace}, {verdict.sentence}"
            self.report(
                "; ".join([text, *troubles(progress, snapshot.deployment)[:1]]),
                snapshot.deployment.counts,
            )
        try:
            self.replace_pod(verdict.replace)
        except RefusedError:
            # Without the right to do so, what was seen must be enough.
            return replace(progress, quorum="any")
        return progress

    def _emit_counts(
        self, deployment: Deployment | None, progress: RolloutProgress, now: float
    ) -> None:
        if deployment is None:
            return
        known = troubles(progress, deployment)
        if deployment.observed_generation < progress.generation:
            if now - progress.started < QUIET:
                return
            known = ["waiting for kube-controller-manager, which has not seen the change yet"]
        if deployment.counts != self._counts or known != self._reported:
            self._counts, self._reported = deployment.counts, known
            self.report("; ".join([str(deployment.counts), *known[:1]]), deployment.counts)


def pause(elapsed: float) -> float:
    """Seconds to the next look: quick while things usually move, then sparing the API server."""
    if elapsed < 6:
        return 0.5
    return 1.0 if elapsed < 60 else 2.0


def _restarted(pods: t.Iterable[Pod], known: dict[str, int]) -> Evaluation | None:
    """A verdict when a container restarted since `known`, which is brought up to date."""
    for pod in pods:
        for container in pod.containers:
            key = f"{pod.uid}/{container.name}"
            if container.restarts > known.setdefault(key, container.restarts):
                why = container.last_reason or f"exit code {container.last_exit_code}"
                return Evaluation(
                    "failing",
                    "OutOfMemory" if why == "OOMKilled" else "RestartedInSoak",
                    f"container {container.name} restarted after the rollout was complete ({why})",
                    "Read its log.",
                    pod=pod.uid,
                    container=container.name,
                )
    return None


def _timeout(progress: RolloutProgress, deployment: Deployment | None) -> Evaluation:
    known = troubles(progress, deployment) if deployment else []
    where = f"it is at {deployment.counts}" if deployment else "it was not seen"
    verdict = Evaluation(
        "failing",
        "Timeout",
        f"it was not complete within 'wait_timeout': {'; '.join([where, *known[:1]])}",
        "Raise 'wait_timeout' if its pods are slow to become ready.",
    )
    return with_node(verdict, progress)
