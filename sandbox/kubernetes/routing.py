# SPDX-License-Identifier: GPL-3.0-or-later
"""A request's path and query, understood: which resource, which object, which options."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from sandbox.kubernetes.errors import ApiError, bad_request
from sandbox.kubernetes.resources import Resource, find


@dataclass(frozen=True)
class Target:
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    """What a proxy is asked for."""


@functools.lru_cache(maxsize=4096)
def parse_path(path: str) -> Target | None:
    """`/apis/apps/v1/namespaces/shop/deployments/web/scale` and its shorter kin; None for no resource."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"]:
        group, version, rest = "", parts[1] if len(parts) > 1 else "", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 2:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    # /namespaces/x and /namespaces/x/status are about the namespace itself.
    if len(rest) > 2 and rest[0] == "namespaces" and find(group, version, rest[2]):
        namespace, rest = rest[1], rest[2:]
    resource = find(group, version, rest[0]) if rest else None
    if resource is None:
        return None
    if rest[2:3] == ["proxy"]:
        return Target(resource, namespace, rest[1], "proxy", "/".join(rest[3:]))
    return Target(resource, namespace, *rest[1:]) if len(rest) <= 3 else None


Query = t.Mapping[str, str]


def flag(query: Query, name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


def seconds(query: Query, name: str) -> int | None:
    return whole_number(query, name) if query.get(name) else None


def whole_number(query: Query, name: str) -> int:
    text = query.get(name) or "0"
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseUint: parsing "{text}": invalid syntax') from None


@dataclass(frozen=True)
class WriteOptions:
    """What the query of a write asks for."""

    manager: str
    dry_run: bool = False
    validation: str = "Warn"
    force: bool = False
    manager_given: bool = False

    @classmethod
    def of(cls, query: Query, user_agent: str) -> WriteOptions:
        dry_run = query.get("dryRun", "")
        if dry_run not in ("", "All"):
            message = f'Invalid value: "{dry_run}": dryRun must be All'
            raise ApiError(422, "Invalid", message)
        given = query.get("fieldManager", "")
        return cls(
            # Who does not say their name is known by their program's.
            manager=given or user_agent.partition("/")[0][:128] or "unknown",
            dry_run=dry_run == "All",
            validation=query.get("fieldValidation") or "Warn",
            force=flag(query, "force"),
            manager_given=bool(given),
        )
