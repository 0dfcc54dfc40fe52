# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of a task to the messages to send, one frozen message a channel.

What is wrong is refused before the first one goes out.
"""

from __future__ import annotations

import mimetypes
import re
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import PurePath

from .._errors import InputError
from .._formats import shortened
from .._redaction import Redactor
from .mrkdwn import escape, mention


@dataclass(frozen=True)
class SlackMessage:
    """By bot token into a channel, or by incoming webhook into the channel that belongs to it."""

    text: str
    api_url: str = "https://slack.com/api/"
    token: str = field(default="", repr=False)
    channel: str = ""
    webhook_url: str = field(default="", repr=False)
    archive: bool = False
    """Whether the channel is archived once the message is in it."""

    kind = "slack"

    @property
    def target(self) -> str:
        return self.channel if self.token else "webhook"


@dataclass(frozen=True)
class Attachment:
    """`content_type` is one like text/calendar."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Mail:
    host: str
    port: int
    starttls: t.Literal["required", "optional", "never", "implicit"]
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    attachments: tuple[Attachment, ...] = ()

    kind = "email"

    @property
    def target(self) -> str:
        return ", ".join(self.recipients)


@dataclass(frozen=True)
class PagerDutyEvent:
    url: str
    routing_key: str = field(repr=False)
    action: t.Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str
    severity: str
    source: str
    summary: str
    details: dict[str, t.Any]

    kind = "pagerduty"

    @property
    def target(self) -> str:
        return self.dedup_key


@dataclass(frozen=True)
class StatusPageIncident:
    url: str
    token: str = field(repr=False)
    page_id: str
    name: str
    status: str
    body: str
    components: dict[str, str]
    minutes: int = 120
    """How long a maintenance is planned to take."""

    kind = "statuspage"

    @property
    def maintenance(self) -> bool:
        return self.status in ("scheduled", "in_progress", "verifying", "completed")

    @property
    def target(self) -> str:
        return self.name


Message: t.TypeAlias = "SlackMessage | Mail | PagerDutyEvent | StatusPageIncident"


@dataclass(frozen=True)
class Delivered:
    """`id` is what the other side calls it; `location` the id of the Slack channel, else empty.

    `action`: what was asked of PagerDuty, "" of the others.
    """

    channel: str
    target: str
    id: str = ""
    location: str = ""
    changed: bool = True
    action: str = ""

    def to_result(self) -> dict[str, t.Any]:
        return asdict(self)


@dataclass(frozen=True)
class Undelivered:
    channel: str
    target: str
    reason: str
    msg: str

    def to_result(self) -> dict[str, str]:
        return asdict(self)


Options = t.Mapping[str, t.Any]
REDACT = Redactor()
WORDS = frozenset({"text", "subject", "summary", "body"})
SLACK_TEXT_LIMIT = 40_000
PAGERDUTY_SUMMARY_LIMIT = 1_024


def plan_messages(
    params: Options, contents: t.Mapping[str, bytes] | None = None
) -> tuple[Message, ...]:
    """One message for each channel that has options, in the order of CHANNELS.

    `contents` are the files that it attaches, by path.
    """
    text = REDACT(params.get("text") or "")
    planned = []
    for channel, make in CHANNELS.items():
        options = params.get(channel)
        if options:
            planned.append(make({**without_secrets(options), "contents": contents}, text))
    return tuple(planned)


def without_secrets(options: Options) -> Options:
    """What people read, without what has the form of a secret: it often quotes what others wrote."""
    return {
        name: REDACT(value) if name in WORDS and isinstance(value, str) else value
        for name, value in options.items()
    }


def slack_message(options: Options, text: str) -> SlackMessage:
    token, webhook_url = options.get("token") or "", options.get("webhook_url") or ""
    channel = options.get("channel") or ""
    if not token and not webhook_url:
        raise InputError("slack.token is empty: set it, or slack.webhook_url.")
    if webhook_url and not re.match(r"https?://[^/]", webhook_url):
        raise InputError("slack.webhook_url is not a URL: it begins with https://hooks.slack.com/.")
    if token and not channel:
        raise InputError("slack.channel is empty: set the channel, for example '#devops'.")
    if options.get("archive") and not token:
        raise InputError("slack.archive needs slack.token: a webhook can't archive its channel.")
    answer = slack_text(options.get("text") or text, options.get("mention") or ())
    return SlackMessage(
        text=with_people(answer, options.get("people") or {}),
        api_url=options["api_url"],
        token=token,
        channel=channel,
        webhook_url=webhook_url,
        archive=bool(options.get("archive")),
    )


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


def mail(options: Options, text: str) -> Mail:
    username, starttls = options.get("username") or "", options["starttls"]
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
    return Mail(
        host=options["host"],
        port=options["port"],
        starttls=starttls,
        sender=options["sender"],
        recipients=recipients(options["recipients"]),
        subject=options["subject"],
        text=options.get("text") or text,
        html=options.get("html") or "",
        username=username,
        password=options.get("password") or "",
        attachments=tuple(
            Attachment(PurePath(path).name, content_type(path), content)
            for path, content in (options.get("contents") or {}).items()
        ),
    )


def content_type(path: str) -> str:
    guessed = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return {".ics": "text/calendar"}.get(PurePath(path).suffix, guessed)


def recipients(addresses: t.Sequence[str]) -> tuple[str, ...]:
    if not addresses:
        raise InputError("email.recipients is empty: set at least one address.")
    for address in addresses:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+|[^<>\r\n]*<[^@\s]+@[^@\s]+>", address):
            raise InputError(f"email.recipients has '{address}', which is not an e-mail address.")
    return tuple(addresses)


def pagerduty_event(options: Options, text: str) -> PagerDutyEvent:
    summary = options.get("summary") or text
    if options["action"] == "trigger" and not summary:
        raise InputError("pagerduty.summary and text are empty: set the reason.")
    return PagerDutyEvent(
        url=options["url"],
        routing_key=options["routing_key"],
        action=options["action"],
        dedup_key=options["dedup_key"],
        severity=options["severity"],
        source=options["source"],
        summary=shortened(summary, PAGERDUTY_SUMMARY_LIMIT),
        details=options.get("details") or {},
    )


def status_page_incident(options: Options, text: str) -> StatusPageIncident:
    if options.get("minutes", 120) < 1:
        raise InputError(f"statuspage.minutes is {options['minutes']}; it is at least 1.")
    return StatusPageIncident(
        url=options["url"],
        token=options["token"],
        page_id=options["page_id"],
        name=options["name"],
        status=options["status"],
        body=options.get("body") or text,
        components=options.get("components") or {},
        minutes=options.get("minutes", 120),
    )


CHANNELS: dict[str, t.Callable[[Options, str], Message]] = {
    "slack": slack_message,
    "email": mail,
    "pagerduty": pagerduty_event,
    "statuspage": status_page_incident,
}
