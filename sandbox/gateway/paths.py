# SPDX-License-Identifier: GPL-3.0-or-later
"""Which service a public path belongs to, and the path there: pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# Whole areas of the public API that one service answers under the same path.
AREAS = {"admin": "agent-core", "agents": "agent-core"}


@dataclass(frozen=True)
class Target:
    service: str
    path: str
    """Starts with a slash; has no query."""
    health: bool = False


def resolve(path: str, services: t.Collection[str]) -> Target | None:
    """Where `path` goes, given the services that exist; None when it goes nowhere.

    `/health/<service>` is that service's health; `/admin/…` and `/agents/…` are agent-core's;
    `/internal/<service>/…`, `/<service>/…` and `/<service without -service>/…` are that service's `/…`.
    """
    first, _, rest = path.removeprefix("/").partition("/")
    if first == "health":
        return Target(rest, "/health", health=True) if rest in services else None
    if first in AREAS:
        return Target(AREAS[first], path)
    if first == "internal":
        first, _, rest = rest.partition("/")
        return Target(first, f"/{rest}") if first in services else None
    for service in (first, f"{first}-service"):
        if service in services:
            return Target(service, f"/{rest}")
    return None
