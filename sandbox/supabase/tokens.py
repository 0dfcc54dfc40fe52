# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's JSON Web Tokens: HS256, as Supabase's legacy anon and service_role keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t

HEADER = {"alg": "HS256", "typ": "JWT"}
ISSUED_AT = 1_740_000_000
EXPIRES_AT = 2_055_576_000


class TokenError(Exception):
    """Why a token is refused, in the gateway's words."""


def mint(secret: str, *, role: str, project_ref: str) -> str:
    claims = {
        "iss": "supabase",
        "ref": project_ref,
        "role": role,
        "iat": ISSUED_AT,
        "exp": EXPIRES_AT,
    }
    signed = f"{_encode(json.dumps(HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
    return f"{signed}.{_encode(_signature(secret, signed))}"


def verify(secret: str, token: str, *, now: float) -> dict[str, t.Any]:
    """The claims of a token signed with `secret` that has not expired at `now`."""
    signed, _, signature = token.rpartition(".")
    try:
        header, claims = (json.loads(_decode(part)) for part in signed.split("."))
        given = _decode(signature)
        if header["alg"] != "HS256":
            raise ValueError(header["alg"])
        expires = float(claims.get("exp", now + 1))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise TokenError("Invalid Token or Protected Header formatting") from exc
    if not hmac.compare_digest(given, _signature(secret, signed)) or expires <= now:
        raise TokenError("Invalid JWT")
    return t.cast("dict[str, t.Any]", claims)


def _signature(secret: str, signed: str) -> bytes:
    return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
