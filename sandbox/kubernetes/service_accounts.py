# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what, and the tokens of service accounts, as the TokenRequest API gives them.

Roles and RoleBindings of a namespace: https://kubernetes.io/docs/reference/access-authn-authz/rbac/. Of cluster roles
only the two are played that every cluster gives to all its users, system:basic-user and system:discovery.
https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/. A cluster signs with
RS256; nobody but the cluster verifies it, so here it is HS256.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from sandbox.kubernetes.errors import ApiError, Cause, Object

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
        role = store.get("roles", namespace, reference["name"])
    except ApiError:
        return []
    return t.cast("list[Object]", role.get("rules") or [])


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


AUDIENCE = "https://kubernetes.default.svc.cluster.local"
LEAST_SECONDS = 600
DEFAULT_SECONDS = 3600
PREFIX = "system:serviceaccount:"


def token(secret: str, namespace: str, name: str, seconds: int) -> str:
    now = int(time.time())
    claims = {
        "aud": [AUDIENCE],
        "iss": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name}},
        "sub": f"{PREFIX}{namespace}:{name}",
    }
    return jwt.encode(claims, secret)


def user_of(store: Store, secret: str, given: str) -> User | None:
    """None: no token of ours, one that has expired, or one of an account that is gone."""
    try:
        claims = jwt.decode(given, secret, algorithms=["HS256"], options={"verify_aud": False})
        namespace, name = claims["sub"].removeprefix(PREFIX).split(":")
        store.record("serviceaccounts", namespace, name)
    except (jwt.InvalidTokenError, ApiError, KeyError, ValueError):
        return None
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(claims["sub"], groups)


def answer(secret: str, namespace: str, name: str, body: Object) -> Object:
    spec = body.get("spec") or {}
    seconds = int(spec.get("expirationSeconds") or DEFAULT_SECONDS)
    if seconds < LEAST_SECONDS:
        field, words = "spec.expirationSeconds", "may not specify a duration less than 10 minutes"
        cause = Cause(field, f"Invalid value: {seconds}: {words}")
        message = f'TokenRequest.authentication.k8s.io "" is invalid: {field}: {cause.message}'
        raise ApiError(422, "Invalid", message, {"causes": [cause.to_dict()]})
    expires = datetime.fromtimestamp(int(time.time()) + seconds, UTC)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"audiences": [AUDIENCE], **spec, "expirationSeconds": seconds},
        "status": {
            "token": token(secret, namespace, name, seconds),
            "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
