# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of Slack's Web API that a deployment uses, with Slack's own error words.

https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

import typing as t

from sandbox.sinks.slack_shapes import (
    BOT,
    CHANNELS,
    GROUPS,
    USERS,
    Args,
    SlackError,
    attachments,
    channel_shape,
    content,
    flag,
    group_shape,
    page,
    shown,
    user_shape,
)
from sandbox.sinks.store import Record, Store


def _no_faults(_fault: str, _target: str) -> bool:
    return False


class Slack:
    """Channels, people and messages of one workspace. Knows nothing of HTTP.

    `wrong(fault, channel)`: whether that fault is set for the channel of this name.
    """

    def __init__(self, store: Store, wrong: t.Callable[[str, str], bool] = _no_faults) -> None:
        self._store = store
        self._wrong = wrong
        for channel_id, name in CHANNELS.items():
            if store.get("slack_channels", channel_id) is None:
                store.put("slack_channels", channel_id, channel_shape(channel_id, name))

    def call(self, method: str, args: Args) -> Record:
        """The answer to one method, `ok` false with Slack's word for it when it is refused."""
        action = METHODS.get(method)
        if action is None:
            return {"ok": False, "error": "unknown_method", "req_method": method}
        try:
            return {"ok": True, **action(self, args)}
        except SlackError as exc:
            return {"ok": False, "error": str(exc)}

    def webhook(self, channel: str, payload: Args) -> str:
        """An incoming webhook posts to its own channel; the answer is "ok" or a plain word of Slack."""
        try:
            # A webhook was made by a member, so it needs none.
            self._post(self._channel(channel), payload, via="webhook")
        except SlackError as exc:
            return {"is_archived": "channel_is_archived"}.get(str(exc), str(exc))
        return "ok"

    def channels(self) -> list[Record]:
        return self._store.all("slack_channels")

    def messages(self, channel_id: str) -> list[Record]:
        return [m for m in self._store.all("slack") if m["channel"] == channel_id]

    def _channel(self, wanted: object) -> Record:
        name = str(wanted or "")
        for channel in self._known():
            if name in (channel["id"], channel["name"], f"#{channel['name']}"):
                return channel
        raise SlackError("channel_not_found")

    def _known(self) -> list[Record]:
        return [c for c in self.channels() if not self._wrong("channel-missing", c["name"])]

    def _joined(self, channel: Record) -> Record:
        if not channel["is_member"] or self._wrong("not-in-channel", channel["name"]):
            raise SlackError("not_in_channel")
        return channel

    def _by_id(self, args: Args) -> Record:
        """Only posting takes a name; every other method wants the id."""
        wanted = str(args.get("channel") or "")
        if not wanted.startswith("C"):
            raise SlackError("channel_not_found")
        return self._channel(wanted)

    def _message(self, args: Args) -> Record:
        channel = self._by_id(args)
        message = self._store.get("slack", f"{channel['id']}/{args.get('ts')}")
        if message is None:
            raise SlackError("message_not_found")
        return message

    def _save(self, message: Record) -> None:
        self._store.put("slack", f"{message['channel']}/{message['ts']}", message)

    def _post(self, channel: Record, args: Args, *, via: str) -> Record:
        if channel["is_archived"]:
            raise SlackError("is_archived")
        text = content(args)
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
            "attachments": attachments(args),
            "thread_ts": thread_ts,
            "broadcast": bool(thread_ts and flag(args, "reply_broadcast")),
            "edits": [],
        }
        self._save(message)
        return message

    def post_message(self, args: Args) -> Record:
        channel = self._channel(args.get("channel"))
        # An archived channel has no members left; the word for it is the other one.
        if not channel["is_archived"]:
            self._joined(channel)
        message = self._post(channel, args, via="bot")
        return {"channel": message["channel"], "ts": message["ts"], "message": shown(message)}

    def update(self, args: Args) -> Record:
        message = self._message(args)
        if message["via"] != "bot":
            raise SlackError("cant_update_message")
        text = content(args)
        tick = self._store.tick()
        edit = {
            "at": self._store.now(),
            "ts": f"{tick // 1_000_000}.000000",
            "text": message["text"],
        }
        changed = {**message, "text": text, "edits": [*message["edits"], edit]}
        self._save(changed)
        answer = {"channel": message["channel"], "ts": message["ts"], "text": text}
        return {**answer, "message": shown(changed)}

    def list_channels(self, args: Args) -> Record:
        wanted = [
            c for c in self._known() if not (flag(args, "exclude_archived") and c["is_archived"])
        ]
        return page("channels", wanted, args)

    def channel_info(self, args: Args) -> Record:
        return {"channel": self._by_id(args)}

    def archive(self, args: Args) -> Record:
        if (channel := self._by_id(args))["is_archived"]:
            raise SlackError("already_archived")
        archived = {**self._joined(channel), "is_archived": True, "is_member": False}
        self._store.put("slack_channels", channel["id"], archived)
        return {}

    def list_users(self, args: Args) -> Record:
        return page("members", [user_shape(user_id) for user_id in USERS], args)

    def user_info(self, args: Args) -> Record:
        if args.get("user") not in USERS:
            raise SlackError("user_not_found")
        return {"user": user_shape(str(args["user"]))}

    def user_by_email(self, args: Args) -> Record:
        wanted = str(args.get("email") or "").lower()
        for user_id in USERS:
            user = user_shape(user_id)
            if user["profile"]["email"] == wanted and not user["deleted"]:
                return {"user": user}
        raise SlackError("users_not_found")

    def list_groups(self, args: Args) -> Record:
        listed = [
            group_shape(
                group_id, users=flag(args, "include_users"), count=flag(args, "include_count")
            )
            for group_id in GROUPS
        ]
        return {
            "usergroups": [
                g for g in listed if flag(args, "include_disabled") or not g["date_delete"]
            ]
        }


METHODS: dict[str, t.Callable[[Slack, Args], Record]] = {
    "chat.postMessage": Slack.post_message,
    "chat.update": Slack.update,
    "conversations.list": Slack.list_channels,
    "conversations.info": Slack.channel_info,
    "conversations.archive": Slack.archive,
    "users.list": Slack.list_users,
    "users.info": Slack.user_info,
    "users.lookupByEmail": Slack.user_by_email,
    "usergroups.list": Slack.list_groups,
}
