# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of service accounts, as the TokenRequest API gives them.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/. A cluster signs with
RS256; nobody but the cluster verifies it, so here it is HS256.
"""

from __future__ import annotations

import time
import typing as t
from datetime import UTC, datetime

from sandbox import jwt
from sandbox.kubernetes.errors import ApiError, Cause, Object
from sandbox.kubernetes.rbac import AUTHENTICATED, User

if t.TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

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
    return jwt.sign(secret, claims)


def user_of(store: Store, secret: str, given: str) -> User | None:
    """None: no token of ours, one that has expired, or one of an account that is gone."""
    try:
        claims = jwt.verify(secret, given, now=time.time())
        namespace, name = claims["sub"].removeprefix(PREFIX).split(":")
        store.record("serviceaccounts", namespace, name)
    except (jwt.TokenError, ApiError, KeyError, ValueError):
        return None
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(claims["sub"], groups)


def answer(secret: str, namespace: str, name: str, body: Object) -> Object:
    """The TokenRequest with its status."""
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
