# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask Prometheus for one number, or for every series."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field

from .._errors import InputError, UnreachableError
from .._http import NoAnswerError, pooled, send
from .._monitoring_server import MonitoringServer
from .models import Sample, failed_sample


@dataclass(frozen=True)
class Prometheus:
    """An HTTP API of Prometheus."""

    server: MonitoringServer
    timeout: float
    # Each question borrows one: requests does not promise that a session serves several threads.
    _sessions: list[t.Any] = field(default_factory=list, repr=False, compare=False)
    _answered: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    def sample(self, query: str) -> Sample:
        """InputError when the query itself is wrong; everything else that is no number is a missing sample."""
        asked = self._ask(query)
        if isinstance(asked, Sample):
            return asked
        sample = read_answer(*asked)
        at = evaluated_at(asked[1])
        if at is not None:
            if at <= self._answered.get(query, 0.0):
                return Sample(None, "the answer is not newer than the previous one")
            self._answered[query] = at
        return sample

    def vector(self, query: str) -> Vector:
        """Every series of the answer, for what is only looked at."""
        asked = self._ask(query)
        if isinstance(asked, Sample):
            return Vector((), asked.problem)
        return read_vector(*asked)

    def _ask(self, query: str) -> Sample | tuple[int, t.Any]:
        session = self._borrowed()
        try:
            answer = send(
                "POST",
                f"{self.server.url}/api/v1/query",
                data={"query": query},
                session=session,
                timeout=self.timeout,
                **self.server.how,
            )
        except NoAnswerError as exc:
            # Time mends no certificate.
            cure = "" if exc.error is UnreachableError else f": {exc.cure}"
            return failed_sample(f"Prometheus {exc.problem}{cure}")
        finally:
            self._sessions.append(session)
        if answer.status in (401, 403):
            return failed_sample(
                f"Prometheus refused the request (HTTP {answer.status}): correct 'token', or 'username' and 'password'"
            )
        try:
            return answer.status, answer.json()
        except ValueError:
            return failed_sample(f"Prometheus did not answer with JSON (HTTP {answer.status})")

    def _borrowed(self) -> t.Any:
        try:
            return self._sessions.pop()
        except IndexError:
            return pooled(1)


@dataclass(frozen=True)
class Vector:
    """Series as their labels and their value. Without an answer, `problem` says why."""

    series: tuple[tuple[t.Mapping[str, str], float], ...]
    problem: str = ""


def read_vector(status: int, document: t.Any) -> Vector:
    """Of /api/v1/query: all series with a finite number."""
    problem = _problem(status, document)
    if problem:
        return Vector((), problem)
    data: dict[str, t.Any] = document.get("data") or {}
    if data.get("resultType") != "vector":
        raise InputError(f"The query gives a {data.get('resultType')} and should give series.")
    found = ((entry["metric"], float(entry["value"][1])) for entry in data["result"])
    return Vector(tuple(one for one in found if math.isfinite(one[1])))


def read_answer(status: int, document: t.Any) -> Sample:
    """Of /api/v1/query: one series with one finite number, or why there is none."""
    problem = _problem(status, document)
    if problem:
        return failed_sample(problem)
    data: dict[str, t.Any] = document.get("data") or {}
    result: t.Any = data.get("result")
    kind = data.get("resultType")
    if kind not in ("scalar", "vector"):
        raise InputError(f"The query gives a {kind} and should give one number.")
    texts = [result[1]] if kind == "scalar" else [one["value"][1] for one in result]
    if not texts:
        return Sample(None, "no series")
    if len(texts) > 1:
        return failed_sample(f"{len(texts)} series where one is expected")
    value = float(texts[0])
    if not math.isfinite(value):
        return Sample(None, f"the value is {texts[0]}", error=math.isinf(value))
    return Sample(value)


def evaluated_at(document: t.Any) -> float | None:
    """When the answer was worked out: a cache in between may give an old one."""
    try:
        data = document["data"]
        first = data["result"] if data["resultType"] == "scalar" else data["result"][0]["value"]
        return float(first[0])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _problem(status: int, document: t.Any) -> str:
    if not isinstance(document, dict):
        return f"Prometheus answered {status} without its own JSON"
    if document.get("errorType") == "bad_data":
        raise InputError(f"Prometheus rejects the query: {document.get('error')}.")
    if document.get("status") != "success":
        return f"Prometheus answered {status}: {document.get('error', 'no reason given')}"
    return ""
