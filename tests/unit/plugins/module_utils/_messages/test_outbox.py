"""Whatever Slack does, the run is not held up, and what was lost is counted."""

import threading

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages import outbox as module
from ansible_collections.easymo.deploy.plugins.module_utils._messages.outbox import Outbox
from tests.waiting import until


class FakeSlack:
    """Keeps what arrives: `messages` by ts, replies in order. Fails first with what `failing` holds."""

    def __init__(self, *failing, can_edit=True):
        self.can_edit = can_edit
        self.failing = list(failing)
        self.messages = {}
        self.replies = []
        self.broadcast = []
        self.location = "#devops"
        self.hang = threading.Event()
        self.hang.set()

    def _go(self):
        self.hang.wait(60)
        if self.failing:
            raise self.failing.pop(0)

    def post(self, text, thread_ts="", broadcast=False):
        self._go()
        if thread_ts:
            self.replies.append(text)
            self.broadcast += [text] if broadcast else []
            return ""
        ts = f"{len(self.messages) + 1}.0" if self.can_edit else ""
        self.messages[f"{len(self.messages) + 1}.0"] = text
        return ts

    def update(self, ts, text):
        self._go()
        if ts not in self.messages:
            raise RefusedError("message_not_found", word="message_not_found")
        self.messages[ts] = text


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(module, "PACE", 0.05)
    monkeypatch.setattr(module, "PAUSE", 0.05)


def outbox(slack, **how):
    return Outbox(slack, **how)


def said(text):
    return lambda: text


def test_one_message_is_edited_and_the_rest_are_its_replies():
    slack = FakeSlack()
    box = outbox(slack)
    box.headline(said("started"))
    box.reply("failed")
    box.headline(said("done"), last=True)
    assert box.close(60) == 0
    assert (list(slack.messages.values()), slack.replies) == (["done"], ["failed"])


def test_a_rate_limit_and_an_outage_are_outlived():
    slack = FakeSlack(UnreachableError("busy", retry_after=0.1), UnreachableError("down"))
    box = outbox(slack)
    box.headline(said("started"))
    assert box.close(60) == 0
    assert list(slack.messages.values()) == ["started"]


def test_a_slack_that_hangs_holds_the_end_up_no_longer_than_it_may():
    slack = FakeSlack()
    slack.hang.clear()
    box = outbox(slack)
    box.headline(said("started"))
    box.reply("failed")
    # It hangs until this has returned.
    assert box.close(0.1) == 2
    assert "did not answer" in box.reason
    slack.hang.set()


def test_the_end_asks_a_slack_that_limits_the_rate_once_more_and_no_oftener(monkeypatch):
    slack = FakeSlack(*[UnreachableError("busy", retry_after=60)] * 9)
    box = outbox(slack)

    def rests_after(tries):
        until(lambda: len(slack.failing) == 9 - tries and bool(box._changed._waiters))

    box.headline(said("started"))
    rests_after(1)
    monkeypatch.setattr(box._thread, "join", lambda timeout: rests_after(2))
    assert box.close(60) == 1


@pytest.mark.parametrize("error", [RefusedError("revoked"), RuntimeError("bug in the client")])
def test_a_slack_that_takes_nothing_is_left_alone(error):
    slack = FakeSlack(*[error] * 50)
    box = outbox(slack)
    box.headline(said("started"))
    box.reply("failed")
    assert box.close(60) == 2
    assert len(slack.failing) == 47
    assert box.reason


def test_one_refused_reply_costs_only_itself():
    slack = FakeSlack()
    box = outbox(slack)
    box.headline(said("started"))
    until(lambda: bool(slack.messages))
    slack.failing.append(RefusedError("too long"))
    box.reply("long")
    box.reply("short")
    assert box.close(60) == 1
    assert slack.replies == ["short"]


def test_the_queue_is_bounded_and_the_oldest_go(monkeypatch):
    monkeypatch.setattr(module, "CAPACITY", 3)
    slack = FakeSlack()
    slack.hang.clear()
    box = outbox(slack)
    box.headline(said("started"))
    for number in range(10):
        box.reply(str(number))
    slack.hang.set()
    assert box.close(60) == 7
    assert slack.replies == ["7", "8", "9"]


def test_a_webhook_gets_the_first_and_the_last_and_no_progress():
    slack = FakeSlack(can_edit=False)
    box = outbox(slack)
    for text in ("started", "half"):
        box.headline(said(text))
        until(lambda: "started" in slack.messages.values())
    box.reply("line", detail=True)
    box.reply("failed")
    box.headline(said("done"), last=True)
    assert box.close(60) == 0
    assert sorted(slack.messages.values()) == ["done", "failed", "started"]


def test_nothing_said_is_nothing_sent():
    assert outbox(FakeSlack()).close(1) == 0


def test_a_message_of_an_earlier_run_is_edited_and_its_thread_goes_on():
    slack = FakeSlack()
    slack.messages["1.0"] = "of before"
    box = outbox(slack)
    box.wait()
    box.reply("first")
    box.headline(said("too early"))
    with box._changed:
        assert box._next() is None
    assert (slack.messages, slack.replies) == ({"1.0": "of before"}, [])
    box.begin("C0DEVOPS01", "1.0")
    box.headline(said("done"), last=True)
    box.reply("stopped", broadcast=True)
    assert box.close(60) == 0
    assert (slack.messages, slack.replies) == ({"1.0": "done"}, ["first", "stopped"])
    assert (slack.broadcast, slack.location) == (["stopped"], "C0DEVOPS01")


def test_a_message_that_is_gone_is_posted_anew_and_remembered():
    slack = FakeSlack()
    posted = []
    box = outbox(slack, posted=lambda *where: posted.append(where))
    box.begin("C0DEVOPS01", "9.0")
    box.headline(said("done"), last=True)
    box.reply("failed")
    assert box.close(60) == 0
    assert (slack.messages, slack.replies) == ({"1.0": "done"}, ["failed"])
    assert posted == [("C0DEVOPS01", "1.0")]


def test_a_reply_without_any_headline_is_sent_all_the_same():
    slack = FakeSlack()
    box = outbox(slack)
    box.reply("stopped")
    assert box.close(60) == 0
    assert list(slack.messages.values()) == ["stopped"]
