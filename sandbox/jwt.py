# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Web Tokens by HS256: of a Supabase project, and of service accounts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t

HEADER = {"alg": "HS256", "typ": "JWT"}


class TokenError(Exception):
    """Why a token is refused, in the gateway's words."""


def sign(secret: str, claims: t.Mapping[str, t.Any]) -> str:
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
