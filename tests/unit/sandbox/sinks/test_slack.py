"""The Slack sink answers as Slack does, in the words a client must understand."""

import pytest

from sandbox.sinks.slack import Slack
from sandbox.sinks.store import Store


@pytest.fixture
def slack(tmp_path):
    return Slack(Store(tmp_path / "received.jsonl"))


def post(slack, text="hello", **more):
    return slack.call("chat.postMessage", {"channel": "#v2-deployment", "text": text, **more})


def test_a_message_is_found_by_its_channel_and_ts_and_edited_in_place(slack):
    sent = post(slack)
    slack.call("chat.update", {"channel": sent["channel"], "ts": sent["ts"], "text": "done"})
    (message,) = slack.messages(sent["channel"])
    assert message["text"] == "done"
    assert [edit["text"] for edit in message["edits"]] == ["hello"]


def test_no_two_messages_share_a_ts(tmp_path):
    slack = Slack(Store(tmp_path / "received.jsonl", clock=lambda: 1_700_000_000.0))
    assert len({post(slack)["ts"] for _ in range(5)}) == 5


def test_a_restart_loses_nothing(slack, tmp_path):
    sent = post(slack)
    again = Slack(Store(tmp_path / "received.jsonl"))
    assert again.messages(sent["channel"]) == slack.messages(sent["channel"])
    assert post(again)["ts"] > sent["ts"]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        pytest.param({"channel": "#nowhere"}, "channel_not_found", id="unknown channel"),
        pytest.param({"text": ""}, "no_text", id="nothing to say"),
        pytest.param({"text": "x" * 40_001}, "msg_too_long", id="over the limit"),
        pytest.param({"thread_ts": "1.2"}, "thread_not_found", id="reply to nothing"),
    ],
)
def test_what_slack_refuses_is_refused_with_slacks_word(slack, args, error):
    assert post(slack, **args) == {"ok": False, "error": error}


def test_an_archived_channel_takes_no_message(slack):
    assert post(slack, channel="#v1-deployment")["error"] == "is_archived"


def test_a_webhook_message_cannot_be_edited(slack):
    assert slack.webhook("v2-deployment", {"text": "hi"}) == "ok"
    (message,) = slack.messages("C0DEPLOY01")
    edit = {"channel": "C0DEPLOY01", "ts": message["ts"], "text": "x"}
    assert slack.call("chat.update", edit)["error"] == "cant_update_message"


def test_lists_come_in_pages(slack):
    first = slack.call("conversations.list", {"limit": "2"})
    following = {"limit": "100", "cursor": first["response_metadata"]["next_cursor"]}
    rest = slack.call("conversations.list", following)
    assert len(first["channels"]) + len(rest["channels"]) == len(slack.channels())
    assert rest["response_metadata"]["next_cursor"] == ""


def test_an_unknown_method_is_named(slack):
    assert slack.call("chat.scream", {})["error"] == "unknown_method"


def test_people_are_found_by_id_and_by_address_unless_they_left(slack):
    by_id = slack.call("users.info", {"user": "U0ONCALL01"})["user"]
    by_email = slack.call("users.lookupByEmail", {"email": "Amina@easymo.example"})["user"]
    assert by_id == by_email
    assert (by_id["name"], by_id["deleted"], by_id["tz"]) == ("amina", False, "Africa/Nairobi")
    assert slack.call("users.info", {"user": "amina"})["error"] == "user_not_found"
    assert slack.call("users.info", {"user": "U0GONE0001"})["user"]["deleted"] is True
    gone = slack.call("users.lookupByEmail", {"email": "jonas@easymo.example"})
    assert gone["error"] == "users_not_found"


def test_a_user_group_tells_its_members_to_who_asks(slack):
    plain = {g["handle"]: g for g in slack.call("usergroups.list", {})["usergroups"]}
    assert set(plain) == {"on-call", "devops"}
    assert "users" not in plain["on-call"]
    asked = slack.call("usergroups.list", {"include_users": "true", "include_disabled": True})
    members = {g["handle"]: g["users"] for g in asked["usergroups"]}
    assert members["on-call"] == ["U0ONCALL01", "U0BACKUP01"]
    assert "v1-team" in members


def test_who_is_no_member_posts_nothing(slack):
    general = {"channel": "C0GENERAL1"}
    assert slack.call("conversations.info", general)["channel"]["is_member"] is False
    assert slack.call("chat.postMessage", {**general, "text": "x"})["error"] == "not_in_channel"


def test_a_missing_channel_is_gone_for_everybody(tmp_path):
    store = Store(tmp_path / "received.jsonl")
    slack = Slack(store, lambda fault, name: (fault, name) == ("channel-missing", "v2-deployment"))
    assert post(slack)["error"] == "channel_not_found"
    assert slack.webhook("v2-deployment", {"text": "hi"}) == "channel_not_found"
    listed = [c["name"] for c in slack.call("conversations.list", {})["channels"]]
    assert "devops" in listed
    assert "v2-deployment" not in listed
