# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that sends requests to a webhook."""

from __future__ import annotations

from .._http import NoAnswerError, send
from .models import Answer, Request

LONGEST_ANSWER = 1024 * 1024
"""Bytes of an answer that are read."""


class HttpWebhook:
    """A Webhook over HTTP. Nothing is repeated: each message counts."""

    def __init__(self, url: str, *, ca_cert: str | None, timeout: int) -> None:
        self._url = url
        self._ca_cert = ca_cert
        self._timeout = timeout

    def send(self, sent: Request) -> Answer:
        try:
            answer = send(
                sent.method,
                self._url,
                headers=dict(sent.headers),
                params=dict(sent.query),
                data=sent.body or None,
                timeout=self._timeout,
                ca_cert=self._ca_cert,
                largest=LONGEST_ANSWER,
            )
        except NoAnswerError as exc:
            return Answer(0, f"it {exc.problem}")
        return Answer(answer.status, answer.text)
