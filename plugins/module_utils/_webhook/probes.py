# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Which requests prove that a WhatsApp webhook accepts what it must and refuses the rest.

The forms are those of Meta's webhook protocol: a challenge to verify the address, and notifications whose raw body is
signed with HMAC-SHA256 in the header X-Hub-Signature-256.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._webhook.models import (
    Answer,
    Message,
    Probe,
    Request,
)

SIGNATURE = "X-Hub-Signature-256"


def plan_probes(
    messages: t.Iterable[Message], *, verify_token: str, app_secret: str, challenge: str
) -> list[Probe]:
    """The refusals first: they touch nothing, so a webhook that lets anyone in is found before a message is sent."""
    signed = [
        _message(message, app_secret, f"wamid.{challenge}.{number}")
        for number, message in enumerate(messages)
    ]
    return [*_challenges(verify_token, challenge), *_refusals(app_secret), *signed]


def _challenges(verify_token: str, challenge: str) -> list[Probe]:
    def query(token: str) -> dict[str, str]:
        return {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}

    def echoes(answer: Answer) -> str:
        if answer.status == 200 and answer.text == challenge:
            return ""
        return f"the challenge was answered {answer.status} instead of being echoed: check the verify token"

    return [
        Probe("verification challenge", Request("GET", query=query(verify_token)), echoes),
        Probe(
            "challenge with a wrong token",
            Request("GET", query=query(f"not-{challenge}")),
            _refused("a challenge with a wrong token", 401, 403),
        ),
    ]


def _refusals(app_secret: str) -> list[Probe]:
    body = notification(Message("unsigned", "250780000000", "test"), "wamid.unsigned")
    malformed = b'{"object": "whatsapp_business_account", "entry": 1'
    return [
        Probe(
            "unsigned message",
            Request("POST", headers={"Content-Type": "application/json"}, body=body),
            _refused("a message without signature", 401, 403),
        ),
        Probe(
            "wrongly signed message",
            Request("POST", headers=sign(body, f"{app_secret}-not"), body=body),
            _refused("a message with a wrong signature", 401, 403),
        ),
        Probe(
            "malformed message",
            Request("POST", headers=sign(malformed, app_secret), body=malformed),
            _refused("a malformed message", 400, 422),
        ),
    ]


def _refused(what: str, *expected: int) -> t.Callable[[Answer], str]:
    def judge(answer: Answer) -> str:
        if answer.status in expected:
            return ""
        return f"{what} was answered {answer.status} instead of {' or '.join(map(str, expected))}"

    return judge


def _message(message: Message, app_secret: str, message_id: str) -> Probe:
    body = notification(message, message_id)

    def judge(answer: Answer) -> str:
        if answer.status != 200:
            return f"the signed message was answered {answer.status} instead of 200"
        route = route_of(answer.text, message_id)
        if message.route and route != message.route:
            return f"it went to {route or 'nobody knows where'} instead of {message.route}"
        return ""

    return Probe(message.name, Request("POST", headers=sign(body, app_secret), body=body), judge)


def notification(message: Message, message_id: str) -> bytes:
    value = {
        "messages": [
            {
                "from": message.sender,
                "id": message_id,
                "type": "text",
                "text": {"body": message.text},
            }
        ]
    }
    changes = [{"field": "messages", "value": value}]
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": changes}]}
    ).encode()


def sign(body: bytes, app_secret: str) -> dict[str, str]:
    digest = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", SIGNATURE: f"sha256={digest}"}


def route_of(text: str, message_id: str) -> str:
    """Where the platform says the message went; empty when it does not say."""
    try:
        replies = json.loads(text)["replies"]
        return next(str(reply["route"]) for reply in replies if reply["message_id"] == message_id)
    except (ValueError, KeyError, TypeError, StopIteration):
        return ""
