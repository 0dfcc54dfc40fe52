"""What kubelets know of ConfigMaps, and how flags from a volume come to a process that runs.

A kubelet has ConfigMaps from its watch, in environments and volumes alike, so it may know an older one: "the watch
propagation delay" of https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically

It is that of sandbox/node/volumes.py, which names its sources: it syncs a pod once in 60 to 90 seconds, and at once
when an annotation changes. A process reads the files again whenever it likes.
"""

from __future__ import annotations

import random
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import FLAGS_SYNC_ANNOTATION
from sandbox.kubernetes.errors import Object

if t.TYPE_CHECKING:
    from .control_plane import ControlPlane, News
    from .kubelet import Kubelet

WATCHED = (0.02, 0.3, 2.0)
"""Seconds from a write to the kubelet that knows of it, of plans in which that takes time."""
SYNCED = (0.1, 0.5)
"""From a changed annotation to the files."""
READ = (0.0, 0.5, 3.0)
"""From the files to the process."""
SYNC_EVERY = (60.0, 90.0)


class Known:
    """ConfigMaps by their names, as the watch of kubelets told of them last. `late`: whether that takes time."""

    def __init__(self, plane: ControlPlane, seed: str, *, late: bool) -> None:
        self._plane = plane
        self._random = random.Random(seed)
        self._late = late
        self._bodies: dict[str, tuple[int, dict[str, str]]] = {}
        plane.listeners.append(self._noticed)

    def data(self, name: str) -> dict[str, str]:
        return self._bodies.get(name, (0, {}))[1]

    def _noticed(self, news: News) -> None:
        for event in news["configmaps"]:
            body = event.record.body
            gone = event.type == "DELETED"
            data = {} if gone else dict(body.get("data") or {})
            known = int(body["metadata"]["resourceVersion"]), data
            name = body["metadata"]["name"]
            if self._late:
                self._plane.later(
                    self._random.choice(WATCHED),
                    lambda name=name, known=known: self._learn(name, known),
                )
            else:
                self._learn(name, known)

    def _learn(self, name: str, known: tuple[int, dict[str, str]]) -> None:
        before = self._bodies.get(name, (0, {}))
        self._bodies[name] = max(before, known, key=lambda one: one[0])


class Mounts:
    def __init__(self, plane: ControlPlane, kubelet: Kubelet, seed: str) -> None:
        self._kubelet = kubelet
        self._random = random.Random(seed)
        self._told: dict[str, str] = {}
        """The annotation of each pod as it was last."""
        plane.listeners.append(self._noticed)

    def started(self, uid: str) -> None:
        """A container, with the files as they are. The first one has its pod synced from now on."""
        if self._kubelet.lives[uid].containers[0].instance == 1:
            self._kubelet.later(self._random.uniform(*SYNC_EVERY), uid, self._sync_again)

    def _noticed(self, news: News) -> None:
        for event in news["pods"]:
            metadata = event.record.body["metadata"]
            told = (metadata.get("annotations") or {}).get(FLAGS_SYNC_ANNOTATION, "")
            if told != self._told.get(metadata["uid"], ""):
                self._told[metadata["uid"]] = told
                self._kubelet.later(self._random.choice(SYNCED), metadata["uid"], self._sync)

    def _sync_again(self, uid: str, pod: Object) -> None:
        self._sync(uid, pod)
        self._kubelet.later(self._random.uniform(*SYNC_EVERY), uid, self._sync_again)

    def _sync(self, uid: str, pod: Object) -> None:
        self._kubelet.lives[uid].files = self._kubelet.config(pod)
        self._kubelet.later(self._random.choice(READ), uid, self._read)

    def _read(self, uid: str, _pod: Object) -> None:
        life = self._kubelet.lives[uid]
        life.environment = life.files
