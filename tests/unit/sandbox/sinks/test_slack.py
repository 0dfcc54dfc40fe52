# SPDX-License-Identifier: GPL-3.0-or-later
"""The Slack sink answers as Slack does, in the words a client must understand."""

from __future__ import annotations

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
        pytest.param({"blocks": "[{"}, "invalid_blocks_format", id="blocks that are not JSON"),
        pytest.param({"blocks": [{"type": "section"}]}, "invalid_blocks", id="empty section"),
        pytest.param(
            {"blocks": [{"type": "section", "fields": [1]}]}, "invalid_blocks", id="fields"
        ),
        pytest.param(
            {"blocks": [{"type": "divider"}] * 51}, "invalid_blocks", id="too many blocks"
        ),
    ],
)
def test_what_slack_refuses_is_refused_with_slacks_word(slack, args, error):
    assert post(slack, **args) == {"ok": False, "error": error}


def test_an_archived_channel_takes_no_message_and_is_archived_once(slack):
    archive = {"channel": "C0DEPLOY01"}
    assert slack.call("conversations.archive", archive)["ok"]
    assert slack.call("conversations.archive", archive)["error"] == "already_archived"
    assert post(slack)["error"] == "is_archived"


def test_a_webhook_message_cannot_be_edited(slack):
    assert slack.webhook({"text": "hi"}) == "ok"
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
