# SPDX-License-Identifier: GPL-3.0-or-later
"""Slack by its Web API, which can edit and thread, or by incoming webhook; and text for it from untrusted parts.

No mention, link or style can be smuggled in.
https://docs.slack.dev/apis/web-api and /messaging/formatting-message-text
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from dataclasses import dataclass

from .._decode import restored
from .._errors import DeployError, RefusedError, UnreachableError
from .._formats import ESCAPES, WORD_JOINER, one_line, shortened
from .._http import LIMITED, Repeat, ask, bearer, retry_after
from .._time import Deadline

GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
)
"""Why a message that was to be edited or answered is not there, or no longer to be edited."""
ADVICE = {
    "invalid_auth": "check the bot token",
    "not_authed": "set the bot token",
    "token_revoked": "install the app again and use its new token",
    "account_inactive": "install the app again and use its new token",
    "channel_not_found": "check the channel's name and invite the app to it",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "unarchive the channel or choose another",
    "missing_scope": "give the app the scope chat:write, and channels:manage to archive a channel",
    "msg_too_long": "shorten the text",
    "no_service": "the webhook was removed, make a new one",
}


def failure(status: int, headers: t.Mapping[str, str], word: str) -> DeployError:
    """What Slack's refusal means; `word` is Slack's own. A rate limit tells for how long as `retry_after`."""
    if status == LIMITED:
        seconds = max(1.0, retry_after(headers))
        sentence = f"Slack limits the rate for {seconds:.0f} s: try again later."
        return UnreachableError(sentence, retry_after=seconds)
    if status >= 500:
        return UnreachableError(f"Slack answered HTTP {status}: try again later.")
    advice = ADVICE.get(word, "see Slack's documentation of the method")
    return RefusedError(f"Slack refused the message ({word}): {advice}.", word=word)


@dataclass(frozen=True)
class SlackAnswer:
    """To any method."""

    ok: bool = False
    error: str = ""


@dataclass(frozen=True)
class PostedMessage(SlackAnswer):
    channel: str = ""
    ts: str = ""


Known = t.TypeVar("Known", bound=SlackAnswer)


def call(  # noqa: UP047 - as all
    shape: type[Known],
    method: str,
    api_url: str,
    token: str,
    *,
    http: str = "POST",
    **how: t.Any,
) -> Known:
    """Slack's answer to a method. `how` is as for `_http.send`; what goes wrong names neither URL nor token."""
    url = f"{api_url.rstrip('/')}/{method}"
    answer = ask("Slack", http, url, authorization=bearer(token), **how)
    known = shape()
    with contextlib.suppress(ValueError):
        known = restored(shape, answer.json(), "answer")
    if known.ok:
        return known
    raise failure(answer.status, answer.headers, known.error or f"HTTP {answer.status}")


class SlackClient:
    """One channel of one workspace; without a token that of a webhook, which can post, and not edit or reply.

    `location` is the channel's id once a message was posted by token. Without `repeat` a call is one attempt.
    """

    def __init__(
        self,
        *,
        timeout: float,
        token: str = "",
        channel: str = "",
        api_url: str = "",
        webhook_url: str = "",
        ca_cert: str | None = None,
        repeat: Repeat | None = None,
    ) -> None:
        self.can_edit = bool(token)
        self.location = channel if token else ""
        self._place = (api_url, token)
        self._webhook_url = webhook_url
        self._how: dict[str, t.Any] = {"timeout": timeout, "ca_cert": ca_cert, "repeat": repeat}

    def post(self, text: str, thread_ts: str = "", broadcast: bool = False) -> str:
        """The message's ts, "" by webhook. `broadcast` shows a reply in the channel too."""
        body: dict[str, t.Any] = {"text": text}
        if not self.can_edit:
            answer = ask("Slack", "POST", self._webhook_url, json=body, **self._how)
            if answer.status != 200:
                raise failure(answer.status, answer.headers, answer.text[:60])
            return ""
        body |= {"channel": self.location, "unfurl_links": False, "unfurl_media": False}
        if thread_ts:
            body |= {"thread_ts": thread_ts, "reply_broadcast": broadcast}
        known = call(PostedMessage, "chat.postMessage", *self._place, json=body, **self._how)
        # Only posting takes a channel's name; an edit wants the id.
        self.location = known.channel or self.location
        return known.ts

    def update(self, ts: str, text: str) -> None:
        """By token alone. Slack would keep the blocks that an earlier version posted."""
        body: dict[str, t.Any] = {"channel": self.location, "ts": ts, "text": text, "blocks": []}
        call(SlackAnswer, "chat.update", *self._place, json=body, **self._how)

    def archive(self, deadline: Deadline) -> None:
        """The channel, once a message was posted into it."""
        self._how["repeat"] = Repeat(deadline)
        try:
            channel = {"channel": self.location}
            call(SlackAnswer, "conversations.archive", *self._place, json=channel, **self._how)
        except RefusedError as exc:
            if "already_archived" not in str(exc):
                raise


# An address is a link only as it is. It ends before what a sentence may end with.
ADDRESS = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\"'\]}*_~`]")
BROADCASTS = ("channel", "here", "everyone")
# Slack pairs the originals into bold, strike and code wherever they stand.
LOOKALIKES = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "'"})


def escape(text: str) -> str:
    """Slack reads mentions and links only between unescaped angles."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> str:
    """One line in which style marks, @names and :emoji: are only characters, and addresses stay links."""
    line = one_line(text, len(text))
    stored, place = [], 0
    for address in ADDRESS.finditer(line):
        stored += [_characters(line[place : address.start()]), escape(address[0])]
        place = address.end()
    return "".join([*stored, _characters(line[place:])])


def _characters(text: str) -> str:
    line = escape(text).translate(LOOKALIKES)
    return re.sub(r"(@|(?<!\w)_|_(?!\w)|:(?=[\w+-]+:))", rf"\1{WORD_JOINER}", line)


def code_block(text: str, limit: int = 1_500) -> str:
    shown = "".join(c for c in ESCAPES.sub("", text) if c.isprintable() or c in "\n\t")
    stored = shortened(shown.strip(), limit).replace("`", "'")
    return f"```{escape(stored)}```" if stored else ""


def mention(who: str) -> str:
    """`channel`, `here`, a user id or a user group id mentions; any other name is only shown."""
    name = who.removeprefix("@")
    if name in BROADCASTS:
        return f"<!{name}>"
    if re.fullmatch(r"[UW][A-Z0-9]{6,}", name):
        return f"<@{name}>"
    if re.fullmatch(r"S[A-Z0-9]{6,}", name):
        return f"<!subteam^{name}>"
    return f"@{plain(name)}"
