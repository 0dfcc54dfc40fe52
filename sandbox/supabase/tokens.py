# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's JSON Web Tokens, as Supabase's legacy anon and service_role keys."""

from __future__ import annotations

from sandbox.jwt import sign

ISSUED_AT = 1_740_000_000
EXPIRES_AT = 2_055_576_000


def mint(secret: str, *, role: str, project_ref: str) -> str:
    claims = {
        "iss": "supabase",
        "ref": project_ref,
        "role": role,
        "iat": ISSUED_AT,
        "exp": EXPIRES_AT,
    }
    return sign(secret, claims)
