# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which keys of a flags ConfigMap change. Values are checked before anything is touched."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FIELD_MANAGER,
    Object,
    Operation,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError

NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
BOOLEANS = {True: "true", False: "false"}


@dataclass(frozen=True)
class FlagsMap:
    """The ConfigMap as observed; `exists` false for one to be made."""

    name: str
    exists: bool = False
    resource_version: str = ""
    data: t.Mapping[str, str] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()
    """The keys that server-side apply knows as ours."""
    managers: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who else sets a key, by key."""

    @classmethod
    def from_json(cls, name: str, body: Object | None) -> FlagsMap:
        if body is None:
            return cls(name=name)
        owned: set[str] = set()
        managers: dict[str, tuple[str, ...]] = {}
        for entry in body["metadata"].get("managedFields") or []:
            keys = _data_keys(entry.get("fieldsV1") or {})
            if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply":
                owned |= keys
            elif entry.get("manager") != FIELD_MANAGER:
                for key in keys:
                    managers[key] = (*managers.get(key, ()), entry.get("manager", ""))
        return cls(
            name=name,
            exists=True,
            resource_version=body["metadata"]["resourceVersion"],
            data=body.get("data") or {},
            owned=frozenset(owned),
            managers=managers,
        )


@dataclass(frozen=True)
class FlagsPlan:
    """`applied` is what server-side apply declares; `removed` goes, whoever set it."""

    before: FlagsMap
    after: t.Mapping[str, str]
    applied: t.Mapping[str, str]
    removed: tuple[str, ...]
    overruled: tuple[str, ...]
    """Managers whose value is changed."""

    @property
    def changed(self) -> bool:
        return not self.before.exists or dict(self.after) != dict(self.before.data)

    @property
    def checksum(self) -> str:
        return checksum(self.after)

    def to_object(self, namespace: str) -> Object:
        """What to apply. The resourceVersion makes the server refuse what was changed meanwhile."""
        metadata = {"name": self.before.name, "namespace": namespace}
        if self.before.exists:
            metadata["resourceVersion"] = self.before.resource_version
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": dict(self.applied),
        }

    def to_removal(self, resource_version: str) -> list[Operation]:
        return [
            {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
            *({"op": "remove", "path": f"/data/{key}"} for key in self.removed),
        ]


def plan_flags(observed: FlagsMap, flags: t.Mapping[str, str | None]) -> FlagsPlan:
    """`flags` as to_values returns them: None takes a flag out. Flags not named stay."""
    wanted = {key: value for key, value in flags.items() if value is not None}
    removed = tuple(key for key, value in flags.items() if value is None and key in observed.data)
    moved = [*removed, *(k for k, v in wanted.items() if observed.data.get(k) != v)]
    # Server-side apply drops the keys it owns and is not told of: so tell all of ours.
    kept = {k: observed.data[k] for k in observed.owned if k in observed.data and k not in flags}
    return FlagsPlan(
        before=observed,
        after={**{k: v for k, v in observed.data.items() if k not in removed}, **wanted},
        applied={**kept, **wanted},
        removed=removed,
        overruled=tuple(
            sorted({manager for key in moved for manager in observed.managers.get(key, ())})
        ),
    )


def to_values(flags: t.Mapping[str, t.Any], bounds: t.Mapping[str, t.Any]) -> dict[str, str | None]:
    """Typed values as an environment holds them. Refuses what the platform would misread."""
    for name in bounds:
        _check_name(name, "bounds")
    return {name: _to_value(name, value, bounds.get(name)) for name, value in flags.items()}


def checksum(data: t.Mapping[str, str]) -> str:
    """Of all that pods read from the ConfigMap when they start."""
    return hashlib.sha256(json.dumps(dict(data), sort_keys=True).encode()).hexdigest()


def _to_value(name: str, value: t.Any, bounds: t.Any) -> str | None:
    _check_name(name, "flags")
    if value is None:
        return None
    if isinstance(value, bool):
        text = BOOLEANS[value]
    elif isinstance(value, (int, str)):
        text = str(value)
    else:
        raise InputError(
            f"The flag {name} is {value!r}, a {type(value).__name__}: it may be true, false, an integer "
            "or a text."
        )
    if text in ("True", "False"):
        raise InputError(
            f"The flag {name} is the text {text!r}, which the platform does not read as a boolean: write "
            f"{text.lower()}."
        )
    if bounds is not None:
        _check_bounds(name, value, bounds)
    return text


def _check_name(name: str, option: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(
            f"{option!r} names {name!r}, which is no environment variable: use A-Z, 0-9 and _, not "
            "beginning with a digit."
        )


def _check_bounds(name: str, value: t.Any, bounds: t.Any) -> None:
    low, high = _bounds_of(name, bounds)
    number = int(value) if not isinstance(value, bool) and _is_integer(value) else None
    if number is None or not low <= number <= high:
        raise InputError(
            f"The flag {name} is {value!r}: it must be an integer from {low} to {high}."
        )


def _bounds_of(name: str, bounds: t.Any) -> tuple[int, int]:
    if (
        isinstance(bounds, (list, tuple))
        and len(bounds) == 2
        and all(_is_integer(one) for one in bounds)
        and int(bounds[0]) <= int(bounds[1])
    ):
        return int(bounds[0]), int(bounds[1])
    raise InputError(
        f"The bounds of {name} are {bounds!r}: they must be two integers, the lower first, like [0, 100]."
    )


def _is_integer(value: t.Any) -> bool:
    return re.fullmatch(r"-?\d+", str(value)) is not None


def _data_keys(fields: Object) -> set[str]:
    return {key[2:] for key in fields.get("f:data") or {} if key.startswith("f:")}
