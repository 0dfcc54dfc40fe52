# SPDX-License-Identifier: GPL-3.0-or-later
"""Revisions of a Deployment: which ReplicaSet is new, its number, its history and its annotations.

Which ReplicaSet belongs to which template is told by the pod-template-hash.
"""

from __future__ import annotations

import functools
import json
import typing as t

import orjson

from sandbox.kubernetes.controllers.objects import (
    Object,
    annotations_of,
    copied,
    counter,
    metadata,
    owner_reference,
    replicas,
    terminating,
)
from sandbox.kubernetes.controllers.rollout_plan import DESIRED, MAXIMUM, max_surge
from sandbox.kubernetes.history import serialized
from sandbox.kubernetes.lifecycle import SAFE_LETTERS

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
    return [container.get("image") or "" for container in containers]


def _labelled(template: Object) -> Object:
    metadata = template.get("metadata") or {}
    return {**metadata, "labels": {**(metadata.get("labels") or {}), LABEL: ""}}


def _pruned(value: t.Any) -> t.Any:
    """Nulls and empty maps or lists inside maps mean absent: `labels: {}` is no labels."""
    if isinstance(value, dict):
        entries = {name: _pruned(entry) for name, entry in value.items()}
        return {name: entry for name, entry in entries.items() if entry not in (None, {}, [])}
    if isinstance(value, list):
        return [_pruned(entry) for entry in value]
    return value


REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# A Deployment's own book-keeping: never copied to its ReplicaSets.
NOT_COPIED = frozenset(
    {LAST_APPLIED, REVISION, HISTORY, DESIRED, MAXIMUM, "deprecated.deployment.rollback.to"}
)
_HISTORY_CHARACTERS = 2000


def revision(obj: Object) -> int:
    try:
        return int(annotations_of(obj).get(REVISION, "0"))
    except ValueError:
        return 0


def find_new(deployment: Object, sets: t.Iterable[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's template: the oldest, should there be several."""
    ordered = sorted(sets, key=lambda entry: metadata(entry).get("creationTimestamp", ""))
    template = deployment["spec"]["template"]
    return next((e for e in ordered if same_template(e["spec"]["template"], template)), None)


def next_revision(old: t.Iterable[Object]) -> int:
    return max((revision(entry) for entry in old), default=0) + 1


def size_annotations(deployment: Object) -> dict[str, str]:
    wanted = replicas(deployment)
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + max_surge(deployment))}


def reused(deployment: Object, existing: Object, number: int) -> Object | None:
    """An existing ReplicaSet as the new one: renumbered, its old number kept. None: nothing to change."""
    notes = {**annotations_of(existing), **_copied_annotations(deployment)}
    before = revision(existing)
    if before < number:
        if REVISION in annotations_of(existing):
            notes[HISTORY] = _extended(notes.get(HISTORY, ""), str(before))
        notes[REVISION] = str(number)
    min_ready = deployment["spec"].get("minReadySeconds", 0)
    waits = existing["spec"].get("minReadySeconds", 0) != min_ready
    if notes == annotations_of(existing) and not waits:
        return None
    changed = copied(existing)
    metadata(changed)["annotations"] = notes
    if waits:
        changed["spec"]["minReadySeconds"] = min_ready
    return changed


def _extended(history: str, number: str) -> str:
    numbers = [entry for entry in history.split(",") if entry]
    while numbers and len(",".join([*numbers, number])) > _HISTORY_CHARACTERS:
        numbers.pop(0)
    return ",".join([*numbers, number])


def _copied_annotations(deployment: Object) -> dict[str, str]:
    return {n: value for n, value in annotations_of(deployment).items() if n not in NOT_COPIED}


def made_set(deployment: Object, number: int, size: int) -> Object:
    collisions = counter(deployment, "collisionCount")
    template = copied(deployment["spec"]["template"])
    name_hash = template_hash(template, collisions)
    carried = {**(template.setdefault("metadata", {}).get("labels") or {}), LABEL: name_hash}
    template["metadata"]["labels"] = carried
    selector = copied(deployment["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), LABEL: name_hash}
    notes = {
        **_copied_annotations(deployment),
        **size_annotations(deployment),
        REVISION: str(number),
    }
    made: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata(deployment)['name']}-{name_hash}",
            "namespace": metadata(deployment)["namespace"],
            "labels": dict(carried),
            "annotations": notes,
            "ownerReferences": [
                owner_reference(deployment, api_version="apps/v1", kind="Deployment")
            ],
        },
        "spec": {"replicas": size, "selector": selector, "template": template},
    }
    if deployment["spec"].get("minReadySeconds"):
        made["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return made


def expired(deployment: Object, old: t.Sequence[Object]) -> list[Object]:
    """Old ReplicaSets beyond revisionHistoryLimit, lowest revision first, and only those that are empty."""
    limit = deployment["spec"].get("revisionHistoryLimit", 10)
    standing = [entry for entry in old if not terminating(entry)]
    surplus = sorted(standing, key=revision)[: max(0, len(standing) - limit)]
    return [
        entry
        for entry in surplus
        if replicas(entry) == 0
        and counter(entry, "replicas") == 0
        and metadata(entry).get("generation", 0) <= counter(entry, "observedGeneration")
    ]
