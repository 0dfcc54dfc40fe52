# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._webhook.models import (
    Answer,
    Message,
    Request,
)
from ansible_collections.easymo.deploy.plugins.module_utils._webhook.probes import plan_probes

TOKEN, SECRET = "right-token", "right-secret"
ASKED = Message("asked", "250780000001", "I need vegetables", "agent")


class GoodWebhook:
    """Behaves as the protocol says; `broken` switches one of its guards off."""

    def __init__(self, broken: str = "", route: str = "agent") -> None:
        self.broken = broken
        self.route = route

    def send(self, request: Request) -> Answer:
        return self._challenge(request) if request.method == "GET" else self._receive(request)

    def _challenge(self, request: Request) -> Answer:
        if request.query["hub.verify_token"] != TOKEN and self.broken != "token":
            return Answer(403, "")
        if self.broken == "echo":
            return Answer(200, "hello")
        return Answer(200, request.query["hub.challenge"])

    def _receive(self, request: Request) -> Answer:
        expected = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
        given = request.headers.get("X-Hub-Signature-256", "")
        if not given and self.broken != "unsigned":
            return Answer(401, "")
        if given not in ("", f"sha256={expected}") and self.broken != "signature":
            return Answer(401, "")
        try:
            entry = json.loads(request.body)["entry"]
        except ValueError:
            return Answer(500 if self.broken == "malformed" else 400, "")
        message = entry[0]["changes"][0]["value"]["messages"][0]
        return Answer(
            200, json.dumps({"replies": [{"message_id": message["id"], "route": self.route}]})
        )


def failures(webhook: GoodWebhook) -> dict[str, str]:
    probes = plan_probes([ASKED], verify_token=TOKEN, app_secret=SECRET, challenge="c0ffee")
    judged = {probe.name: probe.judge(webhook.send(probe.request)) for probe in probes}
    return {name: detail for name, detail in judged.items() if detail}


def test_a_webhook_that_keeps_the_protocol_passes_every_probe() -> None:
    assert failures(GoodWebhook()) == {}


@pytest.mark.parametrize(
    ("broken", "probe"),
    [
        ("echo", "verification challenge"),
        ("token", "challenge with a wrong token"),
        ("unsigned", "unsigned message"),
        ("signature", "wrongly signed message"),
        ("malformed", "malformed message"),
    ],
)
def test_each_missing_guard_is_found_by_its_probe(broken: str, probe: str) -> None:
    assert list(failures(GoodWebhook(broken))) == [probe]


def test_a_message_on_the_wrong_route_is_reported_with_both_routes() -> None:
    assert failures(GoodWebhook(route="menu")) == {"asked": "it went to menu instead of agent"}
