# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields an object has, as sets of paths: what managedFields stores and server-side apply compares.

A path is a tuple of elements as FieldsV1 spells them: `f:spec`, `k:{"name":"web"}`, `v:"a"`.
"""

from __future__ import annotations

import functools
import json
import typing as t

from sandbox.kubernetes import schema
from sandbox.kubernetes.errors import Object

Path = tuple[str, ...]
Paths = frozenset[Path]


BRANCH = object()
"""Stands for a map or struct that has fields of its own."""
Flat = dict[Path, t.Any]
"""Every node of an object: leaves with their values, branches with BRANCH."""

# listType=map and its keys, by the type of the items; every other list is one atomic value.
LIST_KEYS: t.Mapping[str, tuple[str, ...]] = {
    "V1Container": ("name",),
    "V1EphemeralContainer": ("name",),
    "V1Volume": ("name",),
    "V1EnvVar": ("name",),
    "V1ContainerPort": ("containerPort", "protocol"),
    "V1ServicePort": ("port", "protocol"),
    "V1VolumeMount": ("mountPath",),
    "V1VolumeDevice": ("devicePath",),
    "V1TopologySpreadConstraint": ("topologyKey", "whenUnsatisfiable"),
    "V1HostAlias": ("ip",),
    "V1PodIP": ("ip",),
    "V1HostIP": ("ip",),
    "V1OwnerReference": ("uid",),
    "V1PrometheusRuleGroup": ("name",),
    "V1LocalObjectReference": ("name",),
}
KEY_DEFAULTS = {"protocol": "TCP"}
SETS = ("finalizers",)
ATOMIC_TYPES = (
    "V1LabelSelector", "V1NodeSelector", "V1ObjectReference", "V1LocalObjectReference",
    "V1ConfigMapKeySelector", "V1SecretKeySelector", "V1ObjectFieldSelector",
    "V1ResourceFieldSelector", "V1ScopeSelector", "V1FieldsV1",
)  # fmt: skip
ATOMIC_MAPS = ("selector", "nodeSelector")
# Structs that every object of a kind has, even when empty: nobody owns them.
ALWAYS_THERE = {
    ("f:metadata",),
    ("f:spec",),
    ("f:status",),
    ("f:spec", "f:template"),
    ("f:spec", "f:template", "f:metadata"),
    ("f:spec", "f:template", "f:spec"),
    ("f:spec", "f:strategy"),
}
UNOWNED_METADATA = (
    "name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink",
    "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip


def list_keys(item_type: str) -> tuple[str, ...]:
    if item_type.endswith("Condition"):
        return ("type",)
    return LIST_KEYS.get(item_type, ())


def flatten(model: str, obj: Object) -> Flat:
    flat: Flat = {}
    for key, value in obj.items():
        if key in ("apiVersion", "kind"):
            continue
        if key == "metadata":
            value = {k: v for k, v in value.items() if k not in UNOWNED_METADATA}
        _node(schema.fields(model).get(key, "object"), key, value, (f"f:{key}",), flat)
    for path in ALWAYS_THERE:
        flat.pop(path, None)
    return flat


@functools.cache
def is_atomic(kind: str, name: str) -> bool:
    """Whether a value of this type is owned as one."""
    if kind in ATOMIC_TYPES or kind == "object" or kind in schema.SCALARS:
        return True
    container = schema.container(kind)
    if container is None:
        return False
    if container[1] is not None:
        return name not in SETS and not list_keys(container[1])
    return name in ATOMIC_MAPS


def _node(kind: str, name: str, value: t.Any, path: Path, flat: Flat) -> None:
    container = schema.container(kind)
    is_leaf = is_atomic(kind, name) or not value or not isinstance(value, dict | list)
    if is_leaf:
        flat[path] = value
    elif container is None:
        flat[path] = BRANCH
        for key, child in value.items():
            child_kind = schema.fields(kind).get(key, "object")
            _node(child_kind, key, child, (*path, f"f:{key}"), flat)
    elif container[1] is not None:
        _list(container[1], value, path, flat)
    else:
        flat[path] = BRANCH
        for key, child in value.items():
            _node(container[2], "", child, (*path, f"f:{key}"), flat)


def _list(item_type: str, items: list[t.Any], path: Path, flat: Flat) -> None:
    """A keyed list or a set; the list itself belongs to nobody, each item to somebody."""
    for item in items:
        element = list_element(item_type, item)
        if isinstance(item, dict):
            flat[(*path, element)] = BRANCH
            for key, child in item.items():
                kind = schema.fields(item_type).get(key, "object")
                _node(kind, key, child, (*path, element, f"f:{key}"), flat)
        else:
            flat[(*path, element)] = item


def list_element(item_type: str, item: t.Any) -> str:
    if not isinstance(item, dict):
        return "v:" + _json(item)
    keys = {key: item.get(key, KEY_DEFAULTS.get(key, "")) for key in list_keys(item_type)}
    return "k:" + _json(dict(sorted(keys.items())))


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def differing(before: Flat, after: Flat) -> Paths:
    missing = object()
    return frozenset(path for path, value in after.items() if before.get(path, missing) != value)


def applied_paths(flat: Flat) -> Paths:
    """What an applied configuration claims: leaves and list items, not the maps around them."""
    return frozenset(
        path for path, value in flat.items() if value is not BRANCH or path[-1].startswith("k:")
    )


def to_fields_v1(paths: t.Iterable[Path]) -> Object:
    """Paths as managedFields has them: nested, with "." where a node is owned beside its fields."""
    root: Object = {}
    owned = set(paths)
    for path in sorted(owned):
        node = root
        for depth, element in enumerate(path, start=1):
            node = node.setdefault(element, {})
            if depth < len(path) and path[:depth] in owned:
                node.setdefault(".", {})
    return root


def from_fields_v1(node: Object, path: Path = ()) -> t.Iterator[Path]:
    if not node and path:
        yield path
    for element, child in node.items():
        if element == ".":
            yield path
        else:
            yield from from_fields_v1(child, (*path, element))


def to_text(path: Path) -> str:
    """`.spec.template.spec.containers[name="web"].image`, as conflicts name fields."""
    text = ""
    for element in path:
        kind, _, value = element.partition(":")
        if kind == "f":
            text += f".{value}"
        elif kind == "k":
            keys = ",".join(f"{key}={_json(item)}" for key, item in json.loads(value).items())
            text += f"[{keys}]"
        else:
            text += f"[={value}]"
    return text
