# SPDX-License-Identifier: GPL-3.0-or-later
"""One run in Slack: turns what happens into the newest headline of its release and into replies of the thread."""

from __future__ import annotations

import re
import threading
import time
import typing as t
from dataclasses import replace

from .._decode import decode
from .._formats import counted
from .._progress import WAVE_ROLLED
from .._redaction import Redactor
from .._release.models import ROLLED_BACK, sentence_of
from .._release.record import Record, RecordedMetric
from .._terminal import models
from .._terminal.telling import LOCKS, SERVICE, STOPS
from .._time import epoch
from . import headline
from .headline import ReleaseStatus
from .outbox import MessageState, Outbox
from .slack import plain

SAMPLED = "MetricsSampled"
DRAIN = 3.0
"""Seconds that the end of a run waits for the last messages."""


class RunMessage:
    """Everything that is told of one run, redacted before it is written down.

    Which message is edited is known once the release record has told which attempt it is.
    """

    def __init__(
        self,
        status: ReleaseStatus,
        outbox: Outbox,
        redact: Redactor,
        state: MessageState,
        clock: t.Callable[[], float] = time.time,
    ) -> None:
        self._status = status
        self._outbox = outbox
        self._redact = redact
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        """Callbacks come from two threads, and the outbox writes on a third what the status shows."""
        self._told: set[str] = set()
        """Phases whose end the thread was told."""
        self._settled = False
        """Whether it is known which message is edited."""
        outbox.wait()

    def on(self, event: models.Event) -> None:
        """The message and its thread after it. The times of the events count nothing here: the record's are epochs."""
        with self._lock:
            if self._status.ending:
                return
            if isinstance(event, models.PlayBegun):
                if self._status.has(event.phase):
                    play = replace(event, name=self._redact(event.name))
                    self._status.begin(play, self._clock())
                return
            if isinstance(event, models.TaskEnded):
                self._ended(event)
            elif isinstance(event, models.Reported):
                self._reported(event)
            elif isinstance(event, models.RunEnded):
                self._end(event)
                return
            self._show()

    def _ended(self, event: models.TaskEnded) -> None:
        action, result = event.task.action, event.result
        bad = event.status in ("failed", "unreachable")
        if event.status == "skipped" or (bad and event.ignored):
            return
        # Before it changes something a run may be refused, and then it posts nothing. A refused run may have the lock.
        self._status.touched |= bool(result.get("changed")) and action not in LOCKS
        if bad:
            self._failed(event)
            return
        if "document" in result:
            self._record_seen(Record.of_result(result))
            if result.get("decision") and result.get("changed"):
                sentence = plain(self._redact(str(result.get("sentence") or "")))
                self._outbox.reply(f"⚖️ {sentence}", detail=True)
        if action == SERVICE and self._status.stages:
            # It runs the release and answers.
            self._status.stages[-1].rolled.add(event.host)

    def _failed(self, event: models.TaskEnded) -> None:
        away = "It is unreachable: " if event.status == "unreachable" else ""
        # What a template put together has gaps where parts of it were empty.
        text = re.sub(" {2,}", " ", self._redact(f"{away}{sentence_of(event.result)}"))
        reason = str(event.result.get("reason") or "")
        failure = models.RunFailure(event.concerns, text, reason=reason)
        news = self._status.failed(failure, stops=event.task.action in STOPS)
        if news and len(self._status.failures) > 1:
            # The first is in the headline at once, and the call at the end quotes it.
            self._outbox.reply(headline.detail(failure), detail=True)

    def _reported(self, event: models.Reported) -> None:
        metrics, services = event.data.get("metrics"), event.data.get("services") or {}
        if event.event == SAMPLED and isinstance(metrics, list):
            self._status.measured(decode(RecordedMetric, entry, SAMPLED, []) for entry in metrics)
        if event.event == WAVE_ROLLED and self._status.stages:
            # The services that are through, before their hosts report it.
            through = {name for name in services if not services[name].get("failed")}
            self._status.stages[-1].rolled |= through

    def _record_seen(self, record: Record) -> None:
        # Of a release that is back, opening a phase begins the next attempt.
        if not record.attempt or (record.status == ROLLED_BACK and self._status.deploys):
            return
        before = self._status.record
        self._status.record_seen(record)
        if not self._settled or before.identity != record.identity:
            self._settled = True
            self._outbox.begin(*self._state.of(record.identity))
        self._tell_phases()

    def _tell_phases(self) -> None:
        """A line for each phase of this run that the record has settled since."""
        for step in self._status.stages:
            phase = self._status.record.phase(step.phase)
            if not phase.settled or step.phase in self._told:
                continue
            if (epoch(phase.finished) or 0) >= int(step.started):
                self._told.add(step.phase)
                line = headline.phase_ended(self._status, step.phase)
                self._outbox.reply(self._redact(line), detail=True)

    def _end(self, event: models.RunEnded) -> None:
        self._status.close(self._clock(), event.ending)
        if alarm := headline.alarm(self._status):
            # A hold is announced, so the channel knows.
            self._outbox.reply(alarm, broadcast=not self._status.held)
        if not self._settled and self._status.touched:
            # Without a record the message would lose what earlier runs wrote into it: only its thread is told.
            self._outbox.begin(*self._state.last)
            self._settled = not self._state.last[1]
        self._show(last=True)

    def close(self) -> str:
        """After the end of the run; a sentence about the messages that were lost, "" without any."""
        # Not under the lock, which the outbox needs to write the last version.
        lost = self._outbox.close(DRAIN)
        how_many = counted(lost, "message was", "messages were")
        return f"{how_many} not delivered. {self._outbox.reason}" if lost else ""

    def _show(self, *, last: bool = False) -> None:
        if self._settled and self._status.touched:
            self._outbox.headline(self._headline, last=last)

    def _headline(self) -> str:
        with self._lock:
            return headline.render(self._status, self._clock())
