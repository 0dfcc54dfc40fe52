# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods' lives, as recordings tell them: bound, started, ready after a while, crashing, ended with their grace."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, field

from sandbox.kubernetes.controllers.objects import copied, terminating, timestamp
from sandbox.kubernetes.errors import ApiError, Object
from sandbox.node import status
from sandbox.node.status import ContainerState

from .control_plane import ControlPlane

NODES = ("node-1", "node-2", "node-3")
CRASHES, NEVER_READY, ABSENT, SLOW = "crashes", "never-ready", "absent", "slow"
ENDINGS = (CRASHES, NEVER_READY, ABSENT, SLOW)
"""What may be wrong with an image, as the end of its tag: web:2.1.0-crashes."""
BACKOFF = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)


@dataclass
class Life:
    """One pod on its node. `environment`: what its container was started with."""

    name: str
    started: float
    address: str
    containers: list[ContainerState]
    environment: dict[str, str] = field(default_factory=dict)
    ending: bool = False


class Kubelet:
    def __init__(self, plane: ControlPlane, seed: str, clock: t.Callable[[], float]) -> None:
        self._plane = plane
        self._random = random.Random(seed)
        self._clock = clock
        self._heard = plane.subscribe("pods")
        self.lives: dict[str, Life] = {}
        self._addresses = 0
        plane.listeners.append(self.notice)

    def notice(self) -> None:
        for event in self._heard.pending():
            metadata = event.record.body["metadata"]
            uid = metadata["uid"]
            if event.type == "DELETED":
                self.lives.pop(uid, None)
            elif uid not in self.lives:
                self._take(uid, event.record.body)
            elif metadata.get("deletionTimestamp") and not self.lives[uid].ending:
                self.lives[uid].ending = True
                grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
                self._later(min(grace, self._random.choice((0.2, 1.0, 3.0, 10.0))), uid, self._end)

    def run(self, pod: str) -> dict[str, str] | None:
        """The environment of a running container; None where nothing runs."""
        for life in self.lives.values():
            if life.name == pod and "running" in life.containers[0].state:
                return life.environment
        return None

    def _take(self, uid: str, pod: Object) -> None:
        self._addresses += 1
        spec = pod["spec"]["containers"]
        self.lives[uid] = Life(
            pod["metadata"]["name"],
            self._clock(),
            f"10.0.{self._addresses // 250}.{self._addresses % 250 + 1}",
            [ContainerState(one["name"], one["image"]) for one in spec],
        )
        self._later(self._random.choice((0.01, 0.05, 0.2)), uid, self._bind)

    def _bind(self, uid: str, pod: Object) -> None:
        pod["spec"]["nodeName"] = self._random.choice(NODES)
        bound = self._plane.store.update("pods", pod, subresource="binding")
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        scheduled["lastTransitionTime"] = timestamp(self._clock())
        bound.setdefault("status", {})["conditions"] = [scheduled]
        self._plane.store.update("pods", bound, subresource="status")
        self._later(self._random.choice((0.1, 0.5, 1.5)), uid, self._start)

    def _start(self, uid: str, pod: Object) -> None:
        life = self.lives[uid]
        if life.ending:
            return
        now, image = self._clock(), life.containers[0].image
        if image.endswith(ABSENT):
            for one in life.containers:
                one.state = status.waiting("ImagePullBackOff", f'Back-off pulling image "{image}"')
            self._report(uid, pod)
            return
        life.environment = self._environment(pod)
        for one in life.containers:
            one.state, one.started, one.ready = status.running(now), True, False
            one.instance += 1
        self._report(uid, pod)
        if image.endswith(CRASHES):
            self._later(self._random.choice((0.5, 2.0)), uid, self._crash)
        elif not image.endswith(NEVER_READY):
            slow = 20.0 if image.endswith(SLOW) else 0.0
            self._later(slow + self._random.choice((0.5, 2.0, 5.0)), uid, self._become_ready)

    def _become_ready(self, uid: str, pod: Object) -> None:
        if not self.lives[uid].ending:
            for one in self.lives[uid].containers:
                one.ready = True
            self._report(uid, pod)

    def _crash(self, uid: str, pod: Object) -> None:
        life, now = self.lives[uid], self._clock()
        if life.ending:
            return
        for one in life.containers:
            ended = status.terminated(1, "Error", started=now - 1, finished=now)
            one.last_state, one.ready, one.started = ended, False, False
            one.state = status.waiting("CrashLoopBackOff", "back-off restarting failed container")
            one.restarts += 1
        self._report(uid, pod)
        restarts = life.containers[0].restarts
        self._later(BACKOFF[min(restarts, len(BACKOFF)) - 1], uid, self._start)

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
        self._plane.store.update("pods", {**pod, "status": told}, subresource="status")

    def _environment(self, pod: Object) -> dict[str, str]:
        """Of the ConfigMaps as they are now: one that changes later is not seen."""
        found: dict[str, str] = {}
        for source in pod["spec"]["containers"][0].get("envFrom") or ():
            try:
                body = self._plane.store.get(
                    "configmaps", pod["metadata"]["namespace"], source["configMapRef"]["name"]
                )
            except ApiError:
                continue
            found |= body.get("data") or {}
        return found

    def _later(self, delay: float, uid: str, act: t.Callable[[str, Object], None]) -> None:
        """To the pod as it is by then, if it is still there."""

        def do() -> None:
            found = self._plane.store.with_uid(uid)
            if found is None or uid not in self.lives:
                return
            if terminating(found[1].body) and act.__name__ != "_end":
                return
            act(uid, copied(found[1].body))

        self._plane.later(delay, do)
