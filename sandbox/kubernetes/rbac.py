# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: Roles and RoleBindings of a namespace, and what every authenticated user may.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/. Of cluster roles only the two are played that every
cluster gives to all its users, system:basic-user and system:discovery.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from sandbox.kubernetes.errors import ApiError, Object

if t.TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
EVERYTHING: Object = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
EVERY_PATH: Object = {"nonResourceURLs": ["*"], "verbs": ["*"]}
BASIC_USER: Object = {
    "apiGroups": ["authentication.k8s.io", "authorization.k8s.io"],
    "resources": ["selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    "verbs": ["create"],
}
DISCOVERY: Object = {
    "nonResourceURLs": [
        "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
        "/readyz", "/version", "/version/",
    ],
    "verbs": ["get"],
}  # fmt: skip


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...]


ADMINISTRATOR = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


@dataclass(frozen=True)
class Request:
    """`resource` with its subresource, as in "pods/log"."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def resource_rules(store: Store, user: User, namespace: str) -> list[Object]:
    """The rules that hold for `user` in `namespace`."""
    if MASTERS in user.groups:
        return [EVERYTHING]
    rules = [BASIC_USER]
    for record in store.records("rolebindings", namespace) if namespace else ():
        binding = record.body
        if any(_is(subject, user, namespace) for subject in binding.get("subjects") or ()):
            rules += _role(store, namespace, binding["roleRef"])
    return rules


def path_rules(user: User) -> list[Object]:
    return [EVERY_PATH] if MASTERS in user.groups else [DISCOVERY]


def permits(rules: t.Iterable[Object], request: Request) -> bool:
    return any(_covers(rule, request) for rule in rules)


def _is(subject: Object, user: User, namespace: str) -> bool:
    match subject.get("kind"):
        case "ServiceAccount":
            of = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{of}:{subject['name']}"
        case "Group":
            return subject["name"] in user.groups
    return bool(subject.get("kind") == "User" and subject["name"] == user.name)


def _role(store: Store, namespace: str, reference: Object) -> list[Object]:
    if reference.get("kind") != "Role":
        return []
    try:
        found = store.get("roles", namespace, reference["name"])
    except ApiError:
        return []
    return t.cast("list[Object]", found.get("rules") or [])


def _covers(rule: Object, request: Request) -> bool:
    names = rule.get("resourceNames") or ()
    _, slash, subresource = request.resource.partition("/")
    resources = {request.resource, "*", *([f"*/{subresource}"] if slash else [])}
    return bool(
        {request.verb, "*"} & set(rule.get("verbs") or ())
        and {request.group, "*"} & set(rule.get("apiGroups") or ())
        and resources & set(rule.get("resources") or ())
        and (not names or request.name in names)
    )
