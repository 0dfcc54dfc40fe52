"""The pods' lives, as recordings tell them: bound, started, ready after a while, crashing, ended with their grace."""

import random
import typing as t
from dataclasses import dataclass, field

from sandbox.kubernetes.controllers.events import Recorder
from sandbox.kubernetes.controllers.objects import Cluster, terminating, timestamp
from sandbox.kubernetes.errors import ApiError, Object, bad_request
from sandbox.node import images, status
from sandbox.node.status import ContainerState

from . import nodes
from .control_plane import ControlPlane, News
from .mounts import Known, Mounts

CRASHES, NEVER_READY, ABSENT, SLOW = "crashes", "never-ready", "absent", "slow"
UNLIVE, RESTARTS = "unlive", "restarts"
"""What may be wrong with an image, as the end of its tag: web:2.1.0-crashes."""
BACKOFF = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)


@dataclass
class Life:
    """One pod on its node. `environment`: what its process runs with; `files`: what it has mounted."""

    name: str
    started: float
    address: str
    containers: list[ContainerState]
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    ending: bool = False
    unanswered: int = 0
    """Liveness probes in a row."""


class Kubelet:
    def __init__(
        self, plane: ControlPlane, seed: str, clock: t.Callable[[], float], known: Known
    ) -> None:
        self._plane = plane
        self._known = known
        self._random = random.Random(seed)
        self._clock = clock
        self._events = Recorder(Cluster(plane.store, clock), "kubelet")
        self.lives: dict[str, Life] = {}
        self._addresses = 0
        self.unreachable: set[str] = set()
        """Nodes that are out of reach, both ways."""
        self._postponed: list[tuple[str, t.Callable[[], None]]] = []
        self.mounts: Mounts | None = None
        """Of plans in which pods have their flags from a volume."""
        plane.listeners.append(self.notice)
        plane.containers.log_of = self.log

    def notice(self, news: News) -> None:
        for event in news["pods"]:
            metadata = event.record.body["metadata"]
            uid = metadata["uid"]
            if event.type == "DELETED":
                self.lives.pop(uid, None)
            elif uid not in self.lives:
                self._take(uid, event.record.body)
            elif metadata.get("deletionTimestamp") and not self.lives[uid].ending:
                self.lives[uid].ending = True
                grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
                self.later(min(grace, self._random.choice((0.2, 1.0, 3.0, 10.0))), uid, self._end)

    def come_back(self, node: str) -> None:
        """It does what it was to do meanwhile, and tells how its pods are."""
        due = [work for where, work in self._postponed if where == node]
        self._postponed = [one for one in self._postponed if one[0] != node]
        for work in due:
            work()
        for uid in [*self.lives]:
            found = self._plane.store.with_uid(uid)
            if found is not None and found[1].body["spec"].get("nodeName") == node:
                self._report(uid, found[1].copy())

    def environment(self, pod: Object) -> dict[str, str]:
        """Of a running container; 500 where none runs, as a kubelet refuses to execute there."""
        self._reach(pod)
        life = self.lives.get(pod["metadata"]["uid"])
        name = pod["spec"]["containers"][0]["name"]
        if life is None or "running" not in life.containers[0].state:
            words = f'unable to upgrade connection: container not found ("{name}")'
            raise ApiError(500, "InternalError", words)
        return life.environment

    def log(self, pod: Object, container: str, previous: bool) -> str:
        """What a container wrote, in the kubelet's words where it wrote nothing yet."""
        self._reach(pod)
        name, life = pod["metadata"]["name"], self.lives.get(pod["metadata"]["uid"])
        if life is None or not pod["spec"].get("nodeName"):
            raise bad_request(f"pod {name} does not have a host assigned")
        found = next(one for one in life.containers if one.name == container)
        where = f'container "{container}" in pod "{name}"'
        if previous and found.instance < 2:
            raise bad_request(f"previous terminated {where} not found")
        if not found.instance:
            reason = found.state["waiting"]["reason"]
            detail = {
                "ErrImagePull": "image can't be pulled",
                "ImagePullBackOff": "trying and failing to pull image",
            }.get(reason, reason)
            raise bad_request(f"{where} is waiting to start: {detail}")
        return "it crashes\n" if found.image.endswith(CRASHES) else "it runs\n"

    def _reach(self, pod: Object) -> None:
        """As the API server answers that cannot: in Go's words of a dial that was not answered."""
        if pod["spec"].get("nodeName") in self.unreachable:
            raise ApiError(500, "InternalError", "error dialing backend: dial tcp: i/o timeout")

    def _take(self, uid: str, pod: Object) -> None:
        self._addresses += 1
        spec = pod["spec"]["containers"]
        self.lives[uid] = Life(
            pod["metadata"]["name"],
            self._clock(),
            f"10.0.{self._addresses // 250}.{self._addresses % 250 + 1}",
            [ContainerState(one["name"], one["image"].partition("@")[0]) for one in spec],
        )
        self.later(self._random.choice((0.01, 0.05, 0.2)), uid, self._bind)

    def _bind(self, uid: str, pod: Object) -> None:
        ready = nodes.schedulable(self._plane.store)
        if not ready:
            self.later(1.0, uid, self._bind)
            return
        spec = {**pod["spec"], "nodeName": self._random.choice(ready)}
        bound = self._plane.store.replaced(
            "pods", {**pod, "spec": spec}, subresource="binding"
        ).body
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        scheduled["lastTransitionTime"] = timestamp(self._clock())
        told = (bound.get("status") or {}) | {"conditions": [scheduled]}
        self._plane.store.replaced("pods", {**bound, "status": told}, subresource="status")
        self.later(self._random.choice((0.1, 0.5, 1.5)), uid, self._start)

    def _start(self, uid: str, pod: Object) -> None:
        """The first container is the one that its image's tag tells of; others run and are ready at once."""
        life = self.lives[uid]
        if life.ending:
            return
        now, (first, *others) = self._clock(), life.containers
        for one in others:
            if not one.instance:
                one.state, one.started, one.ready, one.instance = status.running(now), True, True, 1
        if first.image.endswith(ABSENT):
            self._fail_to_pull(uid, pod)
            return
        life.environment = life.files = self.config(pod)
        _keep_last_state(first)
        first.state, first.started, first.ready = status.running(now), True, False
        first.restarts = first.instance
        first.instance += 1
        if self.mounts is not None:
            self.mounts.started(uid)
        self._report(uid, pod)
        self._events.normal(pod, "Started", f"Started container {first.name}")
        if first.image.endswith(CRASHES):
            self.later(self._random.choice((0.5, 2.0)), uid, self._crash)
        elif not first.image.endswith(NEVER_READY):
            slow = 20.0 if first.image.endswith(SLOW) else 0.0
            self.later(slow + self._random.choice((0.5, 2.0, 5.0)), uid, self._become_ready)
            if first.image.endswith(RESTARTS):
                self.later(self._random.choice((8.0, 15.0, 40.0)), uid, self._crash)
            elif first.image.endswith(UNLIVE) and "livenessProbe" in pod["spec"]["containers"][0]:
                life.unanswered = 0
                self.later(0.0, uid, self._ask_liveness)

    def _fail_to_pull(self, uid: str, pod: Object) -> None:
        """Then it is held back; what it tries anew meanwhile ends the same."""
        first = self.lives[uid].containers[0]
        why = images.not_found_message(images.parse_image(first.image))
        first.state = status.waiting("ErrImagePull", why)
        self._report(uid, pod)
        self._events.warning(pod, "Failed", f'Failed to pull image "{first.image}": {why}')
        held = f'Back-off pulling image "{first.image}": ErrImagePull: {why}'

        def hold_back(uid: str, pod: Object) -> None:
            first.state = status.waiting("ImagePullBackOff", held)
            self._report(uid, pod)
            self._events.normal(pod, "BackOff", f'Back-off pulling image "{first.image}"')

        self.later(self._random.choice((1.0, 10.0)), uid, hold_back)

    def _become_ready(self, uid: str, pod: Object) -> None:
        if not self.lives[uid].ending:
            for one in self.lives[uid].containers:
                one.ready = True
            self._report(uid, pod)

    def _ask_liveness(self, uid: str, pod: Object) -> None:
        """No answer: in the end it is killed, and ends well."""
        life, probe = self.lives[uid], pod["spec"]["containers"][0]["livenessProbe"]
        if life.ending:
            return
        life.unanswered += 1
        said = "Liveness probe failed: HTTP probe failed with statuscode: 500"
        self._events.warning(pod, "Unhealthy", said)
        if life.unanswered < probe["failureThreshold"]:
            self.later(probe["periodSeconds"], uid, self._ask_liveness)
            return
        name = life.containers[0].name
        self._events.normal(
            pod, "Killing", f"Container {name} failed liveness probe, will be restarted"
        )
        self._crash(uid, pod)

    def _crash(self, uid: str, pod: Object) -> None:
        """It is started again at once the first time, and held back longer each time after that."""
        life, now = self.lives[uid], self._clock()
        if life.ending:
            return
        first = life.containers[0]
        ended = (0, "Completed") if life.unanswered else (1, "Error")
        first.state = status.terminated(*ended, started=now - 1, finished=now)
        first.ready, first.started = False, False
        self._report(uid, pod)
        again = self._start if first.instance == 1 else self._hold_back
        self.later(self._random.choice((0.1, 0.5)), uid, again)

    def _hold_back(self, uid: str, pod: Object) -> None:
        first = self.lives[uid].containers[0]
        delay = BACKOFF[min(first.instance - 2, len(BACKOFF) - 1)]
        where = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({uid})"
        told = (
            f"back-off {images.words(delay)} restarting failed container={first.name} pod={where}"
        )
        _keep_last_state(first)
        first.state = status.waiting("CrashLoopBackOff", told)
        self._report(uid, pod)
        self._events.warning(
            pod, "BackOff", f"Back-off restarting failed container {first.name} in pod {where}"
        )
        self.later(delay, uid, self._start)

    def _end(self, uid: str, pod: Object) -> None:
        metadata = pod["metadata"]
        self._plane.store.delete(
            "pods", metadata["namespace"], metadata["name"], grace_seconds=0, uid=uid
        )

    def _report(self, uid: str, pod: Object) -> None:
        life = self.lives[uid]
        told = status.pod_status(
            pod, life.containers, ip=life.address, started=life.started, now=self._clock()
        )
        self._plane.store.replaced("pods", {**pod, "status": told}, subresource="status")

    def config(self, pod: Object) -> dict[str, str]:
        """Of its ConfigMaps as they are known now: what changes later the environment never has, and a volume later."""
        found: dict[str, str] = {}
        sources = [
            *(one["configMapRef"] for one in pod["spec"]["containers"][0].get("envFrom") or ()),
            *(one["configMap"] for one in pod["spec"].get("volumes") or ()),
        ]
        for source in sources:
            found |= self._known.data(source["name"])
        return found

    def later(self, delay: float, uid: str, act: t.Callable[[str, Object], None]) -> None:
        """To the pod as it is by then, if it is still there."""

        def do() -> None:
            found = self._plane.store.with_uid(uid)
            if found is None or uid not in self.lives:
                return
            if terminating(found[1].body) and act.__name__ != "_end":
                return
            if found[1].body["spec"].get("nodeName") in self.unreachable:
                self._postponed.append((found[1].body["spec"]["nodeName"], do))
                return
            act(uid, found[1].body)

        self._plane.later(delay, do)


def _keep_last_state(container: ContainerState) -> None:
    if "terminated" in container.state:
        container.last_state = container.state
