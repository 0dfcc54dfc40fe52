# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod on the node: its containers, its status at the API server, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import typing as t

from sandbox.kubernetes.controllers.objects import pod_ready, seconds
from sandbox.node import status
from sandbox.node.client import UNREACHABLE, ApiStatusError
from sandbox.node.container import Container
from sandbox.node.volumes import Volumes
from sandbox.services import BESIDE, METRICS

if t.TYPE_CHECKING:
    from sandbox.node.node import Node

Object = dict[str, t.Any]

logger = logging.getLogger(__name__)

# Changes within this time are told in one write.
COALESCE = 0.02
# Taking a pod down takes a moment, even one of which nothing runs: meanwhile it has its place on the node.
TEARDOWN = 0.3
SIDECARS = {METRICS, *(image.rpartition("/")[2].partition(":")[0] for image in BESIDE)}


class PodWorker:
    def __init__(self, node: Node, pod: Object) -> None:
        self.pod = pod
        self._node = node
        before = pod.get("status") or {}
        self._started = seconds(before.get("startTime")) or time.time()
        self.address = node.context.subnet.claim(before.get("podIP", ""))
        self._volumes = Volumes(node, pod)
        # A pod that ran here before the node ended is started anew.
        statuses = [
            *(before.get("initContainerStatuses") or ()),
            *(before.get("containerStatuses") or ()),
        ]
        known = {entry["name"]: entry for entry in statuses}

        def container(spec: Object, *, main: bool = False, ends: bool = False) -> Container:
            return Container(
                node,
                pod,
                spec,
                self._volumes,
                address=self.address,
                main=main,
                ends=ends,
                restarts=_restarts_after(known.get(spec["name"])),
                changed=self._changed,
            )

        self.initial = [
            container(spec, ends=spec.get("restartPolicy") != "Always")
            for spec in pod["spec"].get("initContainers") or ()
        ]
        self.containers = [
            container(spec, main=index == main_of(pod["spec"]["containers"]))
            for index, spec in enumerate(pod["spec"]["containers"])
        ]
        if self.initial:
            # The kubelet's word for what comes after init containers.
            for waiting in (*self.initial, *self.containers):
                waiting.state.state = status.waiting("PodInitializing")
        self._dirty = asyncio.Event()
        self._dirty.set()
        self._ending = asyncio.Event()
        self._grace: float | None = None

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    def container(self, name: str) -> Container | None:
        both = (*self.initial, *self.containers)
        return next((c for c in both if c.state.name == name), None)

    def _changed(self) -> None:
        self._dirty.set()

    def observe(self, pod: Object) -> None:
        before, self.pod = self.pod, pod
        metadata = pod["metadata"]
        if _differ(before, pod):
            self._volumes.sync()
        if metadata.get("deletionTimestamp"):
            grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
            self._grace = grace if self._grace is None else min(self._grace, grace)
            self._ending.set()
        elif self._node.ready and pod_ready(pod) != self._all_ready():
            # Somebody else wrote the status: the node controller, while the node was not ready.
            self._dirty.set()

    def _all_ready(self) -> bool:
        return all(container.state.ready for container in self.containers)

    async def run(self) -> None:
        """Until the pod is gone, from the node and from the API server."""
        runs = [asyncio.create_task(self._start())]
        reporter = asyncio.create_task(self._report())
        try:
            await self._ending.wait()
            stops = (c.stop(self._grace or 0.0) for c in (*self.containers, *self.initial))
            await asyncio.gather(*stops, asyncio.sleep(TEARDOWN if self._grace else 0.0))
        finally:
            for task in (*runs, reporter):
                task.cancel()
            await asyncio.gather(*runs, reporter, return_exceptions=True)
            self._node.context.subnet.release(self.address)
            self._volumes.remove()
        await self._delete()

    async def _start(self) -> None:
        """Init containers one after the other, native sidecars among them once they are started; then all others.

        As https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers has it.
        """
        await self._volumes.mount(self._not_mounted)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._volumes.keep())
            for container in self.initial:
                run = group.create_task(self._logged(container))
                while not (run.done() or container.state.started):
                    await asyncio.sleep(COALESCE)
            for container in self.containers:
                group.create_task(self._logged(container))

    def _not_mounted(self, why: str) -> None:
        self._node.events.record(self.pod, "Warning", "FailedMount", why)

    async def _logged(self, container: Container) -> None:
        try:
            await container.run()
        except Exception:
            logger.exception("container %s of %s", container.state.name, container.where)

    async def _delete(self) -> None:
        while True:
            try:
                await self._node.client.delete("pods", self.pod, grace_seconds=0)
            except (*UNREACHABLE, ApiStatusError) as exc:
                logger.info("pod %s cannot be deleted yet: %s", self.name, exc)
                await asyncio.sleep(1)
            else:
                return

    async def _report(self) -> None:
        last: Object = {}
        while True:
            await self._dirty.wait()
            await asyncio.sleep(COALESCE)
            self._dirty.clear()
            wanted = status.pod_status(
                self.pod,
                [container.state for container in self.containers],
                initial=[container.state for container in self.initial],
                ip=self.address,
                started=self._started,
                now=time.time(),
            )
            if wanted == last and pod_ready(self.pod) == self._all_ready():
                continue
            try:
                metadata = self.pod["metadata"]
                body = {"metadata": {"uid": metadata["uid"]}, "status": wanted}
                self.pod = await self._node.client.patch(
                    "pods", metadata["namespace"], self.name, body, sub="status"
                )
                last = wanted
            except ApiStatusError as exc:
                logger.info("status of pod %s refused: %s", self.name, exc)
                await asyncio.sleep(0.2)
            except UNREACHABLE:
                self._dirty.set()
                await asyncio.sleep(0.5)

    async def end(self) -> None:
        """The node itself goes down: leave without ceremony."""
        with contextlib.suppress(Exception):
            await asyncio.gather(*(container.stop(0.0) for container in self.containers))


def _differ(before: Object, now: Object) -> bool:
    """Whether the kubelet syncs the pod at once, and not at its time."""
    was, is_ = before["metadata"], now["metadata"]
    return before["spec"] != now["spec"] or any(
        was.get(field) != is_.get(field) for field in ("annotations", "labels")
    )


def main_of(containers: t.Sequence[Object]) -> int:
    """Which of the containers is the service's: the first that is none of those that run beside one."""
    names = [container["image"].rpartition("/")[2].partition(":")[0] for container in containers]
    return next((at for at, name in enumerate(names) if name not in SIDECARS), 0)


def _restarts_after(known: Object | None) -> int:
    if known is None or not known.get("containerID"):
        return int(known["restartCount"]) if known else 0
    return int(known["restartCount"]) + 1
