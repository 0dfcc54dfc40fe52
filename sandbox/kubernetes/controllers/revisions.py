# SPDX-License-Identifier: GPL-3.0-or-later
"""Revisions of a Deployment: which ReplicaSet is new, its number, its history and its annotations."""

from __future__ import annotations

import typing as t

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
from sandbox.kubernetes.controllers.template_hash import LABEL, same_template, template_hash

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
    """The new ReplicaSet, as it is sent to the API."""
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
    kept = [entry for entry in old if not terminating(entry)]
    surplus = sorted(kept, key=revision)[: max(0, len(kept) - limit)]
    return [
        entry
        for entry in surplus
        if replicas(entry) == 0
        and counter(entry, "replicas") == 0
        and metadata(entry).get("generation", 0) <= counter(entry, "observedGeneration")
    ]
