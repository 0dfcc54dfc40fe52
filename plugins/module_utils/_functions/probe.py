# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What an answer of a function's address proves: the function itself spoke, or the platform spoke in its place."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

_PLATFORM = frozenset(
    {"NOT_FOUND", "NOT_FOUND_FUNCTION_BLOB", "BOOT_ERROR", "WORKER_ERROR", "WORKER_LIMIT", "WORKER_RESOURCE_LIMIT"}
)  # fmt: skip
UNAUTHORIZED = "UNAUTHORIZED"
_SHOWN = 120


@dataclass(frozen=True)
class Probe:
    """`status` empty: any that shows the function at work. `version` empty: none is expected."""

    slug: str
    method: str = "GET"
    path: str = ""
    status: tuple[int, ...] = ()
    version: str = ""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: t.Mapping[str, str]
    text: str


class Gateway(t.Protocol):
    def ask(self, probe: Probe) -> Answer:
        """Raises UnreachableError."""


def verdict(probe: Probe, answer: Answer) -> str:
    """What is wrong, empty when nothing is."""
    code = platform_code(answer)
    if code == UNAUTHORIZED:
        return "the gateway requires a JWT"
    if code:
        return f"the platform answered {answer.status} {code}"
    if probe.status and answer.status not in probe.status:
        wanted = " or ".join(map(str, probe.status))
        return f"it answered {answer.status} instead of {wanted}: {_short(answer.text)}"
    if not probe.status and answer.status >= 500:
        return f"it answered {answer.status}: {_short(answer.text)}"
    told = _object(answer.text).get("version")
    if probe.version and isinstance(told, str) and told != probe.version:
        return f"it tells version {told} instead of {probe.version}"
    return ""


def platform_code(answer: Answer) -> str:
    """The platform's word for why it answered in the function's place, empty when the function spoke."""
    code = answer.headers.get("sb-error-code") or _object(answer.text).get("code")
    if code in _PLATFORM:
        return str(code)
    asked = answer.status == 401 and (code == 401 or str(code).startswith(UNAUTHORIZED))
    return UNAUTHORIZED if asked else ""


def _object(text: str) -> dict[str, t.Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _short(text: str) -> str:
    return " ".join(text.split())[:_SHOWN] or "nothing"
