# SPDX-License-Identifier: GPL-3.0-or-later
"""One run in Slack: turns what happens into the newest headline of its release and into replies of the thread."""

from __future__ import annotations

import re
import threading
import time
import typing as t

from .._formats import stopwatch
from .._progress import WAVE_ROLLED, Progress
from .._redaction import Redactor
from .._release.models import ROLLED_BACK
from .._release.record import NO_PHASE, Record, RecordedMetric
from .._time import epoch
from . import blocks, headline
from .mrkdwn import plain
from .outbox import Content, MessageState, Outbox
from .release_status import Play, ReleaseStatus, TaskFailure

SAMPLED = "MetricsSampled"
DRAIN = 3.0
"""Seconds that the end of a run waits for the last messages."""


class RunMessage:
    """Everything that is told of one run, redacted before it is written down.

    A message that an earlier run left is edited once the release record has told that it is this attempt's.
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
        self._over = False
        self._ended: set[str] = set()
        """Phases whose end the thread was told."""
        self._settled = state.kept is None
        """Whether it is known which message is edited."""
        if not self._settled:
            outbox.wait()

    def play_started(self, name: str, phase: str, hosts: int) -> None:
        with self._lock:
            self._status.play_started(Play(self._redact(name), phase, hosts), self._clock())

    def task_started(self, name: str) -> None:
        with self._lock:
            self._status.task_started(without_role(self._redact(name)), self._clock())
            self._show()

    def touched(self) -> None:
        """This run has changed something. Before that it may be refused, and then it posts nothing."""
        with self._lock:
            self._status.touched = True
            self._show()

    def host_done(self, host: str, action: str = "") -> None:
        with self._lock:
            self._status.host_done(host, action)
            self._show()

    def decided(self, sentence: str) -> None:
        """A person has decided what is held."""
        with self._lock:
            self._outbox.reply(f"⚖️ {plain(self._redact(sentence))}", detail=True)

    def host_failed(self, host: str, task: str, why: str, reason: str = "") -> None:
        # What a template put together has gaps where parts of it were empty.
        text = re.sub(" {2,}", " ", self._redact(why))
        with self._lock:
            steps = self._status.steps
            step = steps[-1].name if steps else self._status.release.playbook
            failure = TaskFailure(step, host, without_role(self._redact(task)), text, reason)
            if self._status.host_failed(failure) and len(self._status.failures) > 1:
                # The first is in the headline at once, and the call at the end quotes it.
                self._outbox.reply(headline.detail(failure), detail=True)
            self._show()

    def progressed(self, progress: Progress) -> None:
        text = self._redact(progress.text)
        with self._lock:
            if progress.event == SAMPLED and self._measured(progress.data):
                self._status.progressed("", watched(progress.data))
            else:
                if progress.event == WAVE_ROLLED:
                    self._status.wave_rolled(progress.data.get("services") or {})
                self._status.progressed(progress.host, text)
            self._show()

    def _measured(self, data: t.Mapping[str, t.Any]) -> bool:
        values, statuses = data.get("values"), data.get("statuses")
        if not isinstance(values, dict):
            return False
        units = self._status.release.units
        messages = statuses if isinstance(statuses, dict) else {}
        self._status.measured(
            RecordedMetric(
                name, units.get(name, ""), status=str(messages.get(name, "")), newest=value
            )
            for name, value in values.items()
            if value is None or isinstance(value, (int, float))
        )
        return True

    def record_seen(self, record: Record) -> None:
        if not record.attempt:
            return
        with self._lock:
            if record.status == ROLLED_BACK and self._status.deploys:
                return  # opening a phase begins the next attempt
            before = self._status.record
            self._status.record_seen(record)
            if before.attempt and self._settled and before.identity != record.identity:
                self._state.forget()
                self._outbox.begin("", "")
            elif not self._settled:
                self._settle(record.identity)
            self._state.belongs(record.identity)
            self._tell_phases()
            self._show()

    def _tell_phases(self) -> None:
        """A line for each phase of this run that the record has settled since."""
        for step in self._status.steps:
            phase = self._status.phases.get(step.phase, NO_PHASE)
            if not phase.settled or step.phase in self._ended:
                continue
            if (epoch(phase.finished) or 0) >= int(step.started):
                self._ended.add(step.phase)
                line = headline.phase_ended(self._status.release.plan.phase(step.phase), phase)
                self._outbox.reply(self._redact(line), detail=True)

    def _settle(self, identity: tuple[int, str] | None) -> None:
        """The kept message is edited if it is this attempt's, or if that is unknown."""
        self._settled = True
        stored = self._state.kept
        if stored and (identity is None or stored.belongs_to(identity)):
            self._outbox.begin(stored.channel, stored.ts)
        else:
            self._state.forget()
            self._outbox.begin("", "")

    def finished(self, *, good: bool) -> int:
        """Ends the run; returns how many messages were lost."""
        with self._lock:
            self._status.finished(self._clock(), good=good)
        return self._end()

    def interrupted(self) -> int:
        with self._lock:
            self._status.interrupted(self._clock())
        return self._end()

    def _end(self) -> int:
        with self._lock:
            if self._over:
                return 0
            self._over = True
            alarm = headline.alarm(self._status)
            if alarm:
                # A hold is announced, so the channel knows.
                self._outbox.reply(alarm, broadcast=not self._status.held)
            if self._settled:
                self._show(last=True)
            elif self._status.touched:
                # Without a record the message would lose what earlier runs wrote into it: only its thread is told.
                self._settle(None)
        # Not under the lock, which the outbox needs to write the last version.
        return self._outbox.close(DRAIN)

    def _show(self, *, last: bool = False) -> None:
        if self._settled and self._status.touched:
            self._outbox.headline(self._headline, last=last)

    def _headline(self) -> Content:
        with self._lock:
            now = self._clock()
            return Content(headline.render(self._status, now), blocks.render(self._status, now))


def without_role(task: str) -> str:
    """Ansible puts the role in front of a task's name; in a message it is only in the way."""
    return task.rpartition(" : ")[2]


def watched(data: t.Mapping[str, t.Any]) -> str:
    """How far a watch is, when its data tell."""
    elapsed, whole = data.get("elapsed"), data.get("duration")
    if not isinstance(elapsed, (int, float)) or not isinstance(whole, (int, float)):
        return ""
    return f"watched {stopwatch(elapsed)} of {stopwatch(whole)}"
