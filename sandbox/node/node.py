# SPDX-License-Identifier: GPL-3.0-or-later
"""A node: registered, its lease renewed, each of its pods given a worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import typing as t

from sandbox.kubernetes.controllers.nodes import LEASES
from sandbox.kubernetes.controllers.objects import micro_timestamp, timestamp
from sandbox.node.behaviour import COMPONENT
from sandbox.node.client import LEASE_SECONDS, UNREACHABLE, ApiStatusError, node_object, node_status
from sandbox.node.host import Host, NodeContext
from sandbox.node.pod import PodWorker

Object = dict[str, t.Any]

logger = logging.getLogger(__name__)

RENEW_EVERY = 5.0
POLL_SECONDS = 1.0
FAULTS_EVERY = 0.5


class Node(Host):
    def __init__(self, name: str, context: NodeContext) -> None:
        super().__init__(name, context)
        self._context = context
        self._workers: dict[str, tuple[PodWorker, asyncio.Task[None]]] = {}
        self._object: Object = {}

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
        """Take in one pod, by the kind of its event."""
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
                    await self.client.create("nodes", "", node_object(self.name, self.subnet.cidr))
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
            healthy = self.faults.active(COMPONENT, "node-not-ready", self.name) is None
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
            any_set = bool(self.faults.all())
            for worker, _ in self._workers.values():
                for container in worker.containers:
                    container.suffer(any_set=any_set)

    async def _report(self) -> None:
        now = time.time()
        before = _conditions(self._object)
        status = node_status(
            self.name,
            self._context.port,
            pods=self._context.pods,
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
            node = await self.client.create("nodes", "", node_object(self.name, self.subnet.cidr))
        ready = [c["status"] for c in _conditions(node) if c["type"] == "Ready"]
        if ready != ["True" if self.ready else "False"]:
            self._object = node
            await self._report()


def _conditions(node: Object) -> list[Object]:
    return (node.get("status") or {}).get("conditions") or []
