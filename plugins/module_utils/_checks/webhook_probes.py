# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests prove that a webhook accepts what it must and refuses the rest, and what must come back.

The forms are those of Meta's webhook protocol: a challenge to verify the address, and notifications whose raw body is
signed with HMAC-SHA256 in the header X-Hub-Signature-256.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t
from dataclasses import dataclass, field

from .._templates import search


@dataclass(frozen=True)
class Message:
    """A text message from a user, and what the platform must do with it; what is empty is not checked."""

    name: str
    sender: str
    text: str
    route: str = ""
    reply_contains: str = ""
    buttons: bool | None = None
    """Whether the reply must offer buttons, or must not."""
    recorded_in: tuple[str, ...] = ()
    """Tables that must have a row with the message's id."""
    not_recorded_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProbeRequest:
    method: str
    headers: t.Mapping[str, str] = field(default_factory=dict)
    query: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class ProbeAnswer:
    """`status` is 0 when there was none, and `text` then says why."""

    status: int
    text: str


@dataclass(frozen=True)
class Reply:
    """What the answer tells of the reply to a message."""

    route: str = ""
    text: str = ""
    buttons: bool = False
    agent: str = ""


@dataclass(frozen=True)
class Form:
    """Where in an answer the reply to a message is, as JMESPath, and below it what is told of it.

    `reply` has C({message_id}) for the message's. Empty, and the answer tells nothing but that the message was taken.
    """

    reply: str = "replies[?message_id=='{message_id}'] | [0]"
    route: str = "route"
    text: str = "text"
    buttons: str = "buttons"
    agent: str = "agent"

    def read(self, answer: str, message_id: str) -> Reply | None:
        """None when the answer does not tell."""
        if not self.reply:
            return None
        try:
            document = json.loads(answer)
        except ValueError:
            return None
        reply = search(self.reply.replace("{message_id}", message_id), document)
        if reply is None:
            return None
        texts = {name: search(getattr(self, name), reply) for name in ("route", "text", "agent")}
        return Reply(
            **{name: str(value or "") for name, value in texts.items()},
            buttons=bool(search(self.buttons, reply)),
        )


@dataclass(frozen=True)
class WebhookProbe:
    """One exchange: what is sent, and `judge`, which says what is wrong with the answer or an empty string.

    `unclear` says what a good answer leaves open.
    """

    name: str
    request: ProbeRequest
    judge: t.Callable[[ProbeAnswer], str]
    message: Message | None = None
    message_id: str = ""
    unclear: t.Callable[[ProbeAnswer], str] = lambda _answer: ""
    described: t.Callable[[ProbeAnswer], str] = lambda answer: f"accepted with {answer.status}"


@dataclass(frozen=True)
class ProbeResult:
    """What came of one probe. `evidence` is what was seen, or what is wrong with it."""

    name: str
    passed: bool
    status: int
    seconds: float
    evidence: str
    message_id: str = ""
    unclear: str = ""
    """What the answer leaves open of where the message went."""
    unseen: bool = False
    """It failed for this alone: it was answered as it should, and the log did not name it in time."""

    def to_result(self) -> dict[str, t.Any]:
        row: dict[str, t.Any] = {
            "name": self.name,
            "outcome": "fail" if not self.passed else "unknown" if self.unclear else "pass",
            "status": self.status or None,
            "seconds": round(self.seconds, 3),
            "evidence": self.evidence,
        }
        return {**row, "message_id": self.message_id} if self.message_id else row


class Webhook(t.Protocol):
    def send(self, request: ProbeRequest) -> ProbeAnswer: ...


class Sightings(t.Protocol):
    """Looks where an accepted message leaves a trace. Each look is one; DeployError when it can't be taken."""

    def logged(self, message_ids: t.Collection[str]) -> frozenset[str]:
        """Those of the ids that the function's log names."""

    def recorded(self, table: str, message_ids: t.Collection[str]) -> frozenset[str]:
        """Those of the ids that have a row in the table."""


SIGNATURE = "X-Hub-Signature-256"
REFUSED = (401, 403)
CLIENT_ERROR = range(400, 500)
DEFAULT = Form()


def plan_guards(
    *, verify_token: str, app_secret: str, challenge: str, oversized_bytes: int
) -> list[WebhookProbe]:
    """What touches nothing, whatever server answers: the challenges, and what must be refused."""
    refusals = _refusals(app_secret, challenge)
    if oversized_bytes:
        refusals.append(_oversized(app_secret, oversized_bytes))
    return [*_challenges(verify_token, challenge), *refusals]


def plan_delivery(app_secret: str, challenge: str) -> WebhookProbe:
    """A well signed notification without a message, which is to be taken: read receipts are sent so, too."""
    body = envelope({"statuses": [], "metadata": {"probe": f"signed.{challenge}"}})

    def judge(answer: ProbeAnswer) -> str:
        if answer.status == 200:
            return ""
        return f"a well signed notification was answered {answer.status} instead of 200: check the app secret"

    return WebhookProbe(
        "signed notification",
        ProbeRequest("POST", headers=sign(body, app_secret), body=body),
        judge,
    )


def plan_messages(
    messages: t.Iterable[Message],
    *,
    app_secret: str,
    challenge: str,
    prefix: str,
    form: Form = DEFAULT,
) -> list[WebhookProbe]:
    return [
        _message(message, form, app_secret, f"wamid.{prefix}.{challenge}.{number}")
        for number, message in enumerate(messages)
    ]


def _challenges(verify_token: str, challenge: str) -> list[WebhookProbe]:
    def query(token: str) -> dict[str, str]:
        return {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}

    def echoes(answer: ProbeAnswer) -> str:
        if answer.status == 200 and answer.text == challenge:
            return ""
        if answer.status == 200:
            return "the challenge was answered 200 but not echoed: something else answers"
        return f"the challenge was answered {answer.status} instead of being echoed: check the verify token"

    return [
        WebhookProbe(
            "verification challenge", ProbeRequest("GET", query=query(verify_token)), echoes
        ),
        WebhookProbe(
            "challenge with a wrong token",
            ProbeRequest("GET", query=query(f"not-{challenge}")),
            _refused("a challenge with a wrong token", *REFUSED),
        ),
    ]


def _refusals(app_secret: str, challenge: str) -> list[WebhookProbe]:
    malformed = b'{"object": "whatsapp_business_account", "entry": 1'

    # Without a message in them: a webhook that takes them all the same has no user to answer.
    unsigned, forged = (
        envelope({"statuses": [], "metadata": {"probe": f"{kind}.{challenge}"}})
        for kind in ("unsigned", "forged")
    )
    return [
        WebhookProbe(
            "unsigned message",
            ProbeRequest("POST", headers={"Content-Type": "application/json"}, body=unsigned),
            _refused("a message without signature", *REFUSED),
        ),
        WebhookProbe(
            "wrongly signed message",
            ProbeRequest("POST", headers=sign(forged, f"{app_secret}-not"), body=forged),
            _refused("a message with a wrong signature", *REFUSED),
        ),
        WebhookProbe(
            "malformed message",
            ProbeRequest("POST", headers=sign(malformed, app_secret), body=malformed),
            _refused("a malformed message", 400, 422),
        ),
    ]


def _oversized(app_secret: str, size: int) -> WebhookProbe:
    """Well signed and without a message, so that a server that takes it has nothing to act upon."""
    head = {"object": "whatsapp_business_account", "entry": [], "padding": ""}
    padding = size - len(json.dumps(head))
    body = json.dumps({**head, "padding": "x" * max(padding, 0)}).encode()

    def judge(answer: ProbeAnswer) -> str:
        if answer.status in CLIENT_ERROR:
            return ""
        return (
            f"a body of {size} bytes was answered {answer.status} instead of 413: limit the "
            "webhook's body size"
        )

    return WebhookProbe(
        "oversized message", ProbeRequest("POST", headers=sign(body, app_secret), body=body), judge
    )


def _refused(what: str, *expected: int) -> t.Callable[[ProbeAnswer], str]:
    def judge(answer: ProbeAnswer) -> str:
        if answer.status in expected:
            return ""
        wanted = " or ".join(map(str, expected))
        meant = ": the webhook must refuse this" if answer.status == 200 else ""
        return f"{what} was answered {answer.status} instead of {wanted}{meant}"

    return judge


def _message(message: Message, form: Form, app_secret: str, message_id: str) -> WebhookProbe:
    body = notification(message, message_id)

    def judge(answer: ProbeAnswer) -> str:
        if answer.status != 200:
            return f"the signed message was answered {answer.status} instead of 200"
        reply = form.read(answer.text, message_id)
        return _judge_reply(message, reply) if reply else ""

    def unclear(answer: ProbeAnswer) -> str:
        asks = message.route or message.reply_contains or message.buttons is not None
        if not asks or form.read(answer.text, message_id):
            return ""
        return "the answer does not tell what was replied"

    def described(answer: ProbeAnswer) -> str:
        reply = form.read(answer.text, message_id) or Reply()
        agent = f" ({reply.agent})" if reply.agent else ""
        went = f", went to {reply.route}{agent}" if reply.route else ""
        return f"accepted with {answer.status}{went}"

    request = ProbeRequest("POST", headers=sign(body, app_secret), body=body)
    return WebhookProbe(message.name, request, judge, message, message_id, unclear, described)


def _judge_reply(message: Message, reply: Reply) -> str:
    if message.route and reply.route != message.route:
        return f"it went to {reply.route or 'an unknown route'} instead of {message.route}"
    if message.reply_contains.lower() not in reply.text.lower():
        return f"the reply does not say {message.reply_contains!r}, it says {reply.text[:100]!r}"
    if message.buttons is not None and reply.buttons is not message.buttons:
        return f"the reply has {'no' if message.buttons else ''} buttons".replace("  ", " ")
    return ""


def describe(probe: WebhookProbe, answer: ProbeAnswer) -> str:
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
