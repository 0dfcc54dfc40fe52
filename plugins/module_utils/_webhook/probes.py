# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Which requests prove that a webhook accepts what it must and refuses the rest.

The forms are those of Meta's webhook protocol: a challenge to verify the address, and notifications whose raw body is
signed with HMAC-SHA256 in the header X-Hub-Signature-256.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

from .models import Answer, Form, Message, Probe, Reply, Request

SIGNATURE = "X-Hub-Signature-256"
REFUSED = (401, 403)
CLIENT_ERROR = range(400, 500)
DEFAULT = Form()


def plan_guards(
    *, verify_token: str, app_secret: str, challenge: str, oversized_bytes: int
) -> list[Probe]:
    """What touches nothing, whoever answers: the challenges, and what must be refused."""
    refusals = _refusals(app_secret, challenge)
    if oversized_bytes:
        refusals.append(_oversized(app_secret, oversized_bytes))
    return [*_challenges(verify_token, challenge), *refusals]


def plan_delivery(app_secret: str, challenge: str) -> Probe:
    """A well signed notification without a message, which is to be taken: read receipts are sent so, too."""
    body = envelope({"statuses": [], "metadata": {"probe": f"signed.{challenge}"}})

    def judge(answer: Answer) -> str:
        if answer.status == 200:
            return ""
        return f"a well signed notification was answered {answer.status} instead of 200: check the app secret"

    return Probe(
        "signed notification", Request("POST", headers=sign(body, app_secret), body=body), judge
    )


def plan_messages(
    messages: t.Iterable[Message],
    *,
    app_secret: str,
    challenge: str,
    prefix: str,
    form: Form = DEFAULT,
) -> list[Probe]:
    return [
        _message(message, form, app_secret, f"wamid.{prefix}.{challenge}.{number}")
        for number, message in enumerate(messages)
    ]


def _challenges(verify_token: str, challenge: str) -> list[Probe]:
    def query(token: str) -> dict[str, str]:
        return {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}

    def echoes(answer: Answer) -> str:
        if answer.status == 200 and answer.text == challenge:
            return ""
        if answer.status == 200:
            return "the challenge was answered 200 but not echoed: something else answers"
        return f"the challenge was answered {answer.status} instead of being echoed: check the verify token"

    return [
        Probe("verification challenge", Request("GET", query=query(verify_token)), echoes),
        Probe(
            "challenge with a wrong token",
            Request("GET", query=query(f"not-{challenge}")),
            _refused("a challenge with a wrong token", *REFUSED),
        ),
    ]


def _refusals(app_secret: str, challenge: str) -> list[Probe]:
    malformed = b'{"object": "whatsapp_business_account", "entry": 1'

    # Without a message in them: a webhook that takes them all the same has no user to answer.
    unsigned, forged = (
        envelope({"statuses": [], "metadata": {"probe": f"{kind}.{challenge}"}})
        for kind in ("unsigned", "forged")
    )
    return [
        Probe(
            "unsigned message",
            Request("POST", headers={"Content-Type": "application/json"}, body=unsigned),
            _refused("a message without signature", *REFUSED),
        ),
        Probe(
            "wrongly signed message",
            Request("POST", headers=sign(forged, f"{app_secret}-not"), body=forged),
            _refused("a message with a wrong signature", *REFUSED),
        ),
        Probe(
            "malformed message",
            Request("POST", headers=sign(malformed, app_secret), body=malformed),
            _refused("a malformed message", 400, 422),
        ),
    ]


def _oversized(app_secret: str, size: int) -> Probe:
    """Well signed and without a message, so that whoever takes it has nothing to act upon."""
    head = {"object": "whatsapp_business_account", "entry": [], "padding": ""}
    padding = size - len(json.dumps(head))
    body = json.dumps({**head, "padding": "x" * max(padding, 0)}).encode()

    def judge(answer: Answer) -> str:
        if answer.status in CLIENT_ERROR:
            return ""
        return (
            f"a body of {size} bytes was answered {answer.status} instead of 413: limit the "
            "webhook's body size"
        )

    return Probe(
        "oversized message", Request("POST", headers=sign(body, app_secret), body=body), judge
    )


def _refused(what: str, *expected: int) -> t.Callable[[Answer], str]:
    def judge(answer: Answer) -> str:
        if answer.status in expected:
            return ""
        wanted = " or ".join(map(str, expected))
        meant = ": the webhook must refuse this" if answer.status == 200 else ""
        return f"{what} was answered {answer.status} instead of {wanted}{meant}"

    return judge


def _message(message: Message, form: Form, app_secret: str, message_id: str) -> Probe:
    body = notification(message, message_id)

    def judge(answer: Answer) -> str:
        if answer.status != 200:
            return f"the signed message was answered {answer.status} instead of 200"
        reply = form.read(answer.text, message_id)
        return _judge_reply(message, reply) if reply else ""

    def unclear(answer: Answer) -> str:
        asks = message.route or message.reply_contains or message.buttons is not None
        if not asks or form.read(answer.text, message_id):
            return ""
        return "the answer does not tell what was replied"

    def described(answer: Answer) -> str:
        reply = form.read(answer.text, message_id) or Reply()
        agent = f" ({reply.agent})" if reply.agent else ""
        went = f", went to {reply.route}{agent}" if reply.route else ""
        return f"accepted with {answer.status}{went}"

    request = Request("POST", headers=sign(body, app_secret), body=body)
    return Probe(message.name, request, judge, message, message_id, unclear, described)


def _judge_reply(message: Message, reply: Reply) -> str:
    if message.route and reply.route != message.route:
        return f"it went to {reply.route or 'an unknown route'} instead of {message.route}"
    if message.reply_contains.lower() not in reply.text.lower():
        return f"the reply does not say {message.reply_contains!r}, it says {reply.text[:100]!r}"
    if message.buttons is not None and reply.buttons is not message.buttons:
        return f"the reply has {'no' if message.buttons else ''} buttons".replace("  ", " ")
    return ""


def describe(probe: Probe, answer: Answer) -> str:
    """What was seen of a probe that passed."""
    if probe.message is not None:
        return probe.described(answer)
    taken = "echoed" if probe.request.method == "GET" else "taken"
    return taken if answer.status == 200 else f"refused with {answer.status}"


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
    return envelope(value)


def envelope(value: t.Mapping[str, t.Any]) -> bytes:
    changes = [{"field": "messages", "value": value}]
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": changes}]}
    ).encode()


def sign(body: bytes, app_secret: str) -> dict[str, str]:
    digest = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", SIGNATURE: f"sha256={digest}"}
