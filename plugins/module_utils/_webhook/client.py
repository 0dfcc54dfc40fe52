# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that sends requests to a webhook."""

from __future__ import annotations

import time
import traceback

from ansible_collections.easymo.deploy.plugins.module_utils._library import Library
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.models import Answer, Request

try:
    import requests

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

REQUESTS = Library("requests >= 2.32", IMPORT_ERROR)

LONGEST_ANSWER = 1024 * 1024
"""Bytes of an answer that are read: a webhook that goes on talking must not fill our memory."""


class HttpWebhook:
    """A Webhook over HTTP. Nothing is repeated: each message counts."""

    def __init__(self, url: str, *, ca_cert: str | None, timeout: int) -> None:
        self._url = url
        self._verify: str | bool = ca_cert or True
        self._timeout = timeout

    def send(self, request: Request) -> Answer:
        deadline = time.monotonic() + self._timeout
        try:
            with requests.request(
                request.method,
                self._url,
                headers=dict(request.headers),
                params=dict(request.query),
                data=request.body or None,
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
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
