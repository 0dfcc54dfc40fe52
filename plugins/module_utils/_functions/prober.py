# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Call functions as anybody would, all of them at once, until each is well or time is up."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import DeployError, UnreachableError
from .._http import NoAnswerError, send
from .._side_by_side import Looking, Patience
from .probe import Answer, Gateway, Probe, verdict


@dataclass(frozen=True)
class ProbeResult:
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

    def ask(self, probe: Probe) -> Answer:
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
        return Answer(answer.status, answer.headers, answer.text)


def probe_all(
    probes: t.Sequence[Probe], gateway: Gateway, *, timeout: float, pause: float
) -> list[ProbeResult]:
    """In the order of the probes. `timeout` and `pause` in seconds."""
    return Looking(
        look=gateway.ask,
        judge=_judge,
        well=lambda outcome: not outcome.problem,
        patience=Patience(timeout, pause),
    ).at_all(probes)


def _judge(probe: Probe, answer: Answer | DeployError, seconds: float) -> ProbeResult:
    if isinstance(answer, DeployError):
        return ProbeResult(probe.slug, str(answer), 0, seconds)
    return ProbeResult(probe.slug, verdict(probe, answer), answer.status, seconds)
