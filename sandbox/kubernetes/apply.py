# SPDX-License-Identifier: GPL-3.0-or-later
"""Field ownership: who wrote what (managedFields), and server-side apply on top of it."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace

from sandbox.kubernetes import schema
from sandbox.kubernetes.errors import ApiError, Object
from sandbox.kubernetes.fieldsets import (
    Path,
    Paths,
    applied_paths,
    differing,
    flatten,
    from_fields_v1,
    is_atomic,
    list_element,
    list_keys,
    to_fields_v1,
    to_text,
)


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields without its fields: who, how, in which version, through what."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        through = f' with subresource "{self.subresource}"' if self.subresource else ""
        return f'"{self.name}"{through} using {self.api_version}'


@dataclass(frozen=True)
class Ownership:
    time: str
    paths: Paths


Owners = dict[Manager, Ownership]


def owners_of(obj: Object) -> Owners:
    owners: Owners = {}
    for entry in obj.get("metadata", {}).get("managedFields") or ():
        manager = Manager(
            entry.get("manager", "unknown"),
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        fields = frozenset(from_fields_v1(entry.get("fieldsV1") or {}))
        owners[manager] = Ownership(entry.get("time", ""), fields)
    return owners


def to_managed_fields(owners: Owners) -> list[Object]:
    entries = [
        {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": owned.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields_v1(owned.paths),
        }
        | ({"subresource": manager.subresource} if manager.subresource else {})
        for manager, owned in owners.items()
        if owned.paths
    ]
    return sorted(entries, key=lambda entry: (entry["operation"], entry["time"], entry["manager"]))


def with_owners(obj: Object, owners: Owners) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    fields = to_managed_fields(owners)
    if fields:
        metadata["managedFields"] = fields
    return obj | {"metadata": metadata}


def after_update(model: str, manager: Manager, time: str, before: Object, after: Object) -> Object:
    """`after` with managedFields that say `manager` wrote what differs from `before`."""
    owners = owners_of(after)
    old, new = flatten(model, before), flatten(model, after)
    written = differing(old, new)
    if not written and old.keys() == new.keys():
        return with_owners(after, owners)
    removed_paths = old.keys() - new.keys()
    for other, owned in owners.items():
        if other != manager:
            owners[other] = replace(owned, paths=owned.paths - written - removed_paths)
    mine = owners.get(manager)
    if written or (mine and mine.paths & removed_paths):
        remaining = mine.paths & new.keys() if mine else frozenset()
        owners[manager] = Ownership(time, frozenset(remaining | written))
    return with_owners(after, owners)


def apply(
    model: str, manager: Manager, time: str, live: Object, config: Object, *, force: bool
) -> Object:
    """Server-side apply of `config` by `manager`; 409 names who else wants which field.

    Fields it applied before and left out now are removed, unless somebody else owns them too.
    """
    owners = owners_of(live)
    given = config.get("metadata") or {}
    config |= {"metadata": {key: given[key] for key in given if key != "managedFields"}}
    merged = _merge_struct(model, live, config)
    wanted = applied_paths(flatten(model, config))
    changed = differing(flatten(model, live), flatten(model, merged)) & wanted
    others = {key: owned for key, owned in owners.items() if key != manager}
    conflicts = [
        (other, path)
        for other, owned in others.items()
        for path in sorted(changed & owned.paths)
        if not path[-1].startswith("k:")
    ]
    if conflicts and not force:
        raise conflict_error(conflicts)
    for other, owned in others.items():
        owners[other] = replace(owned, paths=owned.paths - changed)
    before = owners.get(manager)
    if before is not None:
        held = frozenset[Path]().union(*(owned.paths for owned in others.values()))
        merged = removed(model, merged, abandoned(before.paths - wanted, held | wanted))
    same = before is not None and before.paths == wanted and not changed
    owners[manager] = Ownership(before.time if before and same else time, wanted)
    return with_owners(merged, owners)


def conflict_error(conflicts: t.Sequence[tuple[Manager, Path]]) -> ApiError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {manager}",
            "field": to_text(path),
        }
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        words = f"1 conflict: conflict with {manager}: {to_text(path)}"
    else:
        lines = []
        for manager in sorted({manager for manager, _ in conflicts}, key=str):
            lines.append(f"conflicts with {manager}:")
            lines += [f"- {to_text(path)}" for other, path in conflicts if other == manager]
        words = f"{len(conflicts)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", f"Apply failed with {words}", {"causes": causes})


def _merge_struct(model: str, live: Object, config: Object) -> Object:
    merged = dict(live)
    for key, value in config.items():
        kind = schema.fields(model).get(key, "object")
        merged[key] = _merge_value(kind, key, live.get(key), value)
    return merged


def _merge_value(kind: str, name: str, live: t.Any, config: t.Any) -> t.Any:
    if is_atomic(kind, name) or live is None or type(live) is not type(config):
        return config
    container = schema.container(kind)
    if container is None:
        return _merge_struct(kind, live, config)
    if container[1] is not None:
        return _merge_list(container[1], live, config)
    return live | {
        key: _merge_value(container[2], "", live.get(key), value) for key, value in config.items()
    }


def _merge_list(item_type: str, live: list[t.Any], config: list[t.Any]) -> list[t.Any]:
    merged = {list_element(item_type, item): item for item in live}
    for item in config:
        element = list_element(item_type, item)
        if element in merged and list_keys(item_type):
            merged[element] = _merge_struct(item_type, merged[element], item)
        else:
            merged[element] = item
    return list(merged.values())


def abandoned(paths: Paths, held: Paths) -> t.Iterator[Path]:
    """Those of `paths` that are held no more, neither themselves nor anything below them."""
    alive = {path[:depth] for path in held for depth in range(1, len(path) + 1)}
    for path in paths:
        if path in alive:
            continue
        item = path[:-1]
        # An item that somebody else holds keeps what it is known by.
        is_key = (
            path[-1][2:] in json.loads(item[-1][2:])
            if item[-1:] and item[-1].startswith("k:")
            else False
        )
        if not (is_key and item in alive):
            yield path


def removed(model: str, obj: Object, paths: t.Iterable[Path]) -> Object:
    """`obj` without the fields at `paths`, and without maps that are left empty by it."""
    # The shortest first: an item of a list is found by its key only while it has it.
    for path in sorted(paths, key=len):
        obj = _without(model, obj, path)
    return obj


def _without(kind: str, value: t.Any, path: Path) -> t.Any:
    element, rest = path[0], path[1:]
    if isinstance(value, list):
        return _without_item(kind, value, element, rest)
    if not isinstance(value, dict) or element[2:] not in value:
        return value
    name = element[2:]
    left = dict(value)
    if not rest:
        del left[name]
        return left
    container = schema.container(kind)
    child_kind = container[2] if container else schema.fields(kind).get(name, "object")
    left[name] = _without(child_kind or "object", left[name], rest)
    if left[name] in ({}, []) and schema.container(child_kind or ""):
        del left[name]
    return left


def _without_item(kind: str, items: list[t.Any], element: str, rest: Path) -> list[t.Any]:
    container = schema.container(kind)
    item_type = container[1] if container else "object"
    left = []
    for item in items:
        if list_element(item_type, item) != element:
            left.append(item)
        elif rest:
            left.append(_without(item_type, item, rest))
    return left
