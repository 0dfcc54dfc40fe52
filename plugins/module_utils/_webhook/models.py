# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What is sent to a WhatsApp webhook, what must come back, and where an accepted message must be seen."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """A text message from a user, and what the platform must do with it; what is empty is not checked."""

    name: str
    sender: str
    text: str
    route: str = ""
    reply_contains: str = ""
    buttons: bool | None = None
    """Whether the reply must offer buttons, or must not."""
    recorded_in: tuple[str, ...] = ()
    """Tables that must have a row with the message's id."""
    not_recorded_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    method: str
    headers: t.Mapping[str, str] = field(default_factory=dict)
    query: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """`status` is 0 when there was none, and `text` then says why."""

    status: int
    text: str


@dataclass(frozen=True)
class Probe:
    """One exchange: what is sent, and `judge`, which says what is wrong with the answer or an empty string."""

    name: str
    request: Request
    judge: t.Callable[[Answer], str]
    message: Message | None = None
    message_id: str = ""


@dataclass(frozen=True)
class ProbeResult:
    """What came of one probe. `evidence` is what was seen, or what is wrong with it."""

    name: str
    passed: bool
    status: int
    seconds: float
    evidence: str
    message_id: str = ""
    unseen: bool = False
    """It failed for this alone: it was answered as it should, and the log did not name it in time."""

    def to_result(self) -> dict[str, t.Any]:
        row: dict[str, t.Any] = {
            "name": self.name,
            "outcome": "pass" if self.passed else "fail",
            "status": self.status or None,
            "seconds": round(self.seconds, 3),
            "evidence": self.evidence,
        }
        return {**row, "message_id": self.message_id} if self.message_id else row


class Webhook(t.Protocol):
    def send(self, request: Request) -> Answer: ...


class Sightings(t.Protocol):
    """Looks where an accepted message leaves a trace. Each look is one; DeployError when it can't be taken."""

    def logged(self, message_ids: t.Collection[str]) -> frozenset[str]:
        """Those of the ids that the function's log names."""

    def recorded(self, table: str, message_ids: t.Collection[str]) -> frozenset[str]:
        """Those of the ids that have a row in the table."""
