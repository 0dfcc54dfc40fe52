import hashlib
import hmac
import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks import webhook
from ansible_collections.easymo.deploy.plugins.module_utils._checks.webhook import (
    ProbeResult,
    WebhookProbe,
    ask,
    plan_guards,
    plan_messages,
    settle,
    trace,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    InputError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import log_query
from ansible_collections.easymo.deploy.plugins.module_utils._http import Answer, NoAnswerError
from ansible_collections.easymo.deploy.plugins.module_utils._module import fragment_spec
from ansible_collections.easymo.deploy.plugins.module_utils._time import Deadline
from tests.fakes.cluster import FakeClock

TOKEN, SECRET = "right-token", "right-secret"
LIMIT = 4096
Message = dict[str, t.Any]
OPTIONS = fragment_spec("_checks.smoke_tests", "tests", "webhook")
OURS = {name: option["default"] for name, option in OPTIONS["answer"]["options"].items()}


def message(name: str = "asked", text: str = "I need vegetables", **more: t.Any) -> Message:
    options = OPTIONS["messages"]["options"].items()
    defaults = {name: option.get("default") for name, option in options}
    return {**defaults, "name": name, "from": "250780000001", "text": text, **more}


ASKED = message(route="agent", reply_contains="Vendors")


def answer(status: int, text: str = "") -> Answer:
    return Answer(status, {}, text.encode())


class GoodWebhook:
    """Behaves as the protocol says; `broken` switches one of its guards off."""

    def __init__(self, broken: str = "", route: str = "agent") -> None:
        self.broken = broken
        self.route = route

    def __call__(self, method: str, **request: t.Any) -> Answer:
        if method == "GET":
            return self._challenge(request["params"])
        return self._receive(request["headers"], request["data"])

    def _challenge(self, query: dict[str, str]) -> Answer:
        if query["hub.verify_token"] != TOKEN and self.broken != "token":
            return answer(403)
        return answer(200, "hello" if self.broken == "echo" else query["hub.challenge"])

    def _receive(self, headers: dict[str, str], body: bytes) -> Answer:
        if len(body) > LIMIT and self.broken not in ("size", "reset"):
            return answer(413)
        expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        given = headers.get("X-Hub-Signature-256", "")
        if not given and self.broken != "unsigned":
            return answer(401)
        if given not in ("", f"sha256={expected}") and self.broken != "signature":
            return answer(401)
        try:
            entry = json.loads(body)["entry"]
        except ValueError:
            return answer(500 if self.broken == "malformed" else 400)
        if len(body) > LIMIT:
            if self.broken == "reset":
                raise NoAnswerError(UnreachableError, "cannot be reached (reset)", "")
            return answer(200)
        value = entry[0]["changes"][0]["value"]
        if "messages" not in value:
            return answer(200, json.dumps({"replies": []}))
        reply = {"message_id": value["messages"][0]["id"], "route": self.route, "text": "2 vendors"}
        if self.route == "menu":
            reply["buttons"] = ["Help"]
        return answer(200, json.dumps({"replies": [reply]}))


def planned(
    *messages: Message, prefix: str = "r", form: dict[str, str] = OURS
) -> list[WebhookProbe]:
    return plan_messages(messages, form, app_secret=SECRET, challenge="c0ffee", prefix=prefix)


def outcomes(webhook: GoodWebhook, *messages: Message) -> list[ProbeResult]:
    options = {"verify_token": TOKEN, "app_secret": SECRET, "oversized_bytes": LIMIT * 2}
    guards = plan_guards(options, "c0ffee")
    return ask(webhook, [*guards, *planned(*(messages or [ASKED]))])


def failures(webhook: GoodWebhook, *messages: Message) -> dict[str, str]:
    return {one.name: one.evidence for one in outcomes(webhook, *messages) if not one.passed}


def test_a_webhook_that_keeps_the_protocol_passes_every_probe():
    assert failures(GoodWebhook()) == {}


@pytest.mark.parametrize(
    ("broken", "probe"),
    [
        ("echo", "verification challenge"),
        ("token", "challenge with a wrong token"),
        ("unsigned", "unsigned message"),
        ("signature", "wrongly signed message"),
        ("malformed", "malformed message"),
        ("size", "oversized message"),
        ("reset", "oversized message"),
    ],
)
def test_each_missing_guard_is_found_by_its_probe(broken, probe):
    assert list(failures(GoodWebhook(broken))) == [probe]


@pytest.mark.parametrize(
    ("route", "wanted", "found"),
    [
        ("menu", {"route": "agent"}, "it went to menu instead of agent"),
        ("agent", {"route": "menu"}, "it went to agent instead of menu"),
        ("agent", {"reply_contains": "houses"}, "the reply does not say 'houses', it says '2 vendors'"),
        ("agent", {"buttons": True}, "the reply has no buttons"),
        ("menu", {"buttons": False}, "the reply has buttons"),
    ],
    ids=["menu", "agent", "other words", "no buttons", "buttons"],
)  # fmt: skip
def test_a_reply_that_is_not_as_expected_says_how(route, wanted, found):
    assert failures(GoodWebhook(route=route), message(**wanted)) == {"asked": found}


def test_every_message_has_an_id_of_its_own_that_says_whose_it_is():
    probes = planned(ASKED, ASKED, prefix="release-2")
    assert [probe.message_id for probe in probes] == [
        "wamid.release-2.c0ffee.0",
        "wamid.release-2.c0ffee.1",
    ]


class Memory:
    """A log that has the messages after so many looks, and a table that has them at once."""

    def __init__(self, *, after: int = 0, error: DeployError | None = None) -> None:
        self.after, self.error, self.looks = after, error, 0

    def __call__(self, table: str, message_ids: list[str]) -> t.Collection[str]:
        if table:
            return message_ids if table == "agent_requests" else ()
        self.looks += 1
        if self.error:
            raise self.error
        return message_ids if self.looks > self.after else ()


def traced(message: Message, memory: Memory) -> ProbeResult:
    probes, clock = planned(message), FakeClock()
    deadline = Deadline(10, clock=clock.now, sleep=clock.sleep)
    (outcome,) = trace(probes, ask(GoodWebhook(), probes), memory, deadline, in_logs=True)
    return outcome


def test_an_accepted_message_is_waited_for_and_the_places_are_told():
    outcome = traced(ASKED | {"recorded_in": ["agent_requests"]}, Memory(after=2))
    assert outcome.passed
    assert outcome.evidence.endswith("seen in the function's log and in agent_requests")


def test_a_message_that_nobody_worked_on_fails_although_it_was_accepted():
    outcome = traced(ASKED | {"recorded_in": ["agent_fallbacks"]}, Memory(after=99))
    assert not outcome.passed
    assert outcome.evidence == (
        "it was accepted and is not in the function's log nor in agent_fallbacks"
    )


def test_why_one_could_not_look_stands_in_the_evidence():
    outcome = traced(ASKED, Memory(error=UnreachableError("The log is away.")))
    assert outcome.evidence.endswith("is not in the function's log (The log is away)")


def test_a_menu_message_that_an_agent_worked_on_is_told():
    outcome = traced(ASKED | {"not_recorded_in": ["agent_requests"]}, Memory())
    assert outcome.evidence == "it stands in agent_requests, where it should not"


def test_a_question_that_is_wrong_in_itself_is_not_waited_out():
    memory = Memory(error=InputError("There is no such table."))
    with pytest.raises(InputError, match="no such table"):
        traced(ASKED, memory)
    assert memory.looks == 1


def test_silence_everywhere_is_one_sentence(monkeypatch):
    silent = [ProbeResult(name, False, 0, "no answer within 1 s") for name in ("a", "b")]
    monkeypatch.setattr(webhook, "check_webhook", lambda _options: silent)
    assert (
        "it answered none of 2 requests (no answer within 1 s)" in webhook.play_webhook({}).detail
    )


def test_no_id_can_leave_its_place_in_the_query_of_the_log():
    assert "wamid[.]r[.]1" in log_query(["wamid.r.1"])
    with pytest.raises(InputError, match="characters"):
        log_query(["x') or ('1' = '1"])


# Answers in other forms than ours


class Answering(GoodWebhook):
    """A good webhook whose answer to a message is `text`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def _receive(self, headers: dict[str, str], body: bytes) -> Answer:
        given = super()._receive(headers, body)
        return answer(200, self.text) if given.status == 200 else given


THEIRS = dict(
    zip(OURS, ("results[0]", "meta.handler", "body", "options[].title", "meta.name"), strict=True)
)


def told(
    text: str, message: Message = ASKED, *, accept: bool = False, form: dict[str, str] = OURS
) -> tuple[bool, bool, str]:
    (seen,) = settle(ask(Answering(text), planned(message, form=form)), accept=accept)
    return seen.passed, seen.unseen, seen.evidence


NOTHING = "accepted with 200; the answer does not tell what was replied"


@pytest.mark.parametrize(
    "text", ["EVENT_RECEIVED", "", "<html>Log in</html>", "{}", '{"replies": []}', "[1]"]
)
def test_an_answer_that_tells_no_reply_is_neither_right_nor_wrong(text):
    """The first is what Meta's own examples of a webhook answer, the second all that the runbook asks."""
    assert told(text) == (False, True, NOTHING)
    assert told(text, accept=True) == (True, False, NOTHING)
    known = ASKED | {"recorded_in": ["agent_requests"]}
    assert told(text, known) == (False, True, NOTHING), "what it said is asked as well"
    assert told(text, {**known, "reply_contains": ""}) == (True, False, "accepted with 200")
    # That a table does not have it is no proof of a menu.
    menu = message(route="menu", not_recorded_in=["agent_requests"])
    assert told(text, menu) == (False, True, NOTHING)
    assert told(text, message()) == (True, False, "accepted with 200")


def test_a_form_of_another_platform_is_read_as_well():
    body = {"results": [{"meta": {"handler": "agent", "name": "buyer"}, "body": "3 vendors"}]}
    assert told(json.dumps(body), form=THEIRS) == (
        True,
        False,
        "accepted with 200, went to agent (buyer)",
    )
    body["results"][0]["meta"]["handler"] = "menu"
    assert told(json.dumps(body), form=THEIRS) == (False, False, "it went to menu instead of agent")
    menu = message("menu", "MENU", route="menu", buttons=True)
    assert told(json.dumps(body), menu, form=THEIRS)[2] == "the reply has no buttons"
    body["results"][0]["options"] = [{"title": "Help"}]  # type: ignore[assignment]
    assert told(json.dumps(body), menu, form=THEIRS)[0]


def test_with_an_empty_form_nothing_is_read_from_the_answer():
    text = json.dumps({"replies": [{"message_id": "wamid.r.c0ffee.0", "route": "menu"}]})
    assert told(text, form={**OURS, "reply": ""}) == (False, True, NOTHING)
    assert told(text) == (False, False, "it went to menu instead of agent")
