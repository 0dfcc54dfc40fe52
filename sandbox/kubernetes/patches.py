# SPDX-License-Identifier: GPL-3.0-or-later
"""The three patches that need no field ownership: JSON Patch, JSON merge patch and strategic merge patch."""

from __future__ import annotations

import typing as t

import jsonpatch

from sandbox.kubernetes.errors import ApiError, Object, bad_request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

# patchMergeKey of the API types; every other list is replaced whole.
MERGE_KEYS: t.Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "ports": ("containerPort", "port"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "podIPs": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "conditions": ("type",),
    "addresses": ("type",),
    "ownerReferences": ("uid",),
}
PRIMITIVE_LISTS = ("finalizers",)
DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


def apply_json_patch(current: Object, patch: object) -> Object:
    """RFC 6902; a failed `test` or a missing path is 422, as the real server has it."""
    if not isinstance(patch, list):
        raise bad_request("error decoding patch: a JSON Patch is a list of operations")
    try:
        return t.cast("Object", jsonpatch.apply_patch(current, patch))
    except jsonpatch.InvalidJsonPatch as exc:
        raise bad_request(f"error decoding patch: {exc}") from exc
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as exc:
        words = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", words) from exc


def apply_merge_patch(current: object, patch: object) -> t.Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = apply_merge_patch(merged.get(key), value)
    return merged


def apply_strategic_patch(current: Object, patch: Object) -> Object:
    """Kubernetes' own merge: lists of named things merge by their key, `$patch` and its kin are obeyed."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    merged = dict(current)
    if "$retainKeys" in patch:
        merged = {key: merged[key] for key in patch["$retainKeys"] if key in merged}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [item for item in merged.get(name, ()) if item not in value]
    for key, value in patch.items():
        if not key.startswith(DIRECTIVES):
            _merge_field(merged, key, value, patch.get(f"$setElementOrder/{key}"))
    return merged


def _merge_field(merged: Object, key: str, value: object, order: object) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        before = merged.get(key)
        merged[key] = apply_strategic_patch(before if isinstance(before, dict) else {}, value)
    elif isinstance(value, list):
        server = merged.get(key) or []
        together = _merge_list(key, server, value)
        names_order = order if isinstance(order, list) else value
        by_key = key in PRIMITIVE_LISTS or _merge_key(key, together) is not None
        merged[key] = _ordered(key, together, server, names_order) if by_key else together
    else:
        merged[key] = value


def _merge_list(name: str, current: list[t.Any], patch: list[t.Any]) -> list[t.Any]:
    if name in PRIMITIVE_LISTS:
        return current + [item for item in patch if item not in current]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    merge_key = _merge_key(name, current + patch)
    if merge_key is None:
        return patch
    merged = list(current)
    for item in patch:
        if merge_key not in item:
            message = f"map: {item} does not contain declared merge key: {merge_key}"
            raise ApiError(500, "InternalError", message)
        same = [at for at, entry in enumerate(merged) if entry.get(merge_key) == item[merge_key]]
        if item.get("$patch") == "delete":
            merged = [entry for at, entry in enumerate(merged) if at not in same]
        elif same:
            merged[same[0]] = apply_strategic_patch(merged[same[0]], item)
        else:
            merged.append(apply_strategic_patch({}, item))
    return merged


def _merge_key(name: str, items: list[t.Any]) -> str | None:
    """The key a list merges by: `ports` of a container and of a Service differ."""
    if not all(isinstance(item, dict) for item in items):
        return None
    keys = MERGE_KEYS.get(name, ())
    return next((key for key in keys if any(key in item for item in items)), None)


def _ordered(
    name: str, merged: list[t.Any], server: list[t.Any], order: list[t.Any]
) -> list[t.Any]:
    """What the patch names in `order`, what it does not as the server had it.

    Between the two the server's order decides, and where it has none the patch comes first.
    """
    merge_key = _merge_key(name, merged)

    def identity(item: t.Any) -> t.Any:
        return item.get(merge_key) if isinstance(item, dict) else item

    wanted, known = [identity(item) for item in order], [identity(item) for item in server]
    named = [item for item in merged if identity(item) in wanted]
    named.sort(key=lambda item: wanted.index(identity(item)))
    others = [item for item in merged if identity(item) not in wanted]
    placed: list[t.Any] = []
    while named and others:
        left, right = identity(others[0]), identity(named[0])
        first = left in known and right in known and known.index(left) < known.index(right)
        placed.append(others.pop(0) if first else named.pop(0))
    return placed + named + others
