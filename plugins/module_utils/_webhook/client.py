# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that sends requests to a webhook."""

from __future__ import annotations

import time

from .._http import request, requests
from .models import Answer, Request

LONGEST_ANSWER = 1024 * 1024
"""Bytes of an answer that are read: a webhook that goes on talking must not fill our memory."""


class HttpWebhook:
    """A Webhook over HTTP. Nothing is repeated: each message counts."""

    def __init__(self, url: str, *, ca_cert: str | None, timeout: int) -> None:
        self._url = url
        self._ca_cert = ca_cert
        self._timeout = timeout

    def send(self, sent: Request) -> Answer:
        deadline = time.monotonic() + self._timeout
        try:
            with request(
                sent.method,
                self._url,
                headers=dict(sent.headers),
                params=dict(sent.query),
                data=sent.body or None,
                timeout=self._timeout,
                ca_cert=self._ca_cert,
                stream=True,
            ) as answer:
                return Answer(answer.status_code, _read(answer, deadline))
        except requests.exceptions.SSLError:
            return Answer(0, "TLS failed: set 'ca_cert' to the authority that signed it")
        except requests.exceptions.Timeout:
            return Answer(0, f"no answer within {self._timeout} s")
        except requests.RequestException as exc:
            # The exception's own text holds the query, and with it the verify token.
            return Answer(0, f"no answer ({type(exc).__name__})")


def _read(answer: requests.Response, deadline: float) -> str:
    """The body; the timeout of requests begins anew with each byte, the deadline does not."""
    body = b""
    for chunk in answer.iter_content(16 * 1024):
        body += chunk
        if len(body) > LONGEST_ANSWER or time.monotonic() > deadline:
            raise requests.exceptions.Timeout
    return body.decode(answer.encoding or "utf-8", errors="replace")
