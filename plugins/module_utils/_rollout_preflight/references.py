# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Which ConfigMaps and Secrets a pod template cannot start without. Pure."""

from __future__ import annotations

import typing as t

from .._cluster import Object
from .models import Reference

Found = t.Iterator[tuple[str, str, frozenset[str]]]


def references_of(template: Object) -> list[Reference]:
    """Without those that are marked optional, one for each object."""
    spec = template["spec"]
    merged: dict[tuple[str, str], frozenset[str]] = {}
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        for kind, name, keys in _of_container(container):
            merged[kind, name] = merged.get((kind, name), frozenset()) | keys
    for volume in spec.get("volumes") or []:
        for kind, name, keys in _of_volume(volume):
            merged[kind, name] = merged.get((kind, name), frozenset()) | keys
    return [Reference(kind, name, keys) for (kind, name), keys in sorted(merged.items())]


def _of_container(container: Object) -> Found:
    for source in container.get("envFrom") or []:
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            yield from _needed(kind, source.get(field), "name")
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            yield from _needed(kind, source.get(field), "name")


def _of_volume(volume: Object) -> Found:
    yield from _needed("ConfigMap", volume.get("configMap"), "name")
    yield from _needed("Secret", volume.get("secret"), "secretName")
    for source in (volume.get("projected") or {}).get("sources") or []:
        yield from _needed("ConfigMap", source.get("configMap"), "name")
        yield from _needed("Secret", source.get("secret"), "name")


def _needed(kind: str, source: Object | None, name: str) -> Found:
    if not source or source.get("optional") or not source.get(name):
        return
    keys = {one["key"] for one in source.get("items") or []}
    if source.get("key"):
        keys.add(source["key"])
    yield kind, source[name], frozenset(keys)
