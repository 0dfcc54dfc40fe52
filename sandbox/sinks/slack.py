# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of Slack's Web API that a deployment uses, with Slack's own error words.

https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

import json
import typing as t

from sandbox.sinks.store import Record, Store

Args = t.Mapping[str, t.Any]

TEAM = {"team": "EasyMO", "team_id": "T0EASYMO1"}
BOT = "U0DEPLOYER"
USERS = {
    BOT: ("deployer", "Deployer", "deployer@easymo.example", True),
    "U0ONCALL01": ("amina", "Amina Uwase", "amina@easymo.example", False),
    "U0BACKUP01": ("kwame", "Kwame Mensah", "kwame@easymo.example", False),
    "U0MANAGER1": ("wanjiru", "Wanjiru Kariuki", "wanjiru@easymo.example", False),
}
CHANNELS = {
    "C0DEPLOY01": "v2-deployment",
    "C0ALERTS01": "engineering-alerts",
    "C0FEEDBAK1": "user-feedback",
    "C0SUPPORT1": "engineering-support",
    "C0DEVOPS01": "devops",
}
TEXT_LIMIT = 40_000
BLOCK_LIMIT = 50
BLOCK_TEXT_LIMIT = 3_000
BLOCK_TYPES = {
    "actions",
    "context",
    "divider",
    "file",
    "header",
    "image",
    "input",
    "markdown",
    "rich_text",
    "section",
    "table",
    "video",
}


class SlackError(Exception):
    """The word in `error` of an answer that is not ok."""


class Slack:
    """Channels, people and messages of one workspace. Knows nothing of HTTP."""

    def __init__(self, store: Store) -> None:
        self._store = store
        for channel_id, name in CHANNELS.items():
            if store.get("slack_channels", channel_id) is None:
                channel = {"id": channel_id, "name": name, "is_channel": True, "is_archived": False}
                store.put("slack_channels", channel_id, channel)

    def call(self, method: str, args: Args) -> Record:
        """The answer to one method, `ok` false with Slack's word for it when it is refused."""
        action = METHODS.get(method)
        if action is None:
            return {"ok": False, "error": "unknown_method", "req_method": method}
        try:
            return {"ok": True, **action(self, args)}
        except SlackError as exc:
            return {"ok": False, "error": str(exc)}

    def webhook(self, payload: Args) -> str:
        """An incoming webhook posts to its own channel; the answer is "ok" or a plain word of Slack."""
        try:
            self._post(self._channel("v2-deployment"), payload, via="webhook")
        except SlackError as exc:
            return str(exc)
        return "ok"

    def channels(self) -> list[Record]:
        return self._store.all("slack_channels")

    def messages(self, channel_id: str) -> list[Record]:
        return [m for m in self._store.all("slack") if m["channel"] == channel_id]

    def _channel(self, wanted: object) -> Record:
        name = str(wanted or "")
        for channel in self.channels():
            if name in (channel["id"], channel["name"], f"#{channel['name']}"):
                return channel
        raise SlackError("channel_not_found")

    def _by_id(self, args: Args) -> Record:
        """Only posting takes a name; every other method wants the id."""
        wanted = str(args.get("channel") or "")
        if not wanted.startswith("C"):
            raise SlackError("channel_not_found")
        return self._channel(wanted)

    def _message(self, args: Args) -> Record:
        channel = self._by_id(args)
        message = self._store.get(
            "slack", f"{channel['id']}/{args.get('ts') or args.get('timestamp')}"
        )
        if message is None or message["deleted"]:
            raise SlackError("message_not_found")
        return message

    def _save(self, message: Record) -> None:
        self._store.put("slack", f"{message['channel']}/{message['ts']}", message)

    def _post(self, channel: Record, args: Args, *, via: str) -> Record:
        if channel["is_archived"]:
            raise SlackError("is_archived")
        text, blocks = content(args)
        thread_ts = args.get("thread_ts")
        if thread_ts and self._store.get("slack", f"{channel['id']}/{thread_ts}") is None:
            raise SlackError("thread_not_found")
        tick = self._store.tick()
        message = {
            "ts": f"{tick // 1_000_000}.{tick % 1_000_000:06d}",
            "channel": channel["id"],
            "user": BOT,
            "via": via,
            "text": text,
            "blocks": blocks,
            "thread_ts": thread_ts,
            "edits": [],
            "deleted": False,
            "reactions": {},
        }
        self._save(message)
        return message

    def auth_test(self, _args: Args) -> Record:
        return {**TEAM, "url": "https://easymo.slack.example/", "user": "deployer", "user_id": BOT}

    def post_message(self, args: Args) -> Record:
        message = self._post(self._channel(args.get("channel")), args, via="bot")
        return {"channel": message["channel"], "ts": message["ts"], "message": shown(message)}

    def update(self, args: Args) -> Record:
        message = self._message(args)
        if message["via"] != "bot":
            raise SlackError("cant_update_message")
        text, blocks = content(args)
        edit = {"at": self._store.now(), "text": message["text"]}
        self._save({**message, "text": text, "blocks": blocks, "edits": [*message["edits"], edit]})
        return {"channel": message["channel"], "ts": message["ts"], "text": text}

    def delete(self, args: Args) -> Record:
        message = self._message(args)
        self._save({**message, "deleted": True})
        return {"channel": message["channel"], "ts": message["ts"]}

    def react(self, args: Args) -> Record:
        message, name = self._message(args), str(args.get("name") or "")
        if not name:
            raise SlackError("invalid_name")
        if BOT in message["reactions"].get(name, []):
            raise SlackError("already_reacted")
        self._save({**message, "reactions": {**message["reactions"], name: [BOT]}})
        return {}

    def list_channels(self, args: Args) -> Record:
        leave_out = str(args.get("exclude_archived", "")).lower() in ("1", "true")
        wanted = [c for c in self.channels() if not (leave_out and c["is_archived"])]
        return page("channels", wanted, args)

    def channel_info(self, args: Args) -> Record:
        return {"channel": self._by_id(args)}

    def archive(self, args: Args) -> Record:
        channel = self._by_id(args)
        if channel["is_archived"]:
            raise SlackError("already_archived")
        self._store.put("slack_channels", channel["id"], {**channel, "is_archived": True})
        return {}

    def history(self, args: Args) -> Record:
        channel = self._by_id(args)
        top = [m for m in self.messages(channel["id"]) if not m["thread_ts"] and not m["deleted"]]
        return page("messages", [shown(m) for m in reversed(top)], args)

    def list_users(self, args: Args) -> Record:
        return page("members", [user(user_id) for user_id in USERS], args)

    def user_info(self, args: Args) -> Record:
        if args.get("user") not in USERS:
            raise SlackError("user_not_found")
        return {"user": user(str(args["user"]))}


METHODS: dict[str, t.Callable[[Slack, Args], Record]] = {
    "auth.test": Slack.auth_test,
    "chat.postMessage": Slack.post_message,
    "chat.update": Slack.update,
    "chat.delete": Slack.delete,
    "conversations.list": Slack.list_channels,
    "conversations.info": Slack.channel_info,
    "conversations.archive": Slack.archive,
    "conversations.history": Slack.history,
    "reactions.add": Slack.react,
    "users.list": Slack.list_users,
    "users.info": Slack.user_info,
}


def content(args: Args) -> tuple[str, list[Record]]:
    """The text and blocks of a message, checked as far as Slack's limits go."""
    text = str(args.get("text") or "")
    blocks = args.get("blocks") or []
    if isinstance(blocks, str):
        try:
            blocks = json.loads(blocks)
        except ValueError as exc:
            raise SlackError("invalid_blocks_format") from exc
    if not text and not blocks and not args.get("attachments"):
        raise SlackError("no_text")
    if len(text) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    if not isinstance(blocks, list) or len(blocks) > BLOCK_LIMIT:
        raise SlackError("invalid_blocks")
    if not all(valid_block(block) for block in blocks):
        raise SlackError("invalid_blocks")
    return text, blocks


def valid_block(block: object) -> bool:
    if not isinstance(block, dict) or block.get("type") not in BLOCK_TYPES:
        return False
    lists = [block.get("fields", []), block.get("elements", [])]
    if not all(
        isinstance(items, list) and all(isinstance(i, dict) for i in items) for items in lists
    ):
        return False
    texts = [block.get("text"), *lists[0], *lists[1]]
    written = [text["text"] for text in texts if isinstance(text, dict) and "text" in text]
    if block["type"] in ("section", "header") and not written:
        return False
    limit = 150 if block["type"] == "header" else BLOCK_TEXT_LIMIT
    return all(isinstance(text, str) and 0 < len(text) <= limit for text in written)


def shown(message: Record) -> Record:
    """A message as Slack returns it."""
    answer = {
        "type": "message",
        **{k: message[k] for k in ("ts", "user", "text")},
        "team": TEAM["team_id"],
    }
    if message["blocks"]:
        answer["blocks"] = message["blocks"]
    if message["thread_ts"]:
        answer["thread_ts"] = message["thread_ts"]
    return answer


def user(user_id: str) -> Record:
    name, real_name, email, is_bot = USERS[user_id]
    profile = {"real_name": real_name, "display_name": name, "email": email}
    return {"id": user_id, "name": name, "deleted": False, "is_bot": is_bot, "profile": profile}


def page(name: str, items: list[Record], args: Args) -> Record:
    """One page of a list by `limit` and `cursor`, as Slack pages."""
    try:
        start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
    except ValueError as exc:
        raise SlackError("invalid_cursor") from exc
    following = str(start + limit) if start + limit < len(items) else ""
    return {name: items[start : start + limit], "response_metadata": {"next_cursor": following}}
