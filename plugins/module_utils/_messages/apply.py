# SPDX-License-Identifier: GPL-3.0-or-later
"""Send each message through its adapter; one channel that fails keeps none of the others from being told."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from .._errors import DeployError
from .._time import Deadline
from .mail import send_mail
from .models import Delivered, Message, Undelivered
from .services import send_pagerduty_event, send_status_page_incident
from .slack import send_slack_message

Send = t.Callable[[t.Any, Deadline, "str | None"], Delivered]


SENDERS: t.Mapping[str, Send] = MappingProxyType(
    {
        "slack": send_slack_message,
        "email": send_mail,
        "pagerduty": send_pagerduty_event,
        "statuspage": send_status_page_incident,
    }
)


def deliver(
    messages: t.Iterable[Message],
    *,
    timeout: float,
    ca_cert: str | None,
    senders: t.Mapping[str, Send] = SENDERS,
) -> tuple[list[Delivered], list[Undelivered]]:
    """Each message has `timeout` seconds of its own, retries included."""
    delivered: list[Delivered] = []
    undelivered: list[Undelivered] = []
    for message in messages:
        try:
            delivered.append(senders[message.kind](message, Deadline(timeout), ca_cert))
        except DeployError as exc:
            undelivered.append(Undelivered(message.kind, message.target, exc.reason, str(exc)))
    return delivered, undelivered
