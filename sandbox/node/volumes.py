# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's ConfigMap volumes, written and kept up to date as the kubelet does.

Its sources, of https://github.com/kubernetes/kubernetes: pkg/volume/util/atomic_writer.go for the folder with a time
in its name and the `..data` that points to it; pkg/kubelet/pod_workers.go for when: each pod is synced again after
syncFrequency, one minute by default, and up to half as much more (workerResyncIntervalJitterFactor);
pkg/kubelet/config/config.go (podsDifferSemantically) for what is told at once: another spec, label or annotation of
the pod, never its status. By configMapAndSecretChangeDetectionStrategy, Watch by default, a sync finds the ConfigMap as
it is now, but for the moment that a watch takes, which is left out here. A subPath is the file itself, so that it stays
as it was when the container started (kubernetes/kubernetes#50345), and so does the environment.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import typing as t
from datetime import UTC, datetime
from pathlib import Path

if t.TYPE_CHECKING:
    from sandbox.node.node import Node

Object = dict[str, t.Any]

DATA = "..data"
JITTER = 0.5
RETRY = 1.0

Mounts = t.Mapping[str, Path]
"""Where on this machine is what a container has at a path."""


def write(folder: Path, data: t.Mapping[str, str]) -> None:
    """Put `data` into `folder`, all of it at once. What is there already is left alone."""
    link = folder / DATA
    old = folder / link.readlink() if link.is_symlink() else None
    if old is not None and data == {file.name: file.read_text("utf-8") for file in old.iterdir()}:
        return
    new = folder / f"{datetime.now(UTC):..%Y_%m_%d_%H_%M_%S.%f}"
    new.mkdir(parents=True)
    for key, value in data.items():
        (new / key).write_text(value, encoding="utf-8")
        visible = folder / key
        if not visible.is_symlink():
            visible.symlink_to(Path(DATA) / key)
    pending = folder / "..data_tmp"
    pending.symlink_to(new.name)
    pending.replace(link)
    for visible in folder.iterdir():
        if not visible.name.startswith("..") and visible.name not in data:
            visible.unlink()
    if old is not None:
        shutil.rmtree(old)


def projected(volume: Object, config_map: Object | None) -> dict[str, str] | None:
    """Which files a ConfigMap volume has; None while it cannot be mounted."""
    source = volume["configMap"]
    data = (config_map or {}).get("data") or {}
    if config_map is None and not source.get("optional"):
        return None
    items = source.get("items")
    if items is None:
        return dict(data)
    if not source.get("optional") and any(item["key"] not in data for item in items):
        return None
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def located(mounts: Mounts, path: str) -> Path:
    """Where what a container has at `path` is on this machine."""
    for mounted in sorted(mounts, key=len, reverse=True):
        if path == mounted or path.startswith(f"{mounted.rstrip('/')}/"):
            return mounts[mounted] / path[len(mounted) :].lstrip("/")
    return Path(path)


class Volumes:
    def __init__(self, node: Node, pod: Object) -> None:
        self._node = node
        self._name = pod["metadata"]["name"]
        self._namespace = pod["metadata"]["namespace"]
        self._folder: Path = node.context.folder / pod["metadata"]["uid"]
        self._told = asyncio.Event()
        self._volumes = [
            volume for volume in pod["spec"].get("volumes") or () if "configMap" in volume
        ]

    async def mount(self, failed: t.Callable[[str], None]) -> None:
        """Until all are there. `failed` is told why one is not yet."""
        for volume in self._volumes:
            while not await self._project(volume):
                name, source = volume["name"], volume["configMap"]["name"]
                failed(
                    f'MountVolume.SetUp failed for volume "{name}" : configmap "{source}" not found'
                )
                await asyncio.sleep(RETRY)

    def of(self, container: Object, start: int) -> Mounts:
        """The mounts of a container that starts for the `start`th time."""
        known = {volume["name"] for volume in self._volumes}
        return {
            mount["mountPath"]: self._mounted(mount, f"{container['name']}-{start}-{number}")
            for number, mount in enumerate(container.get("volumeMounts") or ())
            if mount["name"] in known
        }

    def _mounted(self, mount: Object, name: str) -> Path:
        volume: Path = self._folder / mount["name"]
        if not mount.get("subPath"):
            return volume
        # A bind mount is of the file, not of the name that led to it.
        bound: Path = self._folder / "subpaths" / name
        bound.parent.mkdir(exist_ok=True)
        os.link((volume / mount["subPath"]).resolve(), bound)
        return bound

    def sync(self) -> None:
        self._told.set()

    async def keep(self) -> None:
        """Write what changed at each sync, for ever."""
        while self._volumes:
            period = self._node.context.sync_frequency
            due = period * (1 + random.random() * JITTER)  # noqa: S311 - no secret
            try:
                async with asyncio.timeout(due):
                    await self._told.wait()
            except TimeoutError:
                pass
            self._told.clear()
            if self._node.fault("volumes-stale", self._name):
                continue
            for volume in self._volumes:
                await self._project(volume)

    async def _project(self, volume: Object) -> bool:
        name = volume["configMap"]["name"]
        config_map = await self._node.object(self._namespace, "configmaps", name)
        data = projected(volume, config_map)
        if data is None:
            return False
        folder = self._folder / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, data)
        return True

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
