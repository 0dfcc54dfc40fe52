# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of a task to the messages to send, one a channel.

What is wrong is refused before the first one goes out.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._errors import InputError
from .._formats import bare, shortened
from .._redaction import Redactor
from .slack import escape, mention

Options = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Message:
    """`kind` is its channel, whose `options` these are; `target` is its receiver, and `text` what it says."""

    kind: str
    target: str
    text: str
    options: Options = field(repr=False)

    def result(self, **more: t.Any) -> dict[str, t.Any]:
        """What the task returns of it once it was delivered, or in check mode would be."""
        known = {"channel": self.kind, "target": self.target, "id": "", "location": ""}
        return {**known, "changed": True, "action": "", **more}


REDACT = Redactor()
WORDS = frozenset({"text", "subject", "summary", "body"})
SLACK_TEXT_LIMIT = 40_000
PAGERDUTY_TITLE = 120
"""Characters of an incident's title that a phone shows; PagerDuty takes 1,024."""


def plan_messages(params: Options, contents: Options | None = None) -> tuple[Message, ...]:
    """One message for each channel that has options, in the order of CHANNELS.

    `contents` are the files that it attaches, by path.
    """
    text, messages = bare(REDACT(params.get("text") or "")), []
    for channel, make in CHANNELS.items():
        if options := params.get(channel):
            # What people read often quotes what others wrote.
            words = {name: bare(REDACT(options[name])) for name in WORDS if options.get(name)}
            messages.append(make({**options, **words, "contents": contents or {}}, text))
    return tuple(messages)


def slack_message(options: Options, text: str) -> Message:
    token, channel, webhook_url = map(options.get, ("token", "channel", "webhook_url"))
    if not token and not webhook_url:
        raise InputError("slack.token is empty: set it, or slack.webhook_url.")
    if webhook_url and not re.match(r"https?://[^/]", webhook_url):
        raise InputError("slack.webhook_url is not a URL: it begins with https://hooks.slack.com/.")
    if token and not channel:
        raise InputError("slack.channel is empty: set the channel, for example '#devops'.")
    if options.get("archive") and not token:
        raise InputError("slack.archive needs slack.token: a webhook can't archive its channel.")
    own = slack_text(options.get("text") or text, options.get("mention") or ())
    target = str(channel) if token else "webhook"
    return Message("slack", target, with_people(own, options.get("people") or {}), options)


def with_people(text: str, people: t.Mapping[str, str]) -> str:
    """The text with each "@name" of theirs as a mention. Longer names first: one may begin another."""
    for name in sorted(people, key=len, reverse=True):
        called = mention(str(people[name]))
        if called.startswith("<"):
            text = text.replace(f"@{escape(name.removeprefix('@'))}", called)
    return text


def slack_text(text: str, mentions: t.Iterable[str]) -> str:
    """The text with its mentions in front. "@channel" as its first word is one, as people write it."""
    first = re.match(r"@(channel|here|everyone)\b\s*", text)
    wanted = [*([first[1]] if first else []), *mentions]
    body = escape(text[first.end() :] if first else text)
    whole = " ".join([*dict.fromkeys(mention(who) for who in wanted), body]).strip()
    if not whole:
        raise InputError("text is empty: set the announcement.")
    if len(whole) > SLACK_TEXT_LIMIT:
        raise InputError(
            f"text has {len(whole)} characters, Slack's limit is {SLACK_TEXT_LIMIT}: shorten it."
        )
    return whole


SMTPS = 465


def mail(options: Options, text: str) -> Message:
    username, starttls = options.get("username"), options["starttls"]
    if username and starttls == "never":
        raise InputError(
            "email.username is set and email.starttls is 'never': a password must not travel in clear, "
            "set email.starttls to 'required'."
        )
    if options["port"] == SMTPS and starttls != "implicit":
        raise InputError(
            f"email.port is {SMTPS}, which speaks TLS from the first byte, and email.starttls is {starttls!r}: "
            "set it to 'implicit'."
        )
    # A line break in a header would add headers of somebody's own.
    for name in ("sender", "subject"):
        if "\n" in options[name] or "\r" in options[name]:
            raise InputError(f"email.{name} has a line break: a header is one line.")
    if not options["recipients"]:
        raise InputError("email.recipients is empty: set at least one address.")
    for address in options["recipients"]:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+|[^<>\r\n]*<[^@\s]+@[^@\s]+>", address):
            raise InputError(f"email.recipients has '{address}', which is not an e-mail address.")
    target = ", ".join(options["recipients"])
    return Message("email", target, options.get("text") or text, options)


def pagerduty_event(options: Options, text: str) -> Message:
    summary = options.get("summary") or text
    if options["action"] == "trigger" and not summary:
        raise InputError("pagerduty.summary and text are empty: set the reason.")
    title = shortened(summary, PAGERDUTY_TITLE)
    if title != summary:
        options = {**options, "details": {"message": summary, **(options.get("details") or {})}}
    return Message("pagerduty", options["dedup_key"], title, options)


def status_page_incident(options: Options, text: str) -> Message:
    if options.get("minutes", 1) < 1:
        raise InputError(f"statuspage.minutes is {options['minutes']}; it is at least 1.")
    return Message("statuspage", options["name"], options.get("body") or text, options)


CHANNELS: dict[str, t.Callable[[Options, str], Message]] = {
    "slack": slack_message,
    "email": mail,
    "pagerduty": pagerduty_event,
    "statuspage": status_page_incident,
}
