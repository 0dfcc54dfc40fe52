# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of kubelets and of the gateway to the API server, and what a kubelet writes there: its Node and Events."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
import typing as t
from collections import OrderedDict, deque
from dataclasses import dataclass

import aiohttp

from sandbox.kubernetes.controllers.events import made_event
from sandbox.kubernetes.controllers.objects import timestamp

Object = dict[str, t.Any]

logger = logging.getLogger(__name__)

WATCH_SECONDS = 300
RETRY = 0.3
# By this name the API server knows a kubelet, and keeps rehearsed faults from it.
USER_AGENT = "kubelet/v1.36.2 (linux/amd64)"
GROUPS = {
    "leases": "/apis/coordination.k8s.io/v1",
    "deployments": "/apis/apps/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
}


@dataclass(eq=False)
class ApiStatusError(Exception):
    status: int
    message: str


class ExpiredError(Exception):
    """The watch is too old: list anew."""


class Client:
    def __init__(
        self, server: str, token: str, ca_cert: str | None, *, agent: str = USER_AGENT
    ) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": agent}
        self._context = ssl.create_default_context(cafile=ca_cert)

    async def __aenter__(self) -> t.Self:
        self._http = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(ssl=self._context, limit=8),
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.close()

    def _url(self, resource: str, namespace: str = "", name: str = "", sub: str = "") -> str:
        parts = [GROUPS.get(resource, "/api/v1")]
        parts += [f"namespaces/{namespace}"] if namespace else []
        parts += [part for part in (resource, name, sub) if part]
        return self._server + "/".join(parts)

    async def _call(
        self, method: str, url: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        data = json.dumps(body, separators=(",", ":")) if body is not None else None
        headers = {"Content-Type": kind, "Accept": "application/json"}
        timeout = aiohttp.ClientTimeout(total=10)
        async with self._http.request(
            method, url, data=data, headers=headers, timeout=timeout
        ) as answer:
            content = await answer.read()
            if answer.status >= 400:
                raise ApiStatusError(answer.status, _message(content))
            return t.cast("Object", json.loads(content))

    async def get(self, resource: str, namespace: str, name: str) -> Object:
        return await self._call("GET", self._url(resource, namespace, name))

    async def find(self, resource: str, namespace: str, name: str) -> Object | None:
        try:
            return await self.get(resource, namespace, name)
        except ApiStatusError as exc:
            if exc.status != 404:
                raise
            return None

    async def create(self, resource: str, namespace: str, obj: Object) -> Object:
        return await self._call("POST", self._url(resource, namespace), obj)

    async def replace(self, resource: str, namespace: str, obj: Object) -> Object:
        return await self._call("PUT", self._url(resource, namespace, obj["metadata"]["name"]), obj)

    async def patch(
        self, resource: str, namespace: str, name: str, patch: Object, *, sub: str = ""
    ) -> Object:
        """A merge patch: lists are replaced whole."""
        url = self._url(resource, namespace, name, sub)
        return await self._call("PATCH", url, patch, "application/merge-patch+json")

    async def delete(self, resource: str, obj: Object, *, grace_seconds: int) -> None:
        """Delete this very object; that it is gone already is fine."""
        metadata = obj["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": grace_seconds,
            "preconditions": {"uid": metadata["uid"]},
        }
        try:
            url = self._url(resource, metadata["namespace"], metadata["name"])
            await self._call("DELETE", url, options)
        except ApiStatusError as exc:
            if exc.status not in (404, 409):
                raise

    async def list(self, resource: str, query: str) -> tuple[list[Object], str]:
        """(items, the version to watch from)."""
        listed = await self._call("GET", f"{self._url(resource)}?{query}")
        # The items of a list do not say what they are.
        head = {"kind": listed["kind"].removesuffix("List"), "apiVersion": listed["apiVersion"]}
        items = [head | item for item in listed["items"]]
        return items, listed["metadata"]["resourceVersion"]

    async def follow(self, resource: str, query: str = "") -> t.AsyncIterator[tuple[str, t.Any]]:
        """`LIST` with all objects, then each event's type and object, for ever; a list anew when one is needed."""
        version = ""
        while True:
            try:
                if not version:
                    items, version = await self.list(resource, query)
                    yield "LIST", items
                async for event in self.watch(resource, query, version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
            except ExpiredError:
                version = ""
            except (*UNREACHABLE, ApiStatusError) as exc:
                logger.info("following %s: %s", resource, exc)
                await asyncio.sleep(RETRY)

    async def watch(self, resource: str, query: str, version: str) -> t.AsyncIterator[Object]:
        """Events until the server ends the watch, which is normal. ExpiredError: list anew."""
        url = f"{self._url(resource)}?{query}&watch=true&allowWatchBookmarks=true"
        url += f"&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=WATCH_SECONDS + 10)
        async with self._http.get(url, timeout=timeout) as answer:
            if answer.status == 410:
                raise ExpiredError
            if answer.status != 200:
                raise ApiStatusError(answer.status, _message(await answer.read()))
            # Not `readline`, which refuses lines beyond a limit.
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ExpiredError
                    yield event


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content).get("message", ""))
    except ValueError:
        return content[:200].decode(errors="replace")


UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError)


LEASE_SECONDS = 40
CAPACITY = {"cpu": "16", "memory": "32Gi", "ephemeral-storage": "100Gi"}


def node_object(name: str, pod_cidr: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
    }


def node_status(
    name: str, port: int, *, pods: int, ready: bool, before: t.Sequence[Object], now: float
) -> Object:
    """With room for so many `pods`; `before` are the conditions that it had."""
    words = (
        ("True", "KubeletReady", "kubelet is posting ready status")
        if ready
        else ("False", "KubeletNotReady", "container runtime is down")
    )
    state, reason, message = words
    capacity = {**CAPACITY, "pods": str(pods)}
    same = [c for c in before if c["type"] == "Ready" and c["status"] == state]
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": name},
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


REMEMBERED = 512
MOST_WAITING = 1024


class Events:
    def __init__(self, client: Client, node_name: str) -> None:
        self._client = client
        self._node_name = node_name
        self._waiting: deque[tuple[tuple[str, ...], Object]] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self._sent: OrderedDict[tuple[str, ...], Object] = OrderedDict()

    def record(
        self, pod: Object, kind: str, reason: str, message: str, *, container: str = ""
    ) -> None:
        event = made_event(pod, kind, reason, message, now=time.time(), component="kubelet")
        event["source"]["host"] = self._node_name
        event["reportingInstance"] = self._node_name
        if container:
            event["involvedObject"]["fieldPath"] = f"spec.containers{{{container}}}"
        key = (pod["metadata"]["uid"], container, kind, reason, message)
        self._waiting.append((key, event))
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                key, event = self._waiting.popleft()
                try:
                    await self._send(key, event)
                except (*UNREACHABLE, ApiStatusError):
                    continue  # an event is a courtesy

    async def _send(self, key: tuple[str, ...], event: Object) -> None:
        namespace = event["metadata"]["namespace"]
        standing = self._sent.get(key)
        if standing is not None:
            standing["count"] += 1
            patch = {"count": standing["count"], "lastTimestamp": timestamp(time.time())}
            await self._client.patch("events", namespace, standing["metadata"]["name"], patch)
            return
        self._sent[key] = await self._client.create("events", namespace, event)
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
