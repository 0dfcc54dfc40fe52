# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a preflight looks at, and what it finds."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field

from .._cluster import Object

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Problem:
    """`deployment` is empty for what concerns them all."""

    deployment: str
    check: str
    severity: str
    message: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.deployment}: {self.message}" if self.deployment else self.message


@dataclass(frozen=True)
class Reference:
    """A ConfigMap or Secret that a pod template needs; `keys` are those it names one by one."""

    kind: str
    name: str
    keys: frozenset[str]


@dataclass(frozen=True)
class Right:
    """One verb on one resource, and what a rollout does with it."""

    verb: str
    group: str
    resource: str
    subresource: str
    purpose: str
    severity: str = ERROR

    def __str__(self) -> str:
        path = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {path}{f'.{self.group}' if self.group else ''}"


RIGHTS = (
    Right("get", "apps", "deployments", "", "read a Deployment"),
    Right("list", "apps", "deployments", "", "see Deployments"),
    Right("watch", "apps", "deployments", "", "follow a rollout in few requests", WARNING),
    Right("patch", "apps", "deployments", "", "release, restart and undo"),
    Right("list", "apps", "replicasets", "", "tell new pods from old ones"),
    Right("list", "", "pods", "", "tell why a rollout fails"),
    Right("watch", "", "pods", "", "follow a rollout in few requests", WARNING),
    Right("delete", "", "pods", "", "replace a pod on a bad node", WARNING),
    Right("get", "", "pods", "log", "find start-up lines and show why pods crash"),
    Right("list", "", "events", "", "show why pods do not start", WARNING),
    Right("get", "", "configmaps", "", "read the release record and its pins"),
)
"""What the rollout module asks of the server."""


@dataclass(frozen=True)
class Facts:
    """Everything that was seen of a namespace, as the server tells it.

    `held`: by kind and name, the keys of what pod templates refer to; None when it is not there.
    `unseen`: what could not be looked at, and why.
    `release`: the one that is about to be rolled, empty when nobody says so.
    """

    deployments: t.Mapping[str, Object]
    troubled: t.Mapping[str, str]
    """By name, what the current pods of a Deployment suffer from, in words."""
    autoscalers: t.Sequence[Object] = ()
    budgets: t.Sequence[Object] = ()
    quotas: t.Sequence[Object] = ()
    held: t.Mapping[tuple[str, str], frozenset[str] | None] = field(default_factory=dict)
    denied: t.Sequence[Right] = ()
    unseen: t.Sequence[str] = ()
    release: str = ""
