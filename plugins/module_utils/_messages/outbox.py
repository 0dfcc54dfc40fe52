# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the messages of a run on a thread of its own, so that Slack never slows or fails the run.

Of the headline only the newest version counts, so it is written when it is sent; replies wait in a bounded queue.
What could not be sent is counted."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import typing as t
from collections import deque
from pathlib import Path

from .._errors import DeployError, UnreachableError
from .slack import GONE, SlackClient


class MessageState:
    """The file that remembers which message is an attempt's; `path` None remembers nothing.

    `api_url` and `wanted` (the channel as the inventory names it) tell one workspace's message from another's. What
    can't be read counts as not there; what can't be written is let go.
    """

    def __init__(self, path: Path | None, api_url: str = "", wanted: str = "") -> None:
        self._path = path
        self._own: dict[str, t.Any] = {"api_url": api_url, "wanted": wanted}
        self._lock = threading.Lock()
        self._kept: dict[str, t.Any] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stored = json.loads(path.read_text(encoding="utf-8")) if path else {}
            self._kept = stored if self._own.items() <= stored.items() else {}

    @property
    def last(self) -> tuple[str, str]:
        """Channel and ts of the newest message, "" for none."""
        return str(self._kept.get("channel") or ""), str(self._kept.get("ts") or "")

    def of(self, identity: tuple[int, str]) -> tuple[str, str]:
        """Those of this attempt's message. The next one that is posted is this attempt's too."""
        with self._lock:
            self._own |= {"attempt": identity[0], "started": identity[1]}
            return self.last if self._own.items() <= self._kept.items() else ("", "")

    def posted(self, channel: str, ts: str) -> None:
        """Called on the thread that posts."""
        with self._lock, contextlib.suppress(OSError):
            self._kept = {**self._own, "channel": channel, "ts": ts}
            if self._path:
                write(self._path, json.dumps(self._kept, indent=1) + "\n")


def write(path: Path, text: str) -> None:
    """All or nothing, and for this user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


PACE = 2.0
"""Seconds between two edits."""
PAUSE = 2.0
"""Seconds until a Slack that did not answer is asked again."""
CAPACITY = 200
REFUSALS = 3
"""So many refusals in a row mean that no message will be taken: a revoked token, a missing channel."""


class ChannelReply(t.NamedTuple):
    text: str
    broadcast: bool


class Outbox:
    """`posted` hears of channel and ts of the message once it is there."""

    def __init__(
        self,
        client: SlackClient,
        posted: t.Callable[[str, str], None] = lambda _channel, _ts: None,
    ) -> None:
        self._client = client
        self._posted = posted
        self._replies: deque[ChannelReply] = deque(maxlen=CAPACITY)
        self._write: t.Callable[[], str] | None = None
        """What gives the one message as it is now."""
        self._version = self._sent = 0
        """Of the one message, that of now and the one that was sent last."""
        self._sent_text = ""
        self.ts = ""
        self._waiting = False
        """Whether it is still to be told which message is edited."""
        self._edited = float("-inf")
        self._refusals = 0
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="slack", daemon=True)
        self.lost = 0
        self.reason = "Slack did not answer in time."
        """Why the last message that failed did."""

    def wait(self) -> None:
        """Send nothing before `begin` has said which message is edited."""
        self._waiting = self._client.can_edit

    def begin(self, channel: str, ts: str) -> None:
        """From now on this message is edited, and its thread replied to; with "" the next headline is a new one."""
        with self._changed:
            if channel:
                self._client.location = channel
            self.ts, self._sent, self._sent_text, self._waiting = ts, 0, "", False
            self._changed.notify_all()

    def headline(self, write: t.Callable[[], str], *, last: bool = False) -> None:
        """The one message has changed. Where none can be edited, only the first and last version are sent.

        `write` is called on the outbox's thread, once it can be sent.
        """
        with self._changed:
            if self._client.can_edit or last or self._write is None:
                self._write = write
                self._version += 1
            self._wake()

    def reply(self, text: str, *, detail: bool = False, broadcast: bool = False) -> None:
        """A message in the thread. `broadcast` shows it in the channel too.

        `detail` is only for a thread, so a webhook is not given it.
        """
        with self._changed:
            if detail and not self._client.can_edit:
                return
            # The oldest gives way.
            self.lost += len(self._replies) == self._replies.maxlen
            self._replies.append(ChannelReply(text, broadcast))
            self._wake()

    def close(self, drain: float) -> int:
        """Give what is left `drain` seconds to be sent; returns how many messages were lost in all."""
        if self._thread.ident is None:
            return 0
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=drain)
        with self._changed:
            return self.lost + len(self._replies) + (self._version != self._sent)

    def _wake(self) -> None:
        if self._thread.ident is None:
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while (work := self._next()) is None:
                    if self._closing:
                        return
                    self._changed.wait(timeout=0.2)
            self._rest(self._send(work))
            if self._refusals >= REFUSALS:
                return

    def _rest(self, pause: float) -> None:
        """The end of the run is a reason for one more try."""
        with self._changed:
            hasten = not self._closing
            self._changed.wait_for(lambda: hasten and self._closing, timeout=pause)

    def _next(self) -> int | ChannelReply | None:
        """The version of the one message, or a reply, that is due."""
        if self._waiting:
            return None
        due = self._closing or time.monotonic() - self._edited >= PACE
        if due and self._version != self._sent:
            return self._version
        # A reply waits for its message, unless none will come.
        none = not self._client.can_edit or (self._closing and self._write is None)
        return self._replies[0] if self._replies and (self.ts or none) else None

    def _send(self, work: int | ChannelReply) -> float:
        """One attempt; seconds to wait before the next."""
        try:
            if isinstance(work, ChannelReply):
                self._client.post(work.text, thread_ts=self.ts, broadcast=work.broadcast)
            elif self._write:
                self._send_headline(self._write())
        except UnreachableError as exc:
            self.reason = str(exc)
            return float(exc.details.get("retry_after", PAUSE))
        except Exception as exc:
            known, word = isinstance(exc, DeployError), getattr(exc, "details", {}).get("word")
            self.reason = str(exc) if known else f"Slack's client failed with {type(exc).__name__}."
            self._refusals += 1
            if word in GONE:
                # Somebody deleted it, or it is too old to be edited: then a new one.
                self.begin("", "")
            elif isinstance(work, ChannelReply):
                # A refused reply is lost. A refused headline is tried again, as the next version.
                self.lost += 1
                self._done(work)
            return 0.0
        self._refusals = 0
        self._done(work)
        return 0.0

    def _send_headline(self, text: str) -> None:
        """Edits the message, or posts it when there is none."""
        if text == self._sent_text:
            return
        self._edited, ts = time.monotonic(), self.ts
        if ts:
            self._client.update(ts, text)
        elif ts := self._client.post(text):
            self._posted(self._client.location, ts)
        with self._changed:
            self.ts, self._sent_text = ts, text

    def _done(self, work: int | ChannelReply) -> None:
        with self._changed:
            if isinstance(work, int):
                self._sent = work
            # A full queue may have dropped it meanwhile.
            elif self._replies and self._replies[0] is work:
                self._replies.popleft()
