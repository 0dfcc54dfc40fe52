# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the caller is and what it may do: whoever holds the token is the sandbox's administrator."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.errors import Object, forbidden

if t.TYPE_CHECKING:
    from sandbox.faults import Faults
    from sandbox.kubernetes.routing import Target

USER = "easymo-deployer"
GROUPS = ["system:masters", "system:authenticated"]


VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def allowed(faults: Faults, verb: str, resource: str, subresource: str = "") -> bool:
    """Unless the fault `forbidden` names just this, as in `get pods/log`."""
    path = f"{resource}/{subresource}" if subresource else resource
    return not any(
        (fault.component, fault.name, fault.target) == ("kubernetes", "forbidden", f"{verb} {path}")
        for fault in faults.all()
    )


def admit(faults: Faults, target: Target, method: str, *, watching: bool) -> None:
    """403 in the server's words for what is forbidden."""
    reading = "watch" if watching else "get" if target.name else "list"
    verb, resource = VERBS.get(method, reading), target.resource
    if allowed(faults, verb, resource.plural, target.subresource):
        return
    path = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    where = f' in the namespace "{target.namespace}"' if target.namespace else ""
    why = f'User "{USER}" cannot {verb} resource "{path}" in API group "{resource.group}"{where}'
    raise forbidden(resource, target.name, why)


def review(kind: str, api_version: str, body: Object, faults: Faults) -> Object:
    """The answer to a self subject review: the request with its status filled in."""
    answered: Object = {"kind": kind, "apiVersion": api_version, "metadata": {}}
    if kind == "SelfSubjectReview":
        return answered | {"status": {"userInfo": {"username": USER, "groups": GROUPS}}}
    answered["spec"] = body.get("spec", {})
    if kind == "SelfSubjectRulesReview":
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        paths = {"verbs": ["*"], "nonResourceURLs": ["*"]}
        status = {"resourceRules": [everything], "nonResourceRules": [paths], "incomplete": False}
        return answered | {"status": status}
    asked = answered["spec"].get("resourceAttributes") or {}
    verb, resource = asked.get("verb", ""), asked.get("resource", "")
    if not allowed(faults, verb, resource, asked.get("subresource", "")):
        return answered | {"status": {"allowed": False}}
    return answered | {"status": {"allowed": True, "reason": f'"{USER}" is in system:masters'}}
