# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Call functions as anybody would, all of them at once, until each is well or time is up."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .._errors import UnreachableError
from .._http import NoAnswerError, send
from .probe import Answer, Gateway, Probe, verdict

PARALLEL = 8


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
    def __init__(self, url: str, *, ca_cert: str | None, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._ca_cert = ca_cert
        self._timeout = timeout

    def ask(self, probe: Probe) -> Answer:
        path = f"/{probe.path.lstrip('/')}" if probe.path else ""
        try:
            answer = send(
                probe.method,
                f"{self._url}/{probe.slug}{path}",
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
    deadline = time.monotonic() + timeout

    def until_well(probe: Probe) -> ProbeResult:
        while True:
            outcome = _probe(probe, gateway)
            if not outcome.problem or time.monotonic() + pause > deadline:
                return outcome
            time.sleep(pause)

    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(until_well, probes))


def _probe(probe: Probe, gateway: Gateway) -> ProbeResult:
    began = time.monotonic()
    try:
        answer = gateway.ask(probe)
    except UnreachableError as exc:
        return ProbeResult(probe.slug, str(exc), 0, time.monotonic() - began)
    return ProbeResult(probe.slug, verdict(probe, answer), answer.status, time.monotonic() - began)
