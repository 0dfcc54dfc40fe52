# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What is sent to a WhatsApp webhook and what must come back."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """A text message from a user. `route` is what the platform must do with it; empty means that is not checked."""

    name: str
    sender: str
    text: str
    route: str = ""


@dataclass(frozen=True)
class Request:
    method: str
    headers: t.Mapping[str, str] = field(default_factory=dict)
    query: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    text: str


@dataclass(frozen=True)
class Probe:
    """One exchange: what is sent, and `judge`, which says what is wrong with the answer or an empty string."""

    name: str
    request: Request
    judge: t.Callable[[Answer], str]


class Webhook(t.Protocol):
    def send(self, request: Request) -> Answer: ...
