# SPDX-License-Identifier: GPL-3.0-or-later
"""All nodes of the sandbox, in one process: one watch of the pods, handed on to whose they are."""

from __future__ import annotations

import asyncio
import logging
import typing as t

from sandbox.node.client import UNREACHABLE, ApiStatusError, ExpiredError
from sandbox.node.node import Node, NodeContext

if t.TYPE_CHECKING:
    from sandbox.node.pod import PodWorker

Object = dict[str, t.Any]

logger = logging.getLogger(__name__)

# Pods that have a node.
QUERY = "fieldSelector=spec.nodeName%21%3D"


class Nodes:
    def __init__(self, names: t.Iterable[str], context: NodeContext) -> None:
        self._context = context
        self._nodes = {name: Node(name, context) for name in names}

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        found = (node.worker(namespace, name) for node in self._nodes.values())
        return next((worker for worker in found if worker is not None), None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for node in self._nodes.values():
                group.create_task(node.run())
            group.create_task(self._watch_pods())

    async def _watch_pods(self) -> None:
        client = self._context.client
        while True:
            try:
                pods, version = await client.list("pods", QUERY)
                for name, node in self._nodes.items():
                    node.relist([pod for pod in pods if pod["spec"]["nodeName"] == name])
                async for event in client.watch("pods", QUERY, version):
                    if event["type"] != "BOOKMARK":
                        self._take(event["type"], event["object"])
            except ExpiredError:
                continue
            except (*UNREACHABLE, ApiStatusError) as exc:
                logger.info("watching pods: %s", exc)
                await asyncio.sleep(0.3)

    def _take(self, kind: str, pod: Object) -> None:
        node = self._nodes.get(pod["spec"]["nodeName"])
        if node is not None:
            node.take(kind, pod)
