# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags from a ConfigMap volume: when a kubelet brings what was written to a pod, and when its process reads it.

The kubelet is that of sandbox/node/volumes.py, which names its sources: it syncs a pod once in 60 to 90 seconds, and at
once when an annotation changes. What it writes then is what its watch has told it by now. A process reads the files
again whenever it likes.
"""

from __future__ import annotations

import random
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import FLAGS_SYNC_ANNOTATION
from sandbox.kubernetes.errors import Object

from .platform import FLAGS

if t.TYPE_CHECKING:
    from .control_plane import ControlPlane, News
    from .kubelet import Kubelet

WATCHED = (0.02, 0.3, 2.0)
"""Seconds from a write to the kubelet that knows of it."""
SYNCED = (0.1, 0.5)
"""From a changed annotation to the files."""
READ = (0.0, 0.5, 3.0)
"""From the files to the process."""
SYNC_EVERY = (60.0, 90.0)


class Mounts:
    def __init__(self, plane: ControlPlane, kubelet: Kubelet, seed: str) -> None:
        self._plane = plane
        self._kubelet = kubelet
        self._random = random.Random(seed)
        self._known: tuple[int, dict[str, str]] = (0, {})
        """The flags as the watch told of them last, with their version."""
        self._told: dict[str, str] = {}
        """The annotation of each pod as it was last."""
        plane.listeners.append(self._noticed)

    def started(self, uid: str) -> None:
        """A container, with the files as they are. The first one has its pod synced from now on."""
        if self._kubelet.lives[uid].containers[0].instance == 1:
            self._kubelet.later(self._random.uniform(*SYNC_EVERY), uid, self._sync_again)

    def _noticed(self, news: News) -> None:
        for event in news["configmaps"]:
            body = event.record.body
            if body["metadata"]["name"] == FLAGS:
                known = int(body["metadata"]["resourceVersion"]), dict(body.get("data") or {})
                self._plane.later(
                    self._random.choice(WATCHED), lambda known=known: self._learn(known)
                )
        for event in news["pods"]:
            metadata = event.record.body["metadata"]
            told = (metadata.get("annotations") or {}).get(FLAGS_SYNC_ANNOTATION, "")
            if told != self._told.get(metadata["uid"], ""):
                self._told[metadata["uid"]] = told
                self._kubelet.later(self._random.choice(SYNCED), metadata["uid"], self._sync)

    def _learn(self, known: tuple[int, dict[str, str]]) -> None:
        self._known = max(self._known, known, key=lambda one: one[0])

    def _sync_again(self, uid: str, pod: Object) -> None:
        self._sync(uid, pod)
        self._kubelet.later(self._random.uniform(*SYNC_EVERY), uid, self._sync_again)

    def _sync(self, uid: str, _pod: Object) -> None:
        self._kubelet.lives[uid].files = self._known[1]
        self._kubelet.later(self._random.choice(READ), uid, self._read)

    def _read(self, uid: str, _pod: Object) -> None:
        life = self._kubelet.lives[uid]
        life.environment = life.files
