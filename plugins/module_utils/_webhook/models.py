# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What is sent to a webhook, what must come back, and where an accepted message must be seen."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from .._jmespath import search


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
class Reply:
    """What the answer tells of the reply to a message."""

    route: str = ""
    text: str = ""
    buttons: bool = False
    agent: str = ""


@dataclass(frozen=True)
class Form:
    """Where in an answer the reply to a message is, as JMESPath, and below it what is told of it.

    `reply` has C({message_id}) for the message's. Empty, and the answer tells nothing but that the message was taken.
    """

    reply: str = "replies[?message_id=='{message_id}'] | [0]"
    route: str = "route"
    text: str = "text"
    buttons: str = "buttons"
    agent: str = "agent"

    def read(self, answer: str, message_id: str) -> Reply | None:
        """None when the answer does not tell."""
        if not self.reply:
            return None
        try:
            document = json.loads(answer)
        except ValueError:
            return None
        found = search(self.reply.replace("{message_id}", message_id), document)
        if found is None:
            return None
        told = {name: search(getattr(self, name), found) for name in ("route", "text", "agent")}
        return Reply(
            **{name: str(value or "") for name, value in told.items()},
            buttons=bool(search(self.buttons, found)),
        )


@dataclass(frozen=True)
class Probe:
    """One exchange: what is sent, and `judge`, which says what is wrong with the answer or an empty string.

    `unclear` says what a good answer leaves open.
    """

    name: str
    request: Request
    judge: t.Callable[[Answer], str]
    message: Message | None = None
    message_id: str = ""
    unclear: t.Callable[[Answer], str] = lambda _answer: ""
    described: t.Callable[[Answer], str] = lambda answer: f"accepted with {answer.status}"


@dataclass(frozen=True)
class ProbeResult:
    """What came of one probe. `evidence` is what was seen, or what is wrong with it."""

    name: str
    passed: bool
    status: int
    seconds: float
    evidence: str
    message_id: str = ""
    unclear: str = ""
    """What the answer leaves open of where the message went."""
    unseen: bool = False
    """It failed for this alone: it was answered as it should, and the log did not name it in time."""

    def to_result(self) -> dict[str, t.Any]:
        row: dict[str, t.Any] = {
            "name": self.name,
            "outcome": "fail" if not self.passed else "unknown" if self.unclear else "pass",
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
