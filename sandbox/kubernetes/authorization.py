# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller may do: what RBAC says, less what a fault forbids."""

from __future__ import annotations

import time
import typing as t

from aiohttp import web

from sandbox.kubernetes import rbac
from sandbox.kubernetes.errors import Object, forbidden
from sandbox.kubernetes.rbac import User

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.routing import Target
    from sandbox.kubernetes.store import Store

CALLER = web.RequestKey("caller", User)
"""Whose request it is."""

RBAC_CACHES_FILL = 1.3
"""Seconds after its port opened for which a kube-apiserver 1.36.2 that restarts denies what roles allow (measured).

Its audit log has no `authorization.k8s.io/reason` at first, so the message does not differ from a missing right's.
"""

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Authorizer:
    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._caches_filled = 0.0

    def restart(self) -> None:
        """The server begins to listen again: it knows no role until its caches are filled."""
        self._caches_filled = time.monotonic() + RBAC_CACHES_FILL

    def admit(self, user: User, target: Target, method: str, *, watching: bool) -> None:
        """403 in the server's words for what is forbidden."""
        reading = "watch" if watching else "get" if target.name else "list"
        verb, resource = VERBS.get(method, reading), target.resource
        path = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
        asked = rbac.Request(verb, resource.group, path, target.namespace, target.name)
        if self._allows(user, asked):
            return
        where = (
            f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        )
        why = f'User "{user.name}" cannot {verb} resource "{path}" in API group "{resource.group}" {where}'
        raise forbidden(resource, target.name, why)

    def review(self, kind: str, api_version: str, body: Object, user: User) -> Object:
        """The answer to a self subject review: the request with its status filled in."""
        answered: Object = {"kind": kind, "apiVersion": api_version, "metadata": {}}
        if kind == "SelfSubjectReview":
            who = {"username": user.name, "groups": list(user.groups)}
            return answered | {"status": {"userInfo": who}}
        answered["spec"] = body.get("spec", {})
        if kind == "SelfSubjectRulesReview":
            rules = rbac.resource_rules(self._store, user, answered["spec"].get("namespace", ""))
            status = {
                "resourceRules": rules,
                "nonResourceRules": rbac.path_rules(user),
                "incomplete": False,
            }
            return answered | {"status": status}
        asked = answered["spec"].get("resourceAttributes") or {}
        subresource = asked.get("subresource", "")
        path = asked.get("resource", "") + (f"/{subresource}" if subresource else "")
        request = rbac.Request(
            asked.get("verb", ""),
            asked.get("group", ""),
            path,
            asked.get("namespace", ""),
            asked.get("name", ""),
        )
        return answered | {"status": {"allowed": self._allows(user, request)}}

    def _allows(self, user: User, asked: rbac.Request) -> bool:
        """Unless the fault `forbidden` names just this, as in `get pods/log`."""
        named = f"{asked.verb} {asked.resource}"
        if any(
            (fault.component, fault.name, fault.target) == ("kubernetes", "forbidden", named)
            for fault in self._faults.all()
        ):
            return False
        if rbac.MASTERS in user.groups:
            return True
        if time.monotonic() < self._caches_filled:
            return False
        return rbac.permits(rbac.resource_rules(self._store, user, asked.namespace), asked)
