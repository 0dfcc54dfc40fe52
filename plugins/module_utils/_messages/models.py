# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be announced and what became of it: one frozen message per channel."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, field


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
