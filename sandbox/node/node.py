# SPDX-License-Identifier: GPL-3.0-or-later
"""The node: registered, its lease renewed, its pods watched and each given a worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import typing as t

from sandbox.kubernetes.controllers.nodes import LEASES
from sandbox.kubernetes.controllers.objects import micro_timestamp, timestamp
from sandbox.node.behaviour import COMPONENT, image_missing, registry_unavailable
from sandbox.node.client import UNREACHABLE, ApiStatusError, Client, ExpiredError
from sandbox.node.container import prober
from sandbox.node.events import Events
from sandbox.node.images import Image, in_registry, not_found_message, unavailable_message
from sandbox.node.pod import PodWorker
from sandbox.services import IMAGES

if t.TYPE_CHECKING:
    import aiohttp

    from sandbox.faults import Faults
    from sandbox.node.subnet import Subnet

Object = dict[str, t.Any]

logger = logging.getLogger(__name__)

NAME = "sandbox-node"
LEASE_SECONDS = 40
RENEW_EVERY = 5.0
LOOK_EVERY = 1.0
CAPACITY = {"cpu": "16", "memory": "32Gi", "pods": "250", "ephemeral-storage": "100Gi"}


class Node:
    def __init__(self, client: Client, subnet: Subnet, faults: Faults, port: int) -> None:
        self.client = client
        self.subnet = subnet
        self.faults = faults
        self.events = Events(client, NAME)
        self.prober: aiohttp.ClientSession = prober()
        self.ready = True
        self._port = port
        self._workers: dict[str, tuple[PodWorker, asyncio.Task[None]]] = {}
        self._present: set[str] = set()
        self._pulled: set[str] = set()
        self._object: Object = {}

    # Images

    def pull(self, image: Image, *, main: bool) -> str:
        """Empty when the image could be had, else why not."""
        forbidden = main and image_missing(self.faults, image)
        if forbidden or not in_registry(image, IMAGES):
            return not_found_message(image)
        known = image.reference in self._pulled
        if main and not known and registry_unavailable(self.faults, image):
            return unavailable_message(image)
        self._present = self._present | ({image.reference} & self._pulled)
        self._pulled.add(image.reference)
        return ""

    def was_present(self, image: Image) -> bool:
        """Whether it was here before the last pull."""
        return image.reference in self._present

    # What containers refer to

    async def referenced(self, namespace: str, container: Object) -> dict[tuple[str, str], Object]:
        """The ConfigMaps and Secrets of a container that exist now; waits while nobody answers."""
        found: dict[tuple[str, str], Object] = {}
        for kind, name in sorted(references(container)):
            while True:
                try:
                    obj = await self.client.find(kind, namespace, name)
                except (*UNREACHABLE, ApiStatusError):
                    await asyncio.sleep(0.5)
                    continue
                if obj is not None:
                    found[kind, name] = obj
                break
        return found

    # Pods

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
                group.create_task(self._watch_pods())
        finally:
            for worker, task in list(self._workers.values()):
                task.cancel()
                await worker.end()
            await self.prober.close()

    async def _watch_pods(self) -> None:
        query = f"fieldSelector=spec.nodeName%3D{NAME}"
        while True:
            try:
                pods, version = await self.client.list("pods", query)
                self._relist(pods)
                async for event in self.client.watch("pods", query, version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._take(event["type"], event["object"])
            except ExpiredError:
                continue
            except (*UNREACHABLE, ApiStatusError) as exc:
                logger.info("watching pods: %s", exc)
                await asyncio.sleep(0.3)

    def _relist(self, pods: list[Object]) -> None:
        for pod in pods:
            self._take("MODIFIED", pod)
        gone = set(self._workers) - {pod["metadata"]["uid"] for pod in pods}
        for uid in gone:
            self._forced_out(uid)

    def _take(self, kind: str, pod: Object) -> None:
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
                found = await self.client.find("nodes", "", NAME)
                if found is None:
                    await self.client.create("nodes", "", node_object(self.subnet.cidr))
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
            await asyncio.sleep(LOOK_EVERY)
            healthy = self.faults.active(COMPONENT, "node-not-ready") is None
            with contextlib.suppress(*UNREACHABLE, ApiStatusError):
                if healthy is not self.ready:
                    self.ready = healthy
                    await self._report()
                    for worker, _ in self._workers.values():
                        worker.observe(worker.pod)
                if time.monotonic() - renewed > RENEW_EVERY:
                    renewed = time.monotonic()
                    await self._renew_lease()

    async def _report(self) -> None:
        now = time.time()
        before = _conditions(self._object)
        status = node_status(self._port, ready=self.ready, before=before, now=now)
        self._object = await self.client.patch("nodes", "", NAME, {"status": status}, sub="status")

    async def _renew_lease(self) -> None:
        spec = {
            "holderIdentity": NAME,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": micro_timestamp(time.time()),
        }
        try:
            await self.client.patch("leases", LEASES, NAME, {"spec": spec})
        except ApiStatusError as exc:
            if exc.status != 404:
                raise
            lease: Object = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": NAME, "namespace": LEASES},
                "spec": spec,
            }
            await self.client.create("leases", LEASES, lease)
        # The node controller may have given us up meanwhile.
        found = await self.client.find("nodes", "", NAME)
        if found is None:
            found = await self.client.create("nodes", "", node_object(self.subnet.cidr))
        ready = [c["status"] for c in _conditions(found) if c["type"] == "Ready"]
        if ready != ["True" if self.ready else "False"]:
            self._object = found
            await self._report()


def _conditions(node: Object) -> list[Object]:
    return (node.get("status") or {}).get("conditions") or []


def references(container: Object) -> set[tuple[str, str]]:
    """The (resource, name) of every ConfigMap and Secret that a container's environment names."""
    named: set[tuple[str, str]] = set()
    for source in container.get("envFrom") or ():
        for field, kind in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if field in source:
                named.add((kind, source[field]["name"]))
    for entry in container.get("env") or ():
        source = entry.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
            if field in source:
                named.add((kind, source[field]["name"]))
    return named


def node_object(pod_cidr: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NAME,
            "labels": {
                "kubernetes.io/hostname": NAME,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
    }


def node_status(port: int, *, ready: bool, before: t.Sequence[Object], now: float) -> Object:
    words = (
        ("True", "KubeletReady", "kubelet is posting ready status")
        if ready
        else ("False", "KubeletNotReady", "container runtime is down")
    )
    state, reason, message = words
    same = [c for c in before if c["type"] == "Ready" and c["status"] == state]
    return {
        "capacity": CAPACITY,
        "allocatable": CAPACITY,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": NAME},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "architecture": "amd64",
            "containerRuntimeVersion": "containerd://2.1.0",
            "kernelVersion": "sandbox",
            "kubeletVersion": "v1.36.2",
            "operatingSystem": "linux",
            "osImage": "EasyMO sandbox",
        },
        "conditions": [
            {
                "type": "Ready",
                "status": state,
                "lastHeartbeatTime": timestamp(now),
                "lastTransitionTime": same[0]["lastTransitionTime"] if same else timestamp(now),
                "reason": reason,
                "message": message,
            }
        ],
    }
