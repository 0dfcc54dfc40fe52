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
from dataclasses import dataclass, field, replace

from .._http import Answer
from .._templates import search
from .models import Options

Request = t.Mapping[str, t.Any]
"""What `_http.send` takes besides the URL."""


@dataclass(frozen=True)
class ProbeResult:
    """What came of one exchange. `evidence` is what was seen, or what is wrong with it.

    `status` is 0 without an answer. `unclear` is what the answer leaves open of where the message went. `unseen`: it
    failed for this alone, that it was answered as it should and the log did not name it in time.
    """

    name: str
    passed: bool
    status: int
    evidence: str
    message_id: str = ""
    unclear: str = ""
    unseen: bool = False
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence}"

    def to_result(self) -> dict[str, t.Any]:
        row: dict[str, t.Any] = {
            "name": self.name,
            "outcome": "fail" if not self.passed else "unknown" if self.unclear else "pass",
            "status": self.status or None,
            "seconds": round(self.seconds, 3),
            "evidence": self.evidence,
        }
        return {**row, "message_id": self.message_id} if self.message_id else row


@dataclass(frozen=True)
class WebhookProbe:
    """One exchange: what is sent, and `judge`, which says what is wrong with the answer or an empty string.

    `message` is an entry of the option `messages`, and `form` the option `answer`, by which the reply to it is read.
    """

    name: str
    request: Request
    judge: t.Callable[[Answer], str]
    message: Options | None = None
    message_id: str = ""
    form: Options = field(default_factory=dict)

    def result_of(self, answer: Answer) -> ProbeResult:
        wrong = self.judge(answer)
        result = ProbeResult(self.name, not wrong, answer.status, wrong, self.message_id)
        if wrong:
            return result
        if self.message is None:
            taken = "echoed" if self.request["method"] == "GET" else "taken"
            evidence = taken if answer.status == 200 else f"refused with {answer.status}"
            return replace(result, evidence=evidence)
        return _judge_reply(result, self.message, self._reply(answer.text))

    def _reply(self, answer: str) -> Options | None:
        """What the answer tells of the reply to the message; None when it does not tell."""
        form = self.form
        if not form["reply"]:
            return None
        try:
            document = json.loads(answer)
        except ValueError:
            return None
        reply = search(form["reply"].replace("{message_id}", self.message_id), document)
        if reply is None:
            return None
        return {
            "buttons": bool(search(form["buttons"], reply)),
            **{name: str(search(form[name], reply) or "") for name in ("route", "text", "agent")},
        }


def _judge_reply(result: ProbeResult, message: Options, reply: Options | None) -> ProbeResult:
    """`result` is of a message that was taken."""
    taken = f"accepted with {result.status}"
    route, buttons = message["route"], message["buttons"]
    if reply is None:
        # Where it went, a table tells as well.
        unknown = (route and not message["recorded_in"]) or message["reply_contains"]
        needed = unknown or buttons is not None
        silent = "the answer does not tell what was replied" if needed else ""
        return replace(result, evidence=taken, unclear=silent)
    wrong = ""
    if route and reply["route"] != route:
        wrong = f"it went to {reply['route'] or 'an unknown route'} instead of {route}"
    elif message["reply_contains"].lower() not in reply["text"].lower():
        wanted, text = message["reply_contains"], reply["text"][:100]
        wrong = f"the reply does not say {wanted!r}, it says {text!r}"
    elif buttons is not None and reply["buttons"] is not buttons:
        wrong = "the reply has no buttons" if buttons else "the reply has buttons"
    agent = f" ({reply['agent']})" if reply["agent"] else ""
    went = f", went to {reply['route']}{agent}" if reply["route"] else ""
    return replace(result, passed=not wrong, evidence=wrong or f"{taken}{went}")


REFUSED = (401, 403)
CLIENT_ERROR = range(400, 500)


def plan_guards(
    *, verify_token: str, app_secret: str, challenge: str, oversized_bytes: int
) -> list[WebhookProbe]:
    """What touches nothing, whatever server answers: the challenges, and what must be refused."""

    def ask_with(token: str) -> Request:
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
        return {"method": "GET", "params": query}

    answered = _expect("the challenge", (200,), "being echoed", "check the verify token")

    def judge_echo(answer: Answer) -> str:
        if answer.status == 200 and answer.text != challenge:
            return "the challenge was answered 200 but not echoed: something else answers"
        return answered(answer)

    unsigned, forged = (_without_message(f"{kind}.{challenge}") for kind in ("unsigned", "forged"))
    malformed = b'{"object": "whatsapp_business_account", "entry": 1'
    probes = [
        WebhookProbe("verification challenge", ask_with(verify_token), judge_echo),
        WebhookProbe(
            "challenge with a wrong token",
            ask_with(f"not-{challenge}"),
            _expect("a challenge with a wrong token", REFUSED),
        ),
        WebhookProbe(
            "unsigned message", _post(unsigned), _expect("a message without signature", REFUSED)
        ),
        WebhookProbe(
            "wrongly signed message",
            _post(forged, f"{app_secret}-not"),
            _expect("a message with a wrong signature", REFUSED),
        ),
        WebhookProbe(
            "malformed message",
            _post(malformed, app_secret),
            _expect("a malformed message", (400, 422)),
        ),
    ]
    if oversized_bytes:
        # Well signed and without a message, so that a server that takes it has nothing to act upon.
        head = {"object": "whatsapp_business_account", "entry": [], "padding": ""}
        padding = max(oversized_bytes - len(json.dumps(head)), 0)
        what, cure = f"a body of {oversized_bytes} bytes", "limit the webhook's body size"
        probes.append(
            WebhookProbe(
                "oversized message",
                _post(json.dumps({**head, "padding": "x" * padding}).encode(), app_secret),
                _expect(what, CLIENT_ERROR, "413", cure),
            )
        )
    return probes


def plan_delivery(app_secret: str, challenge: str) -> WebhookProbe:
    """A well signed notification without a message, which is to be taken: read receipts are sent so, too."""
    return WebhookProbe(
        "signed notification",
        _post(_without_message(f"signed.{challenge}"), app_secret),
        _expect("a well signed notification", (200,), cure="check the app secret"),
    )


def plan_messages(
    messages: t.Iterable[Options], form: Options, *, app_secret: str, challenge: str, prefix: str
) -> list[WebhookProbe]:
    """Each message by an id of its own."""
    probes = []
    for number, message in enumerate(messages):
        message_id = f"wamid.{prefix}.{challenge}.{number}"
        text = {"type": "text", "text": {"body": message["text"]}}
        body = _envelope({"messages": [{"from": message["from"], "id": message_id, **text}]})
        accepted = _expect("the signed message", (200,))
        request = _post(body, app_secret)
        probes.append(WebhookProbe(message["name"], request, accepted, message, message_id, form))
    return probes


def _expect(
    what: str, expected: t.Collection[int], wanted: str = "", cure: str = ""
) -> t.Callable[[Answer], str]:
    """A judge who wants one of these statuses, in words `wanted`."""

    def judge(answer: Answer) -> str:
        if answer.status in expected:
            return ""
        words = wanted or " or ".join(map(str, expected))
        meant = cure or ("the webhook must refuse this" if answer.status == 200 else "")
        end = f": {meant}" if meant else ""
        return f"{what} was answered {answer.status} instead of {words}{end}"

    return judge


def _without_message(word: str) -> bytes:
    """A webhook that takes it all the same has no user to answer."""
    return _envelope({"statuses": [], "metadata": {"probe": word}})


def _envelope(value: Options) -> bytes:
    changes = [{"field": "messages", "value": value}]
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": changes}]}
    ).encode()


def _post(body: bytes, app_secret: str | None = None) -> Request:
    """Signed, where there is a secret to sign with."""
    headers = {"Content-Type": "application/json"}
    if app_secret is not None:
        digest = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature-256"] = f"sha256={digest}"
    return {"method": "POST", "headers": headers, "data": body}
