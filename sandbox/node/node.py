# SPDX-License-Identifier: GPL-3.0-or-later
"""A node: registered, its lease renewed, each of its pods given a worker, with what pods need from it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import typing as t
from dataclasses import dataclass

from sandbox.kubernetes.controllers.nodes import LEASES
from sandbox.kubernetes.controllers.objects import micro_timestamp, timestamp
from sandbox.node import images
from sandbox.node.behaviour import COMPONENT
from sandbox.node.client import (
    LEASE_SECONDS,
    UNREACHABLE,
    ApiStatusError,
    Client,
    Events,
    node_object,
    node_status,
)
from sandbox.node.pod import PodWorker
from sandbox.node.process import references

if t.TYPE_CHECKING:
    from pathlib import Path

    from sandbox.faults import Fault, Faults
    from sandbox.node.component import Subnet
    from sandbox.node.images import Image
    from sandbox.node.registry import Registry

Object = dict[str, t.Any]

logger = logging.getLogger(__name__)

RENEW_EVERY = 5.0
POLL_SECONDS = 1.0
FAULTS_EVERY = 0.5


@dataclass(frozen=True)
class NodeContext:
    client: Client
    subnet: Subnet
    faults: Faults
    registry: Registry
    port: int
    pods: int
    """How many pods each has room for."""
    folder: Path
    """Where pods have their volumes."""
    sync_frequency: float
    """Seconds from one sync of a pod to the next, as the kubelet's syncFrequency."""


class Node:
    def __init__(self, name: str, context: NodeContext) -> None:
        self.name = name
        self.context = context
        self.client = context.client
        self.events = Events(context.client, name)
        self.ready = True
        self._present: set[str] = set()
        self._pulled: set[str] = set()
        self._workers: dict[str, tuple[PodWorker, asyncio.Task[None]]] = {}
        self._object: Object = {}

    def fault(self, name: str, target: str) -> Fault | None:
        return self.context.faults.active(COMPONENT, name, target)

    def _bad(self, *, images: bool) -> bool:
        """Whether it makes no containers, or else pulls no images."""
        fault = self.fault("node-bad", self.name)
        return fault is not None and (fault.parameters.get("images") == "true") is images

    def pull(self, image: Image, pod: str, *, main: bool) -> str:
        """Empty when the image could be had, else why not."""
        if self._bad(images=True):
            return images.refused_message(image)
        forbidden = main and any(
            self.fault("image-not-found", target) for target in (image.service, pod)
        )
        if forbidden or not self.context.registry.has(image):
            return images.not_found_message(image)
        known = image.reference in self._pulled
        if main and not known and self.fault("registry-unavailable", image.service):
            return images.unavailable_message(image)
        self._present = self._present | ({image.reference} & self._pulled)
        self._pulled.add(image.reference)
        return ""

    def was_present(self, image: Image) -> bool:
        return image.reference in self._present

    @property
    def broken(self) -> str:
        """Why no container can be made here now, in the runtime's words, if so."""
        why = (
            "failed to create containerd container: failed to mount "
            "/var/lib/containerd/tmpmounts/containerd-mount: permission denied"
        )
        return why if self._bad(images=False) else ""

    async def referenced(self, namespace: str, container: Object) -> dict[tuple[str, str], Object]:
        """The ConfigMaps and Secrets of a container that exist now; waits while nobody answers."""
        named = {key: await self.object(namespace, *key) for key in references(container)}
        return {key: obj for key, obj in named.items() if obj is not None}

    async def object(self, namespace: str, kind: str, name: str) -> Object | None:
        """As it is now; waits while nobody answers."""
        while True:
            try:
                return await self.client.find(kind, namespace, name)
            except (*UNREACHABLE, ApiStatusError):
                await asyncio.sleep(0.5)

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        for worker, _ in self._workers.values():
            metadata = worker.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                return worker
        return None

    async def run(self) -> None:
        await self._register()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.events.run())
                group.create_task(self._renew())
                group.create_task(self._apply_faults())
        finally:
            for worker, task in list(self._workers.values()):
                task.cancel()
                await worker.end()

    def relist(self, pods: t.Sequence[Object]) -> None:
        """Take in all pods of this node; what is not among them is gone."""
        for pod in pods:
            self.take("MODIFIED", pod)
        gone = set(self._workers) - {pod["metadata"]["uid"] for pod in pods}
        for uid in gone:
            self._forced_out(uid)

    def take(self, kind: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if kind == "DELETED":
            self._forced_out(uid)
        elif uid in self._workers:
            self._workers[uid][0].observe(pod)
        elif (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            worker = PodWorker(self, pod)
            task = asyncio.create_task(worker.run())
            self._workers[uid] = (worker, task)
            task.add_done_callback(lambda done: self._finished(uid, done))
            worker.observe(pod)

    def _forced_out(self, uid: str) -> None:
        """Gone from the API server: deleted by force, or by ourselves a moment ago."""
        if uid in self._workers:
            worker, _ = self._workers[uid]
            gone = {**worker.pod["metadata"], "deletionGracePeriodSeconds": 0}
            gone.setdefault("deletionTimestamp", timestamp(time.time()))
            worker.observe({**worker.pod, "metadata": gone})

    def _finished(self, uid: str, task: asyncio.Task[None]) -> None:
        self._workers.pop(uid, None)
        if not task.cancelled() and task.exception() is not None:
            logger.error("pod %s: %s", uid, task.exception())

    # The node's own object

    async def _register(self) -> None:
        while True:
            try:
                node = await self.client.find("nodes", "", self.name)
                if node is None:
                    await self.client.create(
                        "nodes", "", node_object(self.name, self.context.subnet.cidr)
                    )
                await self._report()
                await self._renew_lease()
            except (*UNREACHABLE, ApiStatusError) as exc:
                logger.info("registering the node: %s", exc)
                await asyncio.sleep(0.3)
            else:
                return

    async def _renew(self) -> None:
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            healthy = self.fault("node-not-ready", self.name) is None
            with contextlib.suppress(*UNREACHABLE, ApiStatusError):
                if healthy is not self.ready:
                    self.ready = healthy
                    await self._report()
                    for worker, _ in self._workers.values():
                        worker.observe(worker.pod)
                if time.monotonic() - renewed > RENEW_EVERY:
                    renewed = time.monotonic()
                    await self._renew_lease()

    async def _apply_faults(self) -> None:
        """Have faults befall running containers, by one look for all of them."""
        while True:
            await asyncio.sleep(FAULTS_EVERY)
            any_set = bool(self.context.faults.all())
            for worker, _ in self._workers.values():
                for container in worker.containers:
                    container.suffer(any_set=any_set)

    async def _report(self) -> None:
        now = time.time()
        before = _conditions(self._object)
        status = node_status(
            self.name,
            self.context.port,
            pods=self.context.pods,
            ready=self.ready,
            before=before,
            now=now,
        )
        self._object = await self.client.patch(
            "nodes", "", self.name, {"status": status}, sub="status"
        )

    async def _renew_lease(self) -> None:
        spec = {
            "holderIdentity": self.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": micro_timestamp(time.time()),
        }
        try:
            await self.client.patch("leases", LEASES, self.name, {"spec": spec})
        except ApiStatusError as exc:
            if exc.status != 404:
                raise
            lease: Object = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self.name, "namespace": LEASES},
                "spec": spec,
            }
            await self.client.create("leases", LEASES, lease)
        # The node controller may have given us up meanwhile.
        node = await self.client.find("nodes", "", self.name)
        if node is None:
            node = await self.client.create(
                "nodes", "", node_object(self.name, self.context.subnet.cidr)
            )
        ready = [c["status"] for c in _conditions(node) if c["type"] == "Ready"]
        if ready != ["True" if self.ready else "False"]:
            self._object = node
            await self._report()


def _conditions(node: Object) -> list[Object]:
    return (node.get("status") or {}).get("conditions") or []
