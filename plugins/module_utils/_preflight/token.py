# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a token outlives the release, as its own claim tells. It is read, not verified, and never shown."""

from __future__ import annotations

import base64
import json
import typing as t
from datetime import datetime, timedelta

from .._time import UTC
from .models import Finding, Ground, Kind, Options, failed, held, passed, skipped


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    needed = timedelta(minutes=options["minutes"])
    return [judge(options["token"], ground.now, needed)]


def judge(token: str, now: datetime, needed: timedelta) -> Finding:
    if not token:
        return held("it is empty: set it")
    claims = read_claims(token)
    if claims is None:
        return skipped("it is opaque: only its issuer knows its expiry")
    ends = claims.get("exp")
    if ends is None:
        return passed("it never expires")
    try:
        until = datetime.fromtimestamp(float(ends), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return held("its expiry cannot be read")
    left = int((until - now).total_seconds() // 60)
    if until <= now:
        return failed(f"it expired at {until:%Y-%m-%d %H:%M UTC}: get a new one")
    if until < now + needed:
        return failed(
            f"it expires at {until:%Y-%m-%d %H:%M UTC}, in {left} minutes, but the release may take "
            f"{int(needed.total_seconds() // 60)}: get a new one"
        )
    return passed(f"it is valid until {until:%Y-%m-%d %H:%M UTC}")


def read_claims(token: str) -> dict[str, t.Any] | None:
    """The payload of a JSON Web Token; None for what is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


KIND = Kind(
    look,
    {
        "token": {"type": "str", "required": True, "no_log": True},
        "minutes": {"type": "int", "default": 0},
    },
)
