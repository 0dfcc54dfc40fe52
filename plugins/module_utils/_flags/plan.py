# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which flags and annotations of a flags ConfigMap change. Pure; values.py checks the requested values."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, field

from .._cluster import (
    FENCE_ANNOTATION,
    FIELD_MANAGER,
    KILL_SWITCH_EPOCH_ANNOTATION,
    RAMP_ANNOTATION,
    Object,
    Operation,
    Texts,
    escape,
    operation,
    read_object,
)
from .._decode import under
from .._errors import ConflictError

Changes = t.Mapping[str, "str | None"]
"""New values by key; None removes a key. Keys that are not named stay."""


@dataclass(frozen=True)
class _Managed:
    """An entry of managedFields: a manager's own keys of the data and annotations."""

    manager: str = ""
    operation: str = ""
    data: t.Mapping[str, t.Any] = under("fieldsV1.f:data", default_factory=dict)
    annotations: t.Mapping[str, t.Any] = under(
        "fieldsV1.f:metadata.f:annotations", default_factory=dict
    )


@dataclass(frozen=True, kw_only=True)
class _ConfigMap:
    resource_version: str = under("metadata.resourceVersion", required=True)
    annotations: Texts = under("metadata.annotations", default_factory=dict)  # noqa: RUF009 - frozen
    data: Texts = field(default_factory=dict)
    immutable: bool = False
    managed: tuple[_Managed, ...] = under("metadata.managedFields", default=())


@dataclass(frozen=True)
class FlagsMap:
    """The ConfigMap as observed; `exists` is false before it is created."""

    name: str
    exists: bool = False
    resource_version: str = ""
    data: t.Mapping[str, str] = field(default_factory=dict)
    annotations: t.Mapping[str, str] = field(default_factory=dict)
    immutable: bool = False
    owned: frozenset[str] = frozenset()
    """The keys of the data that server-side apply knows as ours."""
    owned_annotations: frozenset[str] = frozenset()
    managers: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other field managers of each key."""

    @classmethod
    def from_json(cls, name: str, body: Object | None) -> FlagsMap:
        if body is None:
            return cls(name=name)
        known = read_object(_ConfigMap, body, "ConfigMap")
        owned: set[str] = set()
        owned_annotations: set[str] = set()
        managers: dict[str, tuple[str, ...]] = {}
        for entry in known.managed:
            keys = _keys(entry.data)
            if entry.manager == FIELD_MANAGER and entry.operation == "Apply":
                owned |= keys
                owned_annotations |= _keys(entry.annotations)
            elif entry.manager != FIELD_MANAGER:
                for key in keys:
                    managers[key] = (*managers.get(key, ()), entry.manager)
        return cls(
            name=name,
            exists=True,
            resource_version=known.resource_version,
            data=known.data,
            annotations=known.annotations,
            immutable=known.immutable,
            owned=frozenset(owned),
            owned_annotations=frozenset(owned_annotations),
            managers=managers,
        )


@dataclass(frozen=True)
class Wish:
    """A writer's request: flags as to_values returns them, and annotations.

    `fence`: the epoch of the deploy lock of the write, 0 without a lock.
    """

    flags: Changes = field(default_factory=dict)
    annotations: Changes = field(default_factory=dict)
    fence: int = 0


@dataclass(frozen=True)
class FlagsPlan:
    """`applied`: fields for server-side apply. `removed`: keys to remove, whatever their manager."""

    before: FlagsMap
    wish: Wish
    after: t.Mapping[str, str]
    annotations: t.Mapping[str, str]
    """All annotations afterwards."""
    applied: t.Mapping[str, str]
    applied_annotations: t.Mapping[str, str]
    removed: tuple[str, ...]
    overruled: tuple[str, ...]
    """Managers whose value is changed."""

    @property
    def writes(self) -> bool:
        return self.changed or dict(self.annotations) != dict(self.before.annotations)

    @property
    def changed(self) -> bool:
        """Whether anything becomes different but an epoch."""
        return (
            (not self.before.exists and bool(self.wish.flags or self.wish.annotations))
            or self.moves
            or _without_epochs(self.annotations) != _without_epochs(self.before.annotations)
        )

    @property
    def moves(self) -> bool:
        """Whether a flag gets another value."""
        return dict(self.after) != dict(self.before.data)

    @property
    def checksum(self) -> str:
        return checksum(self.after)

    def to_object(self, namespace: str) -> Object:
        """The object to apply. Its resourceVersion makes the server refuse it after another change."""
        metadata: Object = {"name": self.before.name, "namespace": namespace}
        if self.before.exists:
            metadata["resourceVersion"] = self.before.resource_version
        if self.applied_annotations:
            metadata["annotations"] = dict(self.applied_annotations)
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": dict(self.applied),
        }

    def to_removal(self, body: Object) -> list[Operation]:
        """The patch that removes keys of other managers from the applied `body`; [] for none."""
        left = [f"/data/{key}" for key in self.removed if key in (body.get("data") or {})]
        present = body["metadata"].get("annotations") or {}
        left += [
            f"/metadata/annotations/{escape(key)}"
            for key, value in self.wish.annotations.items()
            if value is None and key in present
        ]
        version = body["metadata"]["resourceVersion"]
        test = operation("test", "/metadata/resourceVersion", version)
        return [test, *({"op": "remove", "path": path} for path in left)] if left else []

    def differing(self, current: FlagsMap) -> list[str]:
        """The requested keys and annotations that differ in `current`."""
        return sorted(
            {k for k in self.wish.flags if current.data.get(k) != self.after.get(k)}.union(
                k
                for k in self.wish.annotations
                # A later switch raises its epoch, and a later verdict on the ramp's step changes the step's state.
                if k != KILL_SWITCH_EPOCH_ANNOTATION
                and not (k == RAMP_ANNOTATION and self.wish.flags)
                and current.annotations.get(k) != self.annotations.get(k)
            )
        )


def plan_flags(observed: FlagsMap, flags: Changes, annotations: Changes | None = None) -> FlagsPlan:
    """`flags` as to_values returns them. Raises ConflictError for a ConfigMap that cannot be changed."""
    wish = Wish(flags, annotations or {})
    wanted = {key: value for key, value in flags.items() if value is not None}
    removed = tuple(key for key, value in flags.items() if value is None and key in observed.data)
    moved = [*removed, *(k for k, v in wanted.items() if observed.data.get(k) != v)]
    if moved and observed.immutable:
        raise ConflictError(
            f"ConfigMap {observed.name!r} is immutable, so its flags cannot be changed: delete it and "
            "create it again without 'immutable', then try again. Pods keep their flags."
        )
    return FlagsPlan(
        before=observed,
        wish=wish,
        after=_after(observed.data, flags),
        annotations=_after(observed.annotations, wish.annotations),
        applied=_applied(observed.data, observed.owned, flags),
        applied_annotations=_applied(
            observed.annotations, observed.owned_annotations, wish.annotations
        ),
        removed=removed,
        overruled=tuple(
            sorted({manager for key in moved for manager in observed.managers.get(key, ())})
        ),
    )


def checksum(data: t.Mapping[str, str]) -> str:
    """Of all that pods read from the ConfigMap when they start."""
    return hashlib.sha256(json.dumps(dict(data), sort_keys=True).encode()).hexdigest()


def _without_epochs(annotations: t.Mapping[str, str]) -> dict[str, str]:
    epochs = (FENCE_ANNOTATION, KILL_SWITCH_EPOCH_ANNOTATION)
    return {name: value for name, value in annotations.items() if name not in epochs}


def _after(present: t.Mapping[str, str], changes: Changes) -> dict[str, str]:
    return {k: v for k, v in {**present, **changes}.items() if v is not None}


def _applied(
    present: t.Mapping[str, str], owned: frozenset[str], changes: Changes
) -> dict[str, str]:
    """All keys of ours, changed or not: server-side apply removes an owned key that is left out."""
    return _after({k: v for k, v in present.items() if k in owned}, changes)


def _keys(fields: t.Mapping[str, t.Any]) -> set[str]:
    return {key[2:] for key in fields if key.startswith("f:")}
