# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests prove that a webhook accepts what it must and refuses the rest, and what came back of them.

The forms are those of Meta's webhook protocol: a challenge to verify the address, and notifications whose raw body is
signed with HMAC-SHA256 in the header X-Hub-Signature-256. All probes are put side by side, and what the webhook
accepted is looked for in the function's log and the database.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
import secrets
import time
import typing as t
from dataclasses import dataclass, field, replace
from textwrap import indent

from .. import _postgres
from .._doc_fragments._module import AUTHORITIES, nested
from .._doc_fragments._webhook import CONNECTION, WEBHOOK
from .._errors import DeployError, InputError
from .._functions.api import SupabaseFunctionsApi
from .._http import REQUESTS, Answer, NoAnswerError, send
from .._postgres import PSYCOPG2, PostgresTarget, SqlError, quote_name
from .._templates import search
from .._threads import side_by_side
from .._time import Deadline
from .models import Finding, Ground, Kind, Kinds, Options, failed, held, listed_or_counted, passed

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


def plan_guards(params: Options, challenge: str) -> list[WebhookProbe]:
    """What touches nothing, whatever server answers: the challenges, and what must be refused."""
    app_secret, oversized = params["app_secret"], params["oversized_bytes"]

    def ask_with(token: str) -> Request:
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": token}
        return {"method": "GET", "params": query}

    def refuses(what: str) -> t.Callable[[Answer], str]:
        return _expect(what, REFUSED)

    answered = _expect("the challenge", (200,), "being echoed", "check the verify token")

    def judge_echo(answer: Answer) -> str:
        if answer.status == 200 and answer.text != challenge:
            return "the challenge was answered 200 but not echoed: something else answers"
        return answered(answer)

    unsigned, forged = (_without_message(f"{kind}.{challenge}") for kind in ("unsigned", "forged"))
    malformed = b'{"object": "whatsapp_business_account", "entry": 1'
    wrong = "challenge with a wrong token"
    table = [
        ("verification challenge", ask_with(params["verify_token"]), judge_echo),
        (wrong, ask_with(f"not-{challenge}"), refuses(f"a {wrong}")),
        ("unsigned message", _post(unsigned), refuses("a message without signature")),
        (
            "wrongly signed message",
            _post(forged, f"{app_secret}-not"),
            refuses("a message with a wrong signature"),
        ),
        (
            "malformed message",
            _post(malformed, app_secret),
            _expect("a malformed message", (400, 422)),
        ),
    ]
    if oversized:
        # Well signed and without a message, so that a server that takes it has nothing to act upon.
        head = {"object": "whatsapp_business_account", "entry": [], "padding": ""}
        padding = max(oversized - len(json.dumps(head)), 0)
        body = json.dumps({**head, "padding": "x" * padding}).encode()
        what, cure = f"a body of {oversized} bytes", "limit the webhook's body size"
        judge = _expect(what, CLIENT_ERROR, "413", cure)
        table.append(("oversized message", _post(body, app_secret), judge))
    return [WebhookProbe(*probe) for probe in table]


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


LONGEST_ANSWER = 1024 * 1024
"""Bytes of an answer that are read."""
_THREADS = 8
_FIRST_PAUSE, _PAUSE = 0.3, 2.0
"""Seconds between two looks. The log query of the platform allows thirty calls a minute."""

Send = t.Callable[..., Answer]
"""Puts a probe's request to the webhook. Nothing is repeated: each message counts."""
Look = t.Callable[[str, list[str]], t.Collection[str]]
"""Those of the ids that have a row in the table, or that the function's log names where its name is "".

DeployError when it can't be looked at.
"""


def ask(put: Send, probes: t.Sequence[WebhookProbe]) -> list[ProbeResult]:
    """The outcomes in the order of the probes. None is left out because another failed."""

    def exchange(probe: WebhookProbe) -> ProbeResult:
        started = time.monotonic()
        try:
            answer = put(**probe.request)
        except NoAnswerError as exc:
            result = ProbeResult(probe.name, False, 0, f"it {exc.problem}", probe.message_id)
        else:
            result = probe.result_of(answer)
        return replace(result, seconds=time.monotonic() - started)

    return side_by_side(exchange, probes, at_once=_THREADS)


def settle(outcomes: t.Iterable[ProbeResult], *, accept: bool) -> list[ProbeResult]:
    """What an answer left open passes when people are asked (`accept`), and is unseen when not."""
    return [
        replace(
            outcome,
            passed=accept,
            unseen=not accept,
            evidence=f"{outcome.evidence}; {outcome.unclear}",
        )
        if outcome.passed and outcome.unclear
        else outcome
        for outcome in outcomes
    ]


def trace(
    probes: t.Sequence[WebhookProbe],
    outcomes: t.Sequence[ProbeResult],
    look: Look,
    deadline: Deadline,
    *,
    in_logs: bool,
) -> list[ProbeResult]:
    """The outcomes again, those of accepted messages with where they were seen, or as failures."""
    pairs = list(zip(probes, outcomes, strict=True))
    log = {""} if in_logs else set()
    wanted = {
        outcome.message_id: log | {*probe.message["recorded_in"]}
        for probe, outcome in pairs
        if outcome.passed and probe.message
    }
    recorded, problem = _look(wanted, look, deadline)
    why = f" ({problem.rstrip('.')})" if problem else ""

    def traced(probe: WebhookProbe, outcome: ProbeResult) -> ProbeResult:
        if not outcome.passed or not probe.message:
            return outcome
        places = wanted[outcome.message_id]
        missing = places - recorded[outcome.message_id]
        for table in probe.message["not_recorded_in"]:
            if look(table, [outcome.message_id]):
                stray = f"it stands in {table}, where it should not"
                return replace(outcome, passed=False, evidence=stray)
        if missing:
            evidence = f"it was accepted and is not in {_listed(missing, ' nor in ')}{why}"
            return replace(outcome, passed=False, unseen=missing == {""}, evidence=evidence)
        where = f", seen in {_listed(places, ' and in ')}" if places else ""
        return replace(outcome, evidence=f"{outcome.evidence}{where}")

    return [traced(probe, outcome) for probe, outcome in pairs]


def _listed(places: t.Iterable[str], between: str) -> str:
    return between.join(place or "the function's log" for place in sorted(places))


def _look(
    wanted: t.Mapping[str, set[str]], look: Look, deadline: Deadline
) -> tuple[dict[str, set[str]], str]:
    """By message the places that it was seen in; and why the last look saw nothing."""
    recorded: dict[str, set[str]] = {key: set() for key in wanted}
    pause = _FIRST_PAUSE
    while True:
        problem = ""
        for place in sorted(set().union(*wanted.values())):
            missing = [key for key in wanted if place in wanted[key] - recorded[key]]
            try:
                for key in look(place, missing) if missing else ():
                    recorded[key].add(place)
            except InputError:
                raise
            except DeployError as exc:
                problem = str(exc)
        if recorded == wanted or deadline.left() < pause:
            return recorded, problem
        deadline.sleep(pause)
        pause = _PAUSE


def unanswered(outcomes: t.Sequence[ProbeResult]) -> bool:
    return not any(outcome.status for outcome in outcomes)


PREFIX = re.compile(r"[A-Za-z0-9._-]{1,60}")


def check_webhook(params: Options) -> list[ProbeResult]:
    """Challenges and refusals first, so that nothing is sent to an address that does not answer."""
    refuse_bad_input(params)
    webhook, challenge = to_webhook(params), secrets.token_hex(8)
    guards = plan_guards(params, challenge) if params["guards"] else []
    outcomes = ask(webhook, guards)
    if guards and unanswered(outcomes):
        return outcomes
    probes = plan_messages(
        params["messages"],
        params["answer"],
        app_secret=params["app_secret"],
        challenge=challenge,
        prefix=params["message_prefix"],
    )
    traced = trace(
        probes,
        ask(webhook, probes),
        functools.partial(_seen_in, params),
        Deadline(params["seen_timeout"]),
        in_logs=params["logs"] is not None,
    )
    return [*outcomes, *settle(traced, accept=params["without_reply"] == "accept")]


def check_without_messages(params: Options) -> list[ProbeResult]:
    """What can be known of a webhook without a message to anybody."""
    challenge = secrets.token_hex(8)
    # A notification that is to be taken: read receipts are sent so, too.
    delivery = WebhookProbe(
        "signed notification",
        _post(_without_message(f"signed.{challenge}"), params["app_secret"]),
        _expect("a well signed notification", (200,), cure="check the app secret"),
    )
    return ask(to_webhook(params), [*plan_guards(params, challenge), delivery])


def to_webhook(params: Options) -> Send:
    return functools.partial(
        send,
        url=params["url"],
        ca_cert=params["ca_cert"],
        timeout=params["request_timeout"],
        largest=LONGEST_ANSWER,
    )


def refuse_bad_input(params: Options) -> None:
    if not PREFIX.fullmatch(params["message_prefix"]):
        raise InputError(
            f"Option 'message_prefix' is {params['message_prefix']!r}; it is 1 to 60 letters, digits, "
            "'.', '_' and '-'."
        )
    if params["oversized_bytes"] < 0 or params["request_timeout"] <= 0:
        raise InputError("'oversized_bytes' is at least 0 and 'request_timeout' more than 0.")
    places = ("recorded_in", "not_recorded_in")
    tables = [table for entry in params["messages"] for name in places for table in entry[name]]
    if tables and params["database"] is None:
        raise InputError(
            f"Option 'database' is missing, but messages must be found in {tables[0]!r}."
        )


def _seen_in(params: Options, table: str, message_ids: list[str]) -> t.Collection[str]:
    if not table:
        text = "\n".join(SupabaseFunctionsApi(params["logs"], patience=0).lines(message_ids))
        return [key for key in message_ids if key in text]
    target, column = PostgresTarget.from_params(params["database"]), params["message_column"]
    with _postgres.connected(target, application_name="easymo.deploy webhook_check") as session:
        session.execute("SET default_transaction_read_only = on")
        try:
            rows = session.rows(
                f"SELECT {_quoted(column)} FROM {_quoted(table)} WHERE {_quoted(column)} = ANY(%s)",  # noqa: S608
                (message_ids,),
            )
        except SqlError as exc:
            raise InputError(
                f"{target.where} refuses to search table {table!r} for messages by {column!r} ({exc}): "
                "correct the table, or 'message_column'."
            ) from exc
    return [str(row[0]) for row in rows]


def _quoted(name: str) -> str:
    """A name of a table or column in SQL that has values besides."""
    return quote_name(name).replace("%", "%%")


def look_webhook(options: Options, ground: Ground) -> Finding:
    """Whether it answers challenges and refuses what it must. No message is sent, so no user gets an answer."""
    outcomes = check_without_messages({**options, "request_timeout": ground.timeout})
    wrong = [each for each in outcomes if not each.passed]
    if not wrong:
        return passed(f"{len(outcomes)} exchanges went as expected, none with a message")
    judge = failed if any(each.status for each in wrong) else held
    return judge("; ".join(map(str, wrong)))


def play_webhook(options: Options) -> Finding:
    outcomes = check_webhook(options)
    steps = tuple(outcome.to_result() for outcome in outcomes)
    wrong = [each for each in outcomes if not each.passed]
    if wrong and unanswered(outcomes):
        return failed(
            f"it answered none of {len(outcomes)} requests ({wrong[0].evidence}): check that the function is deployed "
            "and reachable from here",
            steps=steps,
        )
    if wrong:
        # The platform's log may be late: that proves nothing against a message that was answered well.
        judge = held if all(each.unseen for each in wrong) else failed
        return judge("; ".join(map(str, wrong)), steps=steps)
    return passed(listed_or_counted(outcomes), steps=steps)


def _messages(options: Options) -> str:
    sent = [f"{entry['text']!r} from {entry['from']}" for entry in options["messages"]]
    guards = ["the challenges and what must be refused"] if options["guards"] else []
    return f"would send {', '.join(guards + sent)}"


WEBHOOK_OPTIONS = f"""  description:
    - Whether a webhook answers the challenge, refuses what it must, and takes a well signed notification that
      holds no message. The check answers no user.
  suboptions:
{indent(CONNECTION, " " * 4)}    oversized_bytes:
      description: Size of the oversized message. V(0) sends none.
      type: int
      default: 2097152
{indent(AUTHORITIES, " " * 4)}"""

KINDS: Kinds = {"webhook": Kind(look_webhook, WEBHOOK_OPTIONS, (REQUESTS,))}
PLAYED_WEBHOOK_OPTIONS = f"""  description:
    - Send a webhook what it must accept and what it must refuse. That is the verification challenge with the right and
      with a wrong token, an unsigned, a wrongly signed, a malformed and an oversized message, and then each of
      O(tests[].webhook.messages) signed as Meta signs them. All must pass.
    - Looks for the messages that were accepted where O(tests[].webhook.logs),
      O(tests[].webhook.messages[].recorded_in) and O(tests[].webhook.messages[].not_recorded_in) say. An answer of 200
      alone is no proof that a message was worked on.
    - Reports every exchange that went wrong, not just the first. One that gets no answer does not keep the others from
      being sent, but when none of the first ones gets any, no message is sent.
  suboptions:
{nested(WEBHOOK, 4, "tests[].webhook")}"""

TESTS: Kinds = {
    "webhook": Kind(
        play_webhook,
        PLAYED_WEBHOOK_OPTIONS,
        (REQUESTS,),
        components=lambda options: [PSYCOPG2] if options["database"] else [],
        intention=_messages,
    )
}
