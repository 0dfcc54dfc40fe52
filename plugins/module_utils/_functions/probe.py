# SPDX-License-Identifier: GPL-3.0-or-later
"""How a function is called, and whether it or the platform answered."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._arguments import options_or_refusal
from .._errors import UnreachableError
from .._http import Answer, NoAnswerError, send

_OPTIONS = {
    "method": {"type": "str", "choices": ["GET", "HEAD", "OPTIONS", "POST"], "default": "GET"},
    "path": {"type": "str", "default": ""},
    "status": {"type": "list", "elements": "int", "default": []},
    "skip": {"type": "bool", "default": False},
}
"""Of a probe, which a fragment leaves open because names of functions are its keys."""

_PLATFORM = frozenset(
    {"NOT_FOUND", "NOT_FOUND_FUNCTION_BLOB", "BOOT_ERROR", "WORKER_ERROR", "WORKER_LIMIT", "WORKER_RESOURCE_LIMIT"}
)  # fmt: skip
UNAUTHORIZED = "UNAUTHORIZED"
_SHOWN = 120


@dataclass(frozen=True)
class FunctionProbe:
    """`status` empty: any that shows the function at work. `version` empty: none is expected."""

    slug: str
    method: str = "GET"
    path: str = ""
    status: tuple[int, ...] = ()
    version: str = ""


def verdict(probe: FunctionProbe, answer: Answer) -> str:
    """The problem, or ""."""
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
    version = _object(answer.text).get("version")
    if probe.version and isinstance(version, str) and version != probe.version:
        return f"it tells version {version} instead of {probe.version}"
    return ""


def platform_code(answer: Answer) -> str:
    """The platform's word for why it answered in the function's place, empty when the function spoke."""
    code = answer.headers.get("sb-error-code") or _object(answer.text).get("code")
    if code in _PLATFORM:
        return str(code)
    unauthorized = answer.status == 401 and (code == 401 or str(code).startswith(UNAUTHORIZED))
    return UNAUTHORIZED if unauthorized else ""


def _object(text: str) -> dict[str, t.Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _short(text: str) -> str:
    return " ".join(text.split())[:_SHOWN] or "nothing"


def call(probe: FunctionProbe, options: t.Mapping[str, t.Any], timeout: float) -> Answer:
    """Of the options `functions_url` and `ca_cert`; `timeout` in seconds. Raises UnreachableError."""
    path = f"/{probe.path.lstrip('/')}" if probe.path else ""
    try:
        return send(
            probe.method,
            f"{options['functions_url'].rstrip('/')}/{probe.slug}{path}",
            timeout=timeout,
            ca_cert=options["ca_cert"],
        )
    except NoAnswerError as exc:
        raise UnreachableError(f"it {exc.problem}") from None


def read_probes(
    names: t.Sequence[str], probes: t.Mapping[str, t.Any], version: str = ""
) -> list[FunctionProbe]:
    """Of the functions of these names that may be called. Raises InputError."""
    spec = {name: {"type": "dict", "options": _OPTIONS, "apply_defaults": True} for name in names}
    given = options_or_refusal(spec, probes)
    return [
        FunctionProbe(name, each["method"], each["path"], tuple(each["status"]), version)
        for name, each in ((name, given[name]) for name in names)
        if not each["skip"]
    ]
