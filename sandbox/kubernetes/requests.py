# SPDX-License-Identifier: GPL-3.0-or-later
"""A request understood: its path and query, and whether the caller may do that."""

from __future__ import annotations

import functools
import time
import typing as t
from dataclasses import dataclass

from aiohttp import web

from sandbox.kubernetes import service_accounts
from sandbox.kubernetes.errors import ApiError, Object, bad_request, forbidden
from sandbox.kubernetes.resources import Resource, find
from sandbox.kubernetes.service_accounts import User

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.store import Store


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


def whole_number(query: Query, name: str) -> int:
    text = query.get(name) or "0"
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseUint: parsing "{text}": invalid syntax') from None


@dataclass(frozen=True)
class WriteOptions:
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


CALLER = web.RequestKey("caller", User)
"""Whose request it is."""

RBAC_CACHES_FILL = 1.3
"""Seconds after its port opened for which a kube-apiserver 1.36.2 that restarts denies what roles allow (measured).

Its audit log has no `authorization.k8s.io/reason` at first, so the message does not differ from a missing right's.
"""

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def wanted_of(target: Target, method: str, *, watching: bool) -> service_accounts.Request:
    reading = "watch" if watching else "get" if target.name else "list"
    verb, resource = VERBS.get(method, reading), target.resource
    path = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    return service_accounts.Request(verb, resource.group, path, target.namespace, target.name)


class Authorizer:
    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._caches_filled = 0.0

    def restart(self) -> None:
        """The server begins to listen again: it knows no role until its caches are filled."""
        self._caches_filled = time.monotonic() + RBAC_CACHES_FILL

    def admit(self, user: User, target: Target, method: str, *, watching: bool) -> None:
        wanted = wanted_of(target, method, watching=watching)
        if self._allows(user, wanted):
            return
        where = (
            f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        )
        what = f'{wanted.verb} resource "{wanted.resource}" in API group "{wanted.group}"'
        why = f'User "{user.name}" cannot {what} {where}'
        raise forbidden(target.resource, target.name, why)

    def review(self, kind: str, api_version: str, body: Object, user: User) -> Object:
        """The answer to a self subject review: the request with its status filled in."""
        answered: Object = {"kind": kind, "apiVersion": api_version, "metadata": {}}
        if kind == "SelfSubjectReview":
            who = {"username": user.name, "groups": list(user.groups)}
            return answered | {"status": {"userInfo": who}}
        answered["spec"] = body.get("spec", {})
        if kind == "SelfSubjectRulesReview":
            rules = service_accounts.resource_rules(
                self._store, user, answered["spec"].get("namespace", "")
            )
            status = {
                "resourceRules": rules,
                "nonResourceRules": service_accounts.path_rules(user),
                "incomplete": False,
            }
            return answered | {"status": status}
        wanted = answered["spec"].get("resourceAttributes") or {}
        names = ("verb", "group", "resource", "subresource", "namespace", "name")
        verb, group, path, subresource, namespace, name = (wanted.get(key, "") for key in names)
        path += f"/{subresource}" if subresource else ""
        request = service_accounts.Request(verb, group, path, namespace, name)
        return answered | {"status": {"allowed": self._allows(user, request)}}

    def _allows(self, user: User, wanted: service_accounts.Request) -> bool:
        """Unless the fault `forbidden` names just this, as in `get pods/log`."""
        named = f"{wanted.verb} {wanted.resource}"
        if any(
            (fault.component, fault.name, fault.target) == ("kubernetes", "forbidden", named)
            for fault in self._faults.all()
        ):
            return False
        if service_accounts.MASTERS in user.groups:
            return True
        if time.monotonic() < self._caches_filled:
            return False
        return service_accounts.permits(
            service_accounts.resource_rules(self._store, user, wanted.namespace), wanted
        )
