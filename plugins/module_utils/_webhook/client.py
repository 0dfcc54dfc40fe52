# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that sends requests to a webhook."""

from __future__ import annotations

import traceback

from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._library import Library
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.models import Answer, Request

try:
    import requests

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

REQUESTS = Library("requests >= 2.32", IMPORT_ERROR)


class HttpWebhook:
    """A Webhook over HTTP. Nothing is repeated: each message counts."""

    def __init__(self, url: str, *, ca_cert: str | None, timeout: int) -> None:
        self._url = url
        self._verify: str | bool = ca_cert or True
        self._timeout = timeout

    def send(self, request: Request) -> Answer:
        try:
            answer = requests.request(
                request.method,
                self._url,
                headers=dict(request.headers),
                params=dict(request.query),
                data=request.body or None,
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.RequestException as exc:
            # The exception's text holds the query, and with it the verify token.
            raise UnreachableError(
                f"The webhook {self._url} did not answer within {self._timeout} s ({type(exc).__name__}): "
                "check that the function is deployed and reachable from here."
            ) from None
        return Answer(answer.status_code, answer.text)
