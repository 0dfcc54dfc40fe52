# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask Prometheus for one number."""

from __future__ import annotations

import math
import threading
import traceback
import typing as t
from dataclasses import dataclass, field

try:
    import requests

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Sample
from ansible_collections.easymo.deploy.plugins.module_utils._library import Library

REQUESTS = Library("requests >= 2.32", IMPORT_ERROR)


@dataclass(frozen=True)
class Prometheus:
    """An HTTP API of Prometheus. `token` is a bearer token."""

    url: str
    timeout: float
    ca_cert: str | None = None
    token: str | None = field(default=None, repr=False)
    # One session for each thread: requests does not promise that one serves several.
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    def sample(self, query: str) -> Sample:
        """InputError when the query itself is wrong; everything else that is no number is a missing sample."""
        try:
            answer = self._session().post(
                f"{self.url.rstrip('/')}/api/v1/query", data={"query": query}, timeout=self.timeout
            )
            document = answer.json()
        except requests.exceptions.Timeout:
            return Sample(None, f"Prometheus did not answer within {self.timeout:g} s")
        except requests.exceptions.SSLError:
            return Sample(None, "TLS with Prometheus failed; check 'ca_cert'")
        except requests.exceptions.ConnectionError:
            return Sample(None, "Prometheus cannot be reached")
        except (requests.exceptions.RequestException, ValueError) as exc:
            return Sample(None, f"Prometheus gave no answer of its own ({type(exc).__name__})")
        return read_answer(answer.status_code, document)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.verify = self.ca_cert or True
            if self.token:
                session.headers["Authorization"] = f"Bearer {self.token}"
            self._local.session = session
        return session


def read_answer(status: int, document: t.Any) -> Sample:
    """Of /api/v1/query: one series with one finite number, or why there is none."""
    if not isinstance(document, dict):
        return Sample(None, f"Prometheus answered {status} without its own JSON")
    if document.get("errorType") == "bad_data":
        raise InputError(f"Prometheus does not understand the query: {document.get('error')}.")
    if document.get("status") != "success":
        return Sample(
            None, f"Prometheus answered {status}: {document.get('error', 'no reason given')}"
        )
    data: dict[str, t.Any] = document.get("data") or {}
    result: t.Any = data.get("result")
    if data.get("resultType") == "scalar":
        return _number(result[1])
    if data.get("resultType") != "vector":
        raise InputError(f"The query gives a {data.get('resultType')} and should give one number.")
    if not result:
        return Sample(None, "no series")
    if len(result) > 1:
        return Sample(None, f"{len(result)} series where one is expected")
    return _number(result[0]["value"][1])


def _number(text: str) -> Sample:
    value = float(text)
    return Sample(value) if math.isfinite(value) else Sample(None, f"the value is {text}")
