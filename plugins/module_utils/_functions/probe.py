# SPDX-License-Identifier: GPL-3.0-or-later
"""Call functions until each responds well or time is up. A function's response differs from the platform's."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._errors import DeployError, UnreachableError
from .._http import NoAnswerError, send
from .._side_by_side import Looking, Patience

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


@dataclass(frozen=True)
class FunctionAnswer:
    status: int
    headers: t.Mapping[str, str]
    text: str


class Gateway(t.Protocol):
    def ask(self, probe: FunctionProbe) -> FunctionAnswer:
        """Raises UnreachableError."""


def verdict(probe: FunctionProbe, answer: FunctionAnswer) -> str:
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


def platform_code(answer: FunctionAnswer) -> str:
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


@dataclass(frozen=True)
class FunctionProbeResult:
    """`problem` is empty for a function that is well."""

    slug: str
    problem: str
    status: int
    seconds: float
    """Of its last answer."""

    def to_result(self) -> dict[str, t.Any]:
        return {
            "name": self.slug,
            "passed": not self.problem,
            "detail": self.problem,
            "status": self.status,
            "seconds": round(self.seconds, 3),
        }


class HttpGateway:
    """`url` has C({service}) for a probe's slug, or ends where that follows."""

    def __init__(self, url: str, *, ca_cert: str | None, timeout: float) -> None:
        self._url = url if "{service}" in url else f"{url.rstrip('/')}/{{service}}"
        self._ca_cert = ca_cert
        self._timeout = timeout

    def ask(self, probe: FunctionProbe) -> FunctionAnswer:
        path = f"/{probe.path.lstrip('/')}" if probe.path else ""
        try:
            answer = send(
                probe.method,
                f"{self._url.replace('{service}', probe.slug)}{path}",
                timeout=self._timeout,
                ca_cert=self._ca_cert,
            )
        except NoAnswerError as exc:
            raise UnreachableError(f"it {exc.problem}") from None
        return FunctionAnswer(answer.status, answer.headers, answer.text)


def probe_all(
    probes: t.Sequence[FunctionProbe], gateway: Gateway, *, timeout: float, pause: float
) -> list[FunctionProbeResult]:
    """In the order of the probes. `timeout` and `pause` in seconds."""
    return Looking(
        look=gateway.ask,
        judge=_judge,
        well=lambda outcome: not outcome.problem,
        patience=Patience(timeout, pause),
    ).at_all(probes)


def _judge(
    probe: FunctionProbe, answer: FunctionAnswer | DeployError, seconds: float
) -> FunctionProbeResult:
    if isinstance(answer, DeployError):
        return FunctionProbeResult(probe.slug, str(answer), 0, seconds)
    return FunctionProbeResult(probe.slug, verdict(probe, answer), answer.status, seconds)
