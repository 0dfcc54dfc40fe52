# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod-template-hash: which ReplicaSet belongs to which template."""

from __future__ import annotations

import functools
import json
import typing as t

import orjson

from sandbox.kubernetes.controllers.objects import SAFE_LETTERS, Object
from sandbox.kubernetes.history import serialized

LABEL = "pod-template-hash"
_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193


def template_hash(template: Object, collisions: int = 0) -> str:
    """FNV-1a over the canonical template, spelled in the safe letters as the real controller does.

    `collisions` is the Deployment's status.collisionCount: another count gives another hash.
    """
    value = _FNV_OFFSET
    text = json.dumps(without_hash(template), sort_keys=True, separators=(",", ":"))
    for byte in (text + (str(collisions) if collisions else "")).encode():
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return "".join(SAFE_LETTERS[ord(digit) % len(SAFE_LETTERS)] for digit in str(value))


def without_hash(template: Object) -> Object:
    """The template with nothing in it that says the same by saying nothing, and without the label."""
    return _without_hash(serialized(template))


@functools.lru_cache(maxsize=512)
def _without_hash(raw: bytes) -> Object:
    template = orjson.loads(raw)
    metadata = template.get("metadata") or {}
    labels = {
        name: value for name, value in (metadata.get("labels") or {}).items() if name != LABEL
    }
    return t.cast("Object", _pruned({**template, "metadata": {**metadata, "labels": labels}}))


def same_template(left: Object, right: Object) -> bool:
    if left.get("spec") == right.get("spec") and _labelled(left) == _labelled(right):
        return True
    if _images(left) != _images(right):
        return False
    return without_hash(left) == without_hash(right)


def _images(template: Object) -> list[str]:
    """What no pruning makes equal: with the comparison to the letter it decides nearly every case."""
    containers = (template.get("spec") or {}).get("containers") or ()
    return [one.get("image") or "" for one in containers]


def _labelled(template: Object) -> Object:
    metadata = template.get("metadata") or {}
    return {**metadata, "labels": {**(metadata.get("labels") or {}), LABEL: ""}}


def _pruned(value: t.Any) -> t.Any:
    """Nulls and empty maps or lists inside maps mean absent: `labels: {}` is no labels."""
    if isinstance(value, dict):
        kept = {name: _pruned(entry) for name, entry in value.items()}
        return {name: entry for name, entry in kept.items() if entry not in (None, {}, [])}
    if isinstance(value, list):
        return [_pruned(entry) for entry in value]
    return value
