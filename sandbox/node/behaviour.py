# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container fails: by the tag of its image, and by the faults that are set."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from sandbox.faults import Fault, Faults
    from sandbox.node.images import Image

COMPONENT = "node"

FAULTS: t.Mapping[str, str] = {
    "image-not-found": "The target service's images cannot be pulled for new pods, or those of the target pod.",
    "registry-unavailable": "The registry answers 503 for the service's images that are not on the node yet.",
    "crash-loop": "New containers of the service end with exit code 1. With existing=true, running ones too.",
    "users-fail": "agent-core answers 500 to percent=4 of messages, to treated=8 of those of users with the feature.",
    "never-ready": "New containers of the service run but are never ready. With existing=true, running ones too.",
    "slow-start": "New containers of the service listen only after seconds=15.",
    "oom": "New containers of the service are killed for memory once ready. With existing=true, running ones too.",
    "bad-config-reference": "New containers of the service refer to a ConfigMap that is not there.",
    "unschedulable": "New pods of the service fit on no node.",
    "gated": "New pods of the service are held back by a scheduling gate.",
    "webhook-unavailable": "New pods of the service are refused: an admission webhook does not answer.",
    "quota-exceeded": "New pods of the service are refused: the quota is used up.",
    "volumes-stale": "The ConfigMap volumes of the target pod, or of every pod, are not updated any more.",
    "node-not-ready": "The target node, or every node, reports that it is not ready. So do its pods.",
    "node-bad": "The target node, or every node, starts no new containers. With images=true it pulls no images.",
}

SLOW_SECONDS = 15.0
# Long enough to become ready first, which is the harder failure to see.
OOM_AFTER = 3.0
# A process needs a moment before it listens.
BOOT_SECONDS = 0.1


LIKE = {"crash": "crash-loop", "unready": "never-ready", "oom": "oom"}
"""By the ending of a tag, the fault that does the same."""


class Behaviour:
    def __init__(self, faults: Faults, image: Image, *, main: bool) -> None:
        self._faults = faults
        self._image = image
        # Sidecars are nobody's service: faults leave them alone.
        self._main = main
        self._at_start = frozenset(name for name in FAULTS if self.fault(name))

    def fault(self, name: str) -> Fault | None:
        return self._faults.active(COMPONENT, name, self._image.service) if self._main else None

    def _applies(self, name: str) -> bool:
        """Set, and either this container started under it or it reaches existing ones too."""
        fault = self.fault(name)
        if fault is None:
            return False
        return name in self._at_start or fault.parameters.get("existing") == "true"

    @property
    def of_image(self) -> str:
        return self._image.behaviour

    @property
    def boot_seconds(self) -> float:
        fault = self.fault("slow-start")
        if fault is not None:
            return float(fault.parameters.get("seconds", SLOW_SECONDS))
        return SLOW_SECONDS if self._image.behaviour == "slow" else BOOT_SECONDS

    def does(self, wrong: str) -> bool:
        """Whether it does what images with this ending of their tag do wrong."""
        return self._image.behaviour == wrong or self._applies(LIKE[wrong])
