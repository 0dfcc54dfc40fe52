# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Sends the messages of a run on a thread of its own, so that Slack never slows or fails the run.

Of the headline only the newest version counts, so it is written when it is sent; replies wait in a bounded queue.
What could not be sent is counted.
"""

from __future__ import annotations

import threading
import time
import typing as t
from collections import deque
from dataclasses import dataclass

from .._errors import DeployError, RefusedError
from .retry import BusyError
from .slack import GoneError, SlackClient

REPLY_LIMIT = 3_800
REFUSALS = 3
"""So many refusals in a row mean that no message will be taken: a revoked token, a missing channel."""
HOPELESS_AFTER = 1.0
"""Seconds that the end of a run waits for a Slack that gives no sign of life."""


@dataclass(frozen=True)
class Reply:
    text: str
    gather: bool
    broadcast: bool
    at: float
    key: str = ""


@dataclass(frozen=True)
class Headline:
    """`write` gives the text of the one message as it is now."""

    version: int
    write: t.Callable[[], str]


class Outbox:
    """`pace`: seconds between two edits. `gather`: seconds in which lines of progress become one reply.

    `posted` hears of channel and ts of the message once it is there.
    """

    def __init__(
        self,
        client: SlackClient,
        *,
        posted: t.Callable[[str, str], None] = lambda _channel, _ts: None,
        pace: float = 2.0,
        gather: float = 3.0,
        capacity: int = 200,
    ) -> None:
        self._client = client
        self._posted = posted
        self._pace = pace
        self._gather = gather
        self._replies: deque[Reply] = deque()
        self._capacity = capacity
        self._headline: Headline | None = None
        self._sent = 0
        """The version of the headline that was sent last."""
        self._sent_text: str | None = None
        self.ts = ""
        self._waiting = False
        """Whether it is still to be told which message is edited."""
        self._edited = float("-inf")
        self._refusals = 0
        self._failing = False
        self._closing = False
        self._alive = float("-inf")
        """When Slack last gave a sign of life; in the future while it asks to wait."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="slack", daemon=True)
        self._started = False
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
            self.ts, self._sent, self._sent_text, self._waiting = ts, 0, None, False
            self._changed.notify_all()

    def headline(self, write: t.Callable[[], str], *, last: bool = False) -> None:
        """The one message has changed. Where none can be edited, only the first and last version are sent.

        `write` is called on the outbox's thread, once it can be sent.
        """
        with self._changed:
            if self._client.can_edit or last or self._headline is None:
                before = self._headline.version if self._headline else 0
                self._headline = Headline(before + 1, write)
            self._wake()

    def reply(
        self,
        text: str,
        *,
        detail: bool = False,
        gather: bool = False,
        broadcast: bool = False,
        key: str = "",
    ) -> None:
        """A message in the thread. With `gather` it may wait for more like it, and one of the same `key` replaces it.

        `broadcast` shows it in the channel too; `detail` is only for a thread, so a webhook is not given it.
        """
        with self._changed:
            if detail and not self._client.can_edit:
                return
            for known in list(self._replies) if key else ():
                if known.key == key:
                    self._replies.remove(known)
            if len(self._replies) >= self._capacity:
                self._replies.popleft()
                self.lost += 1
            self._replies.append(Reply(text, gather, broadcast, time.monotonic(), key))
            self._wake()

    def close(self, drain: float) -> int:
        """Give what is left `drain` seconds to be sent; returns how many messages were lost in all."""
        if not self._started:
            return 0
        closed = time.monotonic()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        while self._thread.is_alive() and time.monotonic() < closed + drain:
            self._thread.join(timeout=0.05)
            waited = time.monotonic() - closed
            hopeless = self._alive < closed or self._alive > closed + drain + 1
            if waited > HOPELESS_AFTER and hopeless:
                break
        with self._changed:
            return self.lost + len(self._replies) + (self._newer() is not None)

    def _wake(self) -> None:
        if not self._started:
            self._started = True
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                work = self._next()
                while work is None:
                    if self._closing:
                        return
                    self._changed.wait(timeout=0.2)
                    work = self._next()
            self._rest(self._send(work))
            if self._refusals >= REFUSALS:
                return

    def _rest(self, pause: float) -> None:
        """The end of the run is a reason for one more try, but not against a rate limit."""
        until = time.monotonic() + pause
        with self._changed:
            hasten = not self._closing and self._alive <= time.monotonic()
            while (left := until - time.monotonic()) > 0 and not (hasten and self._closing):
                self._changed.wait(timeout=left)

    def _newer(self) -> Headline | None:
        known = self._headline
        return known if known and known.version != self._sent else None

    def _next(self) -> Headline | list[Reply] | None:
        """A headline, or replies that go out as one message, or None while nothing is due."""
        if self._waiting:
            return None
        now = time.monotonic()
        due = self._closing or now - self._edited >= self._pace
        if due and (newer := self._newer()):
            return newer
        if not self._replies or not self._has_thread():
            return None
        first = self._replies[0]
        if not first.gather:
            return [first]
        batch: list[Reply] = []
        for reply in self._replies:
            size = sum(len(known.text) + 1 for known in batch) + len(reply.text)
            if not reply.gather or (batch and size > REPLY_LIMIT):
                break
            batch.append(reply)
        waiting = len(batch) == len(self._replies) and now - first.at < self._gather
        return None if waiting and not self._closing else batch

    def _has_thread(self) -> bool:
        """A reply waits for its message, unless none will come."""
        hopeless = self._closing and self._headline is None
        return bool(self.ts) or hopeless or not self._client.can_edit

    def _send(self, work: Headline | list[Reply]) -> float:
        """One attempt; seconds to wait before the next."""
        try:
            if isinstance(work, Headline):
                self._send_headline(work.write())
            else:
                text = "\n".join(reply.text for reply in work)
                self._client.post(text, thread_ts=self.ts, broadcast=work[0].broadcast)
        except GoneError as exc:
            # Somebody deleted it, or it is too old to be edited: then a new one.
            self.reason = str(exc)
            self._refusals += 1
            self.begin("", "")
            return 0.0
        except BusyError as exc:
            self.reason = str(exc)
            self._alive = time.monotonic() + exc.retry_after + 1
            return exc.retry_after
        except RefusedError as exc:
            self.reason = str(exc)
            self._refusals += 1
            self._give_up(work)
            return 0.0
        except DeployError as exc:
            self.reason = str(exc)
            was_failing, self._failing = self._failing, True
            return 4.0 if was_failing else 1.0
        except Exception as exc:
            self.reason = f"Slack's client failed with {type(exc).__name__}."
            self._refusals += 1
            self._give_up(work)
            return 0.0
        self._refusals, self._failing, self._alive = 0, False, time.monotonic()
        self._done(work)
        return 0.0

    def _send_headline(self, text: str) -> None:
        if text == self._sent_text:
            return
        self._edited = time.monotonic()
        if self.ts:
            self._client.update(self.ts, text)
            self._sent_text = text
            return
        ts = self._client.post(text)
        with self._changed:
            self.ts, self._sent_text = ts, text
        if ts:
            self._posted(self._client.location, ts)

    def _done(self, work: Headline | list[Reply]) -> None:
        with self._changed:
            if isinstance(work, Headline):
                self._sent = work.version
                return
            for reply in work:
                # A full queue may have dropped it meanwhile.
                if self._replies and self._replies[0] is reply:
                    self._replies.popleft()

    def _give_up(self, work: Headline | list[Reply]) -> None:
        """A refused reply is lost. A refused headline is tried again, as the next version."""
        if isinstance(work, list):
            self.lost += len(work)
            self._done(work)
