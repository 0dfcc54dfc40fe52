# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata that the server writes when an object is created, changed or deleted."""

from __future__ import annotations

import secrets
import typing as t
import uuid
from datetime import UTC, datetime, timedelta

from sandbox.kubernetes.errors import ApiError, Object, conflict

if t.TYPE_CHECKING:
    from sandbox.kubernetes.resources import Resource

# The letters Kubernetes draws generated names from: no vowels, nothing that looks like another letter.
SAFE_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)


def timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")[:19] + "Z"


def now() -> datetime:
    return datetime.now(UTC)


def born(resource: Resource, obj: Object, moment: datetime) -> Object:
    """`obj` with the metadata of a new object; keys in the order a real server prints them."""
    given = dict(obj.get("metadata") or {})
    name = given.pop("name", "") or generated_name(given.get("generateName", ""))
    metadata: Object = {"name": name}
    if given.get("generateName"):
        metadata["generateName"] = given["generateName"]
    if resource.namespaced:
        metadata["namespace"] = given.get("namespace", "")
    metadata |= {
        "uid": str(uuid.uuid4()),
        "resourceVersion": "",
        "creationTimestamp": timestamp(moment),
    }
    if resource.has_generation:
        metadata["generation"] = 1
    for key, value in given.items():
        if key not in metadata and key not in ("selfLink", *SERVER_OWNED):
            metadata[key] = value
    head: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return head | {key: value for key, value in obj.items() if key not in head}


def generated_name(prefix: str) -> str:
    return prefix[:58] + random_suffix() if prefix else ""


def random_suffix() -> str:
    return "".join(secrets.choice(SAFE_LETTERS) for _ in range(5))


def changed(resource: Resource, current: Object, wanted: Object, subresource: str) -> Object:
    """`wanted` laid over `current`, without what this way in may not touch."""
    if subresource == "status":
        after = dict(current)
        after["metadata"] = dict(current["metadata"])
        if "status" in wanted:
            after["status"] = wanted["status"]
        # Annotations may come along with a status: that is how a Deployment learns its revision
        # without a new generation.
        for key in ("annotations", "managedFields"):
            if key in wanted.get("metadata", {}):
                after["metadata"][key] = wanted["metadata"][key]
        return after
    after = {key: value for key, value in wanted.items() if key not in ("kind", "apiVersion")}
    after = {"kind": current["kind"], "apiVersion": current["apiVersion"]} | after
    if resource.has_status:
        after.pop("status", None)
        if "status" in current:
            after["status"] = current["status"]
    after["metadata"] = changed_metadata(current["metadata"], wanted.get("metadata") or {})
    # A pod's binding is not a change of what was asked for.
    if resource.has_generation and not subresource and spec_changed(resource, current, after):
        after["metadata"]["generation"] = current["metadata"].get("generation", 0) + 1
    return after


def changed_metadata(current: Object, wanted: Object) -> Object:
    merged: Object = {
        key: current[key]
        for key in ("name", "generateName", "namespace", *SERVER_OWNED)
        if key in current
    }
    merged |= {key: value for key, value in wanted.items() if key not in merged}
    for key in SERVER_OWNED:
        if key not in current:
            merged.pop(key, None)
    # A writer that does not know managedFields must not lose them for others.
    if "managedFields" not in wanted and "managedFields" in current:
        merged["managedFields"] = current["managedFields"]
    for key in ("labels", "annotations", "ownerReferences", "finalizers", "managedFields"):
        if key in merged and not merged[key]:
            del merged[key]
    return merged


def spec_changed(resource: Resource, current: Object, after: Object) -> bool:
    """Whether the desired state moved.

    A Deployment's annotations count: they are copied to its ReplicaSet.
    """
    ignored = ("metadata", "status", "kind", "apiVersion")
    if {k: v for k, v in current.items() if k not in ignored} != {
        k: v for k, v in after.items() if k not in ignored
    }:
        return True
    if resource.plural != "deployments":
        return False
    notes = [obj["metadata"].get("annotations") or {} for obj in (current, after)]
    return bool(notes[0] != notes[1])


def check_preconditions(resource: Resource, current: Object, uid: str, version: str) -> None:
    metadata = current["metadata"]
    if uid and uid != metadata["uid"]:
        stored = metadata["uid"]
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored}"
        raise conflict(resource, metadata["name"], why)
    if version and version != metadata["resourceVersion"]:
        raise conflict(resource, metadata["name"])


def grace_period(resource: Resource, obj: Object, wanted: int | None) -> int:
    """Seconds a pod is given to end: none when it never reached a node or has ended already."""
    ended = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
    if resource.plural != "pods" or ended or not obj.get("spec", {}).get("nodeName"):
        return 0
    if wanted is None:
        wanted = int(obj["spec"].get("terminationGracePeriodSeconds", 30))
    if wanted < 0:
        raise ApiError(400, "BadRequest", f"gracePeriodSeconds must not be negative, was {wanted}")
    before = obj["metadata"].get("deletionGracePeriodSeconds")
    return wanted if before is None else min(wanted, int(before))


def marked_for_deletion(obj: Object, grace: int, moment: datetime) -> Object:
    """`obj` as it stands while something still has to end or a finalizer is left."""
    metadata = dict(obj["metadata"])
    metadata["deletionTimestamp"] = timestamp(moment + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if metadata.get("generation"):
        metadata["generation"] += 1
    return obj | {"metadata": metadata}
