# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node gives its pods: images, ConfigMaps and Secrets, addresses, events, and faults."""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass

from sandbox.node.behaviour import image_missing, node_broken, node_refused, registry_unavailable
from sandbox.node.client import UNREACHABLE, ApiStatusError, Client, Events
from sandbox.node.images import (
    Image,
    not_found_message,
    refused_message,
    unavailable_message,
)

if t.TYPE_CHECKING:
    from pathlib import Path

    from sandbox.faults import Faults
    from sandbox.node.component import Subnet
    from sandbox.node.registry import Registry

Object = dict[str, t.Any]


@dataclass(frozen=True)
class NodeContext:
    """What the nodes of a sandbox have in common."""

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


class Host:
    """What a node gives its pods."""

    def __init__(self, name: str, context: NodeContext) -> None:
        self.name = name
        self.client = context.client
        self.subnet = context.subnet
        self.faults = context.faults
        self._registry = context.registry
        self.events = Events(context.client, name)
        self.ready = True
        self.folder = context.folder
        self.sync_frequency = context.sync_frequency
        self._present: set[str] = set()
        self._pulled: set[str] = set()

    def pull(self, image: Image, *, main: bool) -> str:
        """Empty when the image could be had, else why not."""
        if node_refused(self.faults, self.name):
            return refused_message(image)
        forbidden = main and image_missing(self.faults, image)
        if forbidden or not self._registry.has(image):
            return not_found_message(image)
        known = image.reference in self._pulled
        if main and not known and registry_unavailable(self.faults, image):
            return unavailable_message(image)
        self._present = self._present | ({image.reference} & self._pulled)
        self._pulled.add(image.reference)
        return ""

    def version(self, image: Image) -> str:
        return self._registry.version(image)

    def was_present(self, image: Image) -> bool:
        """Whether it was here before the last pull."""
        return image.reference in self._present

    @property
    def broken(self) -> str:
        """Why no container can be made here now, if so."""
        return node_broken(self.faults, self.name)

    async def referenced(self, namespace: str, container: Object) -> dict[tuple[str, str], Object]:
        """The ConfigMaps and Secrets of a container that exist now; waits while nobody answers."""
        objects: dict[tuple[str, str], Object] = {}
        for kind, name in sorted(references(container)):
            obj = await self.object(namespace, kind, name)
            if obj is not None:
                objects[kind, name] = obj
        return objects

    async def object(self, namespace: str, kind: str, name: str) -> Object | None:
        """As it is now; waits while nobody answers."""
        while True:
            try:
                return await self.client.find(kind, namespace, name)
            except (*UNREACHABLE, ApiStatusError):
                await asyncio.sleep(0.5)


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
